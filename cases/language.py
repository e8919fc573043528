"""The linter of careful words: likelihood comes from the ladder alone, apart from confidence, and nobody is accused.

Rules: ICD 203 (Analytic Standards, 2015), section D.6.e.2: the ladder, and confidence in a sentence of its own.
Quoted words are somebody else's and are left alone.
"""

import re
from collections.abc import Iterable

from cases.vocabulary import Likelihood
from spine.errors import Refused

LADDER = ", ".join(Likelihood.labels)
# Hedges that say how likely something is without saying which rung is meant, and the rungs that may be.
OFF_LADDER = {
    "probably": "likely or very likely",
    "most probably": "very likely",
    "probable": "likely or very likely",
    "improbable": "unlikely or very unlikely",
    "possibly": "unlikely, or say what is not known",
    "perhaps": "roughly even chance, or say what is not known",
    "maybe": "roughly even chance, or say what is not known",
    "might": "unlikely or roughly even chance",
    "conceivably": "very unlikely",
    "presumably": "likely",
    "certainly": "almost certain",
    "definitely": "almost certain",
    "undoubtedly": "almost certain",
    "surely": "almost certain",
    "no doubt": "almost certain",
    "without doubt": "almost certain",
    "without a doubt": "almost certain",
    "beyond doubt": "almost certain",
    "beyond any doubt": "almost certain",
    "in all likelihood": "very likely",
    "chances are": "likely",
    "remote chance": "almost no chance",
    "impossible": "almost no chance",
}
ACCUSING = (
    *("thief", "thieves", "criminal", "criminals", "crook", "crooks", "culprit", "culprits", "guilty"),
    *("steal", "steals", "stealing", "stole", "stolen", "perpetrator", "perpetrators", "fraudster", "fraudsters"),
)
FAIR = "suspected, assessed or consistent with"
_QUOTED = re.compile(r'"[^"]*"|“[^”]*”|«[^»]*»')
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")
_CONFIDENCE = re.compile(
    r"\b(?:low|moderate|high) confidence\b|\bconfidence (?:is|of|:) ?(?:low|moderate|high)\b", re.I
)
_RUNG = re.compile("|".join(rf"\b{re.escape(label)}\b" for label in Likelihood.labels), re.I)


def _pattern(words: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile("|".join(rf"\b{re.escape(word)}\b" for word in longest_first), re.I)


_HEDGE, _ACCUSATION = _pattern(OFF_LADDER), _pattern(ACCUSING)


def objections(text: str, *, ladder: bool = True) -> list[str]:
    """What is to be said otherwise, one sentence each, in the order of the text; empty when nothing is."""
    plain = _QUOTED.sub(" ", text)
    found = [f"“{m.group()}” accuses: write {FAIR}." for m in _ACCUSATION.finditer(plain)]
    if not ladder:
        return list(dict.fromkeys(found))
    for match in _HEDGE.finditer(plain):
        found.append(f"“{match.group()}” is not on the ladder: write {OFF_LADDER[match.group().lower()]}.")
    for sentence in _SENTENCE.split(plain):
        if _RUNG.search(sentence) and _CONFIDENCE.search(sentence):
            found.append("Likelihood and confidence stand in one sentence: give confidence its own.")
    return list(dict.fromkeys(found))


def check(text: str, *, field: str, ladder: bool = True) -> None:
    """Raise Refused with every objection to the text of this field."""
    found = objections(text, ladder=ladder)
    if found:
        raise Refused("These words need care: " + " ".join(found), missing=found, field=field)
