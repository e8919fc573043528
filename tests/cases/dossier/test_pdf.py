"""The reading copy: PDF/A and PDF/UA as declared, the same bytes each time, readable whatever people wrote."""

import io
import json
from typing import Any

import pikepdf
import pytest

from cases import actions
from cases.dossier import pdf, plain
from cases.dossier.document import document
from tests.cases.dossier import reading_pdf
from tests.cases.dossier.story import Story

HOSTILE = (
    '#pagebreak() $x$ *b* `c` @ref <label> \\u{202e} "q" // /* https://a.example \u202egnp.exe\u200b \u05d0 \U0001f600 '
    + "W" * 300
)


@pytest.fixture
def whole(story: Story) -> dict[str, Any]:
    version = story.freeze()
    story.approve(version)
    return document(version)


def test_pdf_declares_its_standards_title_language_and_structure(whole: dict[str, Any]) -> None:
    with pikepdf.open(io.BytesIO(pdf.pdf(whole))) as opened:
        with opened.open_metadata() as metadata:
            declared = {key: metadata[key] for key in ("pdfaid:part", "pdfaid:conformance", "pdfuaid:part")}
            title = metadata["dc:title"]
        assert declared == {"pdfaid:part": "2", "pdfaid:conformance": "A", "pdfuaid:part": "1"}
        assert title.startswith(f"{whole['snapshot']['case']['ref']} – {whole['snapshot']['case']['title']}")
        assert (str(opened.Root.Lang), bool(opened.Root.MarkInfo.Marked)) == ("en-GB", True)
        made = str(opened.docinfo["/CreationDate"])
        cut = whole["snapshot"]["cut"]["at"]
        assert made[2:16] == "".join(character for character in cut[:19] if character.isdigit())


def test_pdf_is_the_same_bytes_each_time(whole: dict[str, Any]) -> None:
    assert pdf.pdf(whole) == pdf.pdf(json.loads(json.dumps(whole)))


def test_pdf_says_draft_when_nobody_approved(story: Story) -> None:
    whole = document(story.freeze())
    assert (whole["package"]["draft"], whole["approval"]) == (True, None)
    assert pdf.pdf(whole) != pdf.pdf({**whole, "package": {**whole["package"], "draft": False}})


def test_score_is_printed_of_a_suspicion_alone(whole: dict[str, Any]) -> None:
    [cluster] = whole["snapshot"]["clusters"]["rows"]
    printed = {}
    for label, score in (("coordinated extraction", 0.93), ("coordinated extraction", 0.9996), ("reseller pool", 0.93)):
        cluster |= {"assessment": label, "score": score}
        text = reading_pdf.text_of(pdf.pdf(whole))
        printed[label, score] = text.partition("Assessedbyaprogram:")[2].partition("accounts,")[0]
    counted = cluster["accounts"]
    assert printed == {
        ("coordinated extraction", 0.93): f"consistentwithcoordinatedextraction,score0.930.{counted}",
        ("coordinated extraction", 0.9996): f"consistentwithcoordinatedextraction,score1.000.{counted}",
        ("reseller pool", 0.93): f"consistentwithresellerpool.{counted}",
    }


def test_hostile_text_is_printed_as_text(story: Story) -> None:
    actions.edit_case(story.case, actor=story.cast.lead, changes={"summary": (story.case.summary, HOSTILE)})
    view = pdf.view(document(story.freeze()))
    summary = view["document"]["snapshot"]["case"]["summary"]
    assert "#pagebreak() $x$ *b*" in summary
    assert "⟨U+202E⟩gnp.exe⟨U+200B⟩" in summary
    assert pages(pdf.pdf(document(story.freeze()))) < 12


