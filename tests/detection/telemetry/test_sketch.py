"""Sketches: the same frame with other fillings keeps its numbers, other frames do not."""

import pyarrow as pa

from detection.telemetry.sketch import COLUMNS, bands, head, masked, minhash, sketch, tail
from detection.telemetry.sketching import sketch_batch

FRAME = "Work on the exercise with great care: {}\nReturn the worked material only."


def test_masked_with_numbers_names_links_and_quotes_keeps_the_fixed_words() -> None:
    text = 'Order 4711 for Ada, "two lamps", see https://example.com/x and a.b@example.com'
    assert masked(text) == ["order", "‹number›", "for", "‹name›", "‹text›", "see", "‹link›", "and", "‹link›"]


def test_head_and_tail_with_other_fillings_stay_the_same() -> None:
    one, two = (masked(FRAME.format(filling)) for filling in ("sort 12 lamps", "write to Ada\nabout the ferry"))
    assert head(one) == head(two) == ["work", "on", "the", "exercise", "with", "great", "care", ":"]
    assert tail(one) == tail(two) == ["\n", "return", "the", "worked", "material", "only"]


def test_head_without_delimiter_is_the_first_five_words() -> None:
    tokens = masked("please tell me what a sundial is good for")
    assert (head(tokens), tail(tokens)) == (
        ["please", "tell", "me", "what", "a"],
        ["a", "sundial", "is", "good", "for"],
    )


def test_sketch_of_a_short_prompt_has_no_frame() -> None:
    assert sketch("go on please")[:2] == (None, None)
    assert sketch("")[2] is None


def test_bands_of_nearly_equal_prompts_agree_in_two_and_of_others_in_none() -> None:
    words = masked("describe how the harbour crane lifts a crate of wool from the deck before the ferry sails at noon")
    near = ["evening" if word == "noon" else word for word in words]
    far = masked("sort these orders by price and give the total of each customer in one table without further words")
    one, two, three = bands([minhash(words), minhash(near), minhash(far)])
    assert (one == two).sum() >= 2
    assert (one == three).sum() == 0


def test_sketch_batch_with_absent_prompt_gives_nulls_and_fixed_types() -> None:
    arrays = sketch_batch(pa.array(["what does the old lighthouse keeper eat", None]))
    assert [array.type for array in arrays] == list(COLUMNS.values())
    assert [array[1].as_py() for array in arrays] == [None] * 6
