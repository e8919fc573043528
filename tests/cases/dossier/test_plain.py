"""What cannot be seen or could deceive is shown as its code, in every script that people write."""

import time

import pytest

from cases.dossier.plain import printable, visible

HIDDEN = (
    *range(0x202A, 0x202F),  # embeddings and overrides
    *range(0x2066, 0x206A),  # isolates
    *(0x200E, 0x200F, 0x061C),  # marks of direction
    *range(0x200B, 0x200E),  # zero width: space, non-joiner, joiner
    *(0x2060, 0xFEFF, 0x00AD, 0x180E),  # word joiner, byte order mark, soft hyphen, Mongolian vowel separator
    *range(0xFE00, 0xFE10),  # variation selectors
    *(0xE0100, 0xE01EF),  # more of them
    *(0xE0000, 0xE0001, *range(0xE0020, 0xE0080)),  # tags
    *range(0xFFF9, 0xFFFC),  # interlinear
    *(0x2028, 0x2029),  # line and paragraph separators
    *(0x115F, 0x1160, 0x3164, 0xFFA0, 0x2800, 0x034F),  # fillers, braille blank, grapheme joiner
    *(point for point in range(0x20) if point != 0x0A),  # C0
    *range(0x7F, 0xA0),  # DEL and C1
    *range(0x2061, 0x2065),  # invisible operators
    *(0x206A, 0x206F, 0x1D173, 0x1D17A, 0x1BCA0, 0xD800, 0xDFFF),
)


def test_every_hidden_character_is_shown_as_its_code() -> None:
    wrong = [f"U+{point:04X}" for point in HIDDEN if visible(f"a{chr(point)}b") != f"a⟨U+{point:04X}⟩b"]
    assert (wrong, len(HIDDEN) > 200) == ([], True)


@pytest.mark.parametrize(
    "text",
    [
        "two\nlines",
        "naïve façade",
        "Привет, мир",
        "ελληνικά",
        "東京タワー",
        "שלום",
        "नमस्ते",
        "한국어",
        "5 µm², ½",
        "❤ → ≤ €",
        "e\u0301",
    ],
)
def test_ordinary_text_of_any_script_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("pаypal", "pа⟨U+0430⟩ypal"),  # Cyrillic a
        ("gοοgle", "gο⟨U+03BF⟩ο⟨U+03BF⟩gle"),  # Greek omicron
        ("аpi-gateway", "а⟨U+0430⟩pi-gateway"),
        ("a\uff42c", "a\uff42⟨U+FF42⟩c"),  # full width
        ("a\U0001d41bc", "a\U0001d41b⟨U+1D41B⟩c"),  # mathematical bold
        ("Привет hello", "Привет hello"),  # two words, one script each
    ],
)
def test_a_letter_that_imitates_another_script_has_its_code_beside_it(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_pile_of_marks_covers_nothing() -> None:
    assert visible("a" + "\u0300" * 6) == "a" + "\u0300" * 3 + "⟨U+0300⟩" * 3


def test_shown_twice_is_shown_once_and_ascii_is_not_touched() -> None:
    hostile = "gpj\u202eexe pаypal\u200b"
    plain = "".join(map(chr, range(0x20, 0x7F))) + "\n"
    assert visible(visible("gpj\u202eexe\u200b")) == visible("gpj\u202eexe\u200b")
    assert visible(plain) == plain
    assert "\u202e" not in visible(hostile)


def test_the_reading_copy_escapes_all_of_it_too() -> None:
    left = [f"U+{point:04X}" for point in HIDDEN if point != 0x09 and chr(point) in printable(f"a{chr(point)}b")]
    assert (left, printable("a\tb")) == ([], "a b")


def test_a_long_text_is_made_visible_in_time_that_grows_with_it() -> None:
    text = ("ab\u0300\u0300\u0300\u0300 pаypal \u202e" * 20_000)[:200_000]
    began = time.perf_counter()
    visible(text)
    assert time.perf_counter() - began < 3