# What would do something in Typst, TeX, Jinja, Django, ERB, JavaScript, Markdown, HTML or PostScript.
TEMPLATES = (
    *(
        '#import "x.typ"',
        '#import "@preview/cetz:0.3.0"',
        '#include "/etc/passwd"',
        '#read("/etc/passwd")',
        '#eval("1+1")',
    ),
    *("#panic()", "#let x = 1", "#set page(width: 1pt)", "#show: none", "#pagebreak()", "#hide[x]", "#place(top)[x]"),
    *(
        '#link("https://x.example")[y]',
        '#image("/etc/passwd")',
        "#sys.inputs",
        "#context here()",
        "#metadata(1)",
        "#{1+1}",
    ),
    *(
        "$x^2$",
        "$ sum_(i) $",
        "*b*",
        "_i_",
        "`c`",
        "```typ #x```",
        "= h",
        "- item",
        "+ item",
        "/ a: b",
        "@ref",
        "<label>",
    ),
    *("\\", "\\n", "\\u{202e}", "~", "---", "...", '"q"', "'q'", "// c", "/* c */", "[x]", "]", "{", "}", "#[", "#"),
    *(
        "{{ 7*7 }}",
        "{% debug %}",
        "{# c #}",
        "{{ ''.__class__ }}",
        "<%= 7*7 %>",
        "${7*7}",
        "#{7*7}",
        "%{7*7}",
        "{0.__class__}",
    ),
    *(
        "\\input{/etc/passwd}",
        "\\write18{id}",
        "\\begin{x}",
        "%s%n",
        "<script>alert(1)</script>",
        "<!--x-->",
        "&lt;",
        "&amp;",
    ),
    *(
        "[a](javascript:1)",
        "![a](https://x.example)",
        "**b**",
        "~~s~~",
        "(showpage)",
        "<</JS (x)>>",
        "endobj",
        "%%EOF",
        "\x1b[2J",
    ),
)


def test_template_payloads_are_printed_letter_by_letter(story: Story) -> None:
    """As the title and the summary of a case, read back from the glyphs of the pages."""
    assert len(TEMPLATES) >= 50
    whole = document(story.freeze())
    empty = reading_pdf.text_of(pdf.pdf(whole))
    for start in range(0, len(TEMPLATES), 30):
        text = " ¦ ".join(TEMPLATES[start : start + 30])
        case = {**whole["snapshot"]["case"], "summary": text, "title": text}
        content = pdf.pdf({**whole, "snapshot": {**whole["snapshot"], "case": case}})
        printed = reading_pdf.text_of(content)
        assert reading_pdf.without_space(plain.printable(text)) in printed
        assert pages(content) < 12
        assert len(printed) > len(empty)


def pages(content: bytes) -> int:
    with pikepdf.open(io.BytesIO(content)) as opened:
        return len(opened.pages)


def test_a_thousand_accounts_stay_readable(whole: dict[str, Any]) -> None:
    whole["snapshot"]["accounts"]["rows"] *= 200
    view = pdf.view(whole)
    assert len(view["accounts"]["rows"]) == pdf.MOST["accounts"]
    assert view["accounts"]["caption"].endswith("the first 60 of 1,200 accounts; all are in schedules/accounts.csv")
    assert pages(pdf.pdf(whole)) < 15


def test_every_character_that_is_not_escaped_has_a_glyph(whole: dict[str, Any]) -> None:
    points = [point for first, last in plain.SHOWN for point in range(first, last + 1) if point not in plain.NOT_SHOWN]
    words = " ".join(chr(point) for point in points)
    assert plain.printable(words) == plain.unicodedata.normalize("NFC", words)
    whole["snapshot"]["case"]["summary"] = words
    assert pdf.pdf(whole).startswith(b"%PDF-1.7")


@pytest.mark.parametrize(
    ("largest", "top"), [(1, 4), (5, 8), (293, 320), (321, 400), (1201, 2000), (4_100_000, 8_000_000)]
)
def test_axis_ends_at_a_round_number(largest: int, top: int) -> None:
    assert pdf.round_up(largest) == top
