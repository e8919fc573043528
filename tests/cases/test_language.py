"""The linter of careful words."""

import pytest

from cases import language
from cases.vocabulary import Likelihood
from spine.errors import Refused


@pytest.mark.parametrize("hedge", language.OFF_LADDER)
def test_every_hedge_is_answered_with_a_rung(hedge: str) -> None:
    (objection,) = language.objections(f"They are {hedge} run together.")

    assert any(label in objection for label in Likelihood.labels)


@pytest.mark.parametrize("label", Likelihood.labels)
def test_every_rung_is_accepted(label: str) -> None:
    assert language.objections(f"There is {label}, on what is known.") == []


@pytest.mark.parametrize("word", language.ACCUSING)
def test_every_accusing_word_is_answered_with_a_fair_one(word: str) -> None:
    assert language.objections(f"The {word.upper()} here", ladder=False) == [
        f"“{word.upper()}” accuses: write suspected, assessed or consistent with."
    ]


@pytest.mark.parametrize(
    "text",
    [
        'The prompt says "you will probably fail" in 40 exchanges.',
        "It says “certainly” in every answer.",
        "Its mightiness, the almighty dollar, stolenness aside.",
        "The activity is likely.\nConfidence is moderate; two sources agree.",
    ],
)
def test_quotes_parts_of_words_and_separate_sentences_are_left_alone(text: str) -> None:
    assert language.objections(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "It is very likely with high confidence.",
        "Moderate confidence that it is likely",
        "likely; confidence is low or confidence: low, likely",
    ],
)
def test_likelihood_and_confidence_in_one_sentence_are_refused(text: str) -> None:
    assert "Likelihood and confidence stand in one sentence: give confidence its own." in language.objections(text)


def test_refusal_lists_each_objection_once() -> None:
    with pytest.raises(Refused) as refused:
        language.check("Probably stolen, probably.", field="rationale")

    assert refused.value.missing == (
        "“stolen” accuses: write suspected, assessed or consistent with.",
        "“Probably” is not on the ladder: write likely or very likely.",
        "“probably” is not on the ladder: write likely or very likely.",
    )
