"""What requests ask for, by capability: of the accounts of a cluster, beside all accounts of the same window.

Counted from the labels that stand with each row since it was added (`telemetry.cues`), nothing is read again. A label
tells what a request exercises, not why it was sent. Each request has one label; requests for the reasoning behind an
answer are counted beside these, whatever they are about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from detection.records import Window
from detection.telemetry.cues import Capability, Reasoning
from detection.telemetry.dataset import Dataset

TRACES = "reasoning_traces"
UNRECOGNISED = "not_recognised"
LABELS: Mapping[str, Capability] = {
    "grading": Capability.GRADING,
    "tool_use": Capability.TOOL_USE,
    "translation": Capability.TRANSLATION,
    "code": Capability.CODE,
    "math": Capability.MATH,
    "reasoning": Capability.REASONING,
    "extraction": Capability.EXTRACTION,
    "chat": Capability.CHAT,
    UNRECOGNISED: Capability.OTHER,
}
WORDS: Mapping[str, str] = {
    TRACES: "requests that ask for the reasoning behind the answer",
    "grading": "requests that ask for answers to be scored",
    "tool_use": "requests that state tools, or ask for one to be used",
    "translation": "requests that ask for a translation",
    "code": "requests that ask for code, or carry it",
    "math": "requests that ask for mathematics",
    "reasoning": "requests that ask for a puzzle to be solved or for reasoning",
    "extraction": "requests that ask for facts to be extracted, summed up or classified",
    "chat": "short questions and greetings",
    UNRECOGNISED: "no capability recognised",
}
FEW = 100  # requests; below it shares say little, and the detector of mixes says nothing
POINT = 0.01
NOTHING_KEPT = "No exchanges of this source are kept here."
NO_PROMPTS = "The telemetry has no prompt, and what a request asks for is read from it."
NO_LABELS = (
    "No prompt of this window is labelled by capability: there is none, or the telemetry was added before prompts were "
    "labelled. Then add it again under a new name."
)
NONE_OF_THESE = "No request of these accounts in the window carries a prompt that was labelled."


def counts(rows: Any) -> dict[str, Any]:
    """Aggregates over rows of exchanges: how many there are, how many have a label, how many of each kind."""
    asked = {name: rows.cue_capability == int(label) for name, label in LABELS.items()}
    asked[TRACES] = rows.cue_reasoning >= int(Reasoning.SHOWN)
    summed = {name: which.sum().fill_null(0).cast("int64") for name, which in asked.items()}
    return {"exchanges": rows.count(), "read": rows.cue_capability.count(), **summed}


def everybody(dataset: Dataset, window: Window) -> dict[str, int]:
    """The counts over all accounts of the window, in one pass over three columns."""
    rows = dataset.within(window)
    found: dict[str, int] = dataset.arrow(rows.aggregate(**counts(rows))).to_pylist()[0]
    return found


def mix(dataset: Dataset, each: Sequence[Mapping[str, int]], among: Mapping[str, int]) -> dict[str, Any]:
    """The mix of a cluster as it is stored, from the counts of each of its accounts and those of `everybody`.

    `{"reason": why it could not be told, or empty, "exchanges", "read", "accounts": those with a labelled request,
    "all_exchanges", "all_read", "mix": [{"capability", "exchanges", "accounts", "all_exchanges"}]}`
    """
    read = sum(one["read"] for one in each)
    told = {
        "exchanges": sum(one["exchanges"] for one in each),
        "read": read,
        "accounts": sum(one["read"] > 0 for one in each),
        "all_exchanges": among["exchanges"],
        "all_read": among["read"],
    }
    if not read:
        return {"reason": _why(dataset, among), **told, "mix": []}
    return {"reason": "", **told, "mix": [_kind(name, each, among) for name in WORDS]}


def untold(reason: str) -> dict[str, Any]:
    """What is stored where nothing could be counted."""
    figures = ("exchanges", "read", "accounts", "all_exchanges", "all_read")
    return {"reason": reason, **dict.fromkeys(figures, 0), "mix": []}


def shares(stored: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The stored mix in words, with its shares of the labelled requests; most frequent here first, the rest last."""
    rows = [
        {
            **one,
            "words": WORDS[one["capability"]],
            "share": one["exchanges"] / stored["read"],
            "all_share": one["all_exchanges"] / stored["all_read"],
        }
        for one in stored["mix"]
    ]
    places = {name: place for place, name in enumerate(WORDS)}
    return sorted(
        rows,
        key=lambda row: (
            row["capability"] == UNRECOGNISED,
            -row["exchanges"],
            -row["all_exchanges"],
            places[row["capability"]],
        ),
    )


def farthest_above(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The recognised kind whose share here lies farthest above that among all; None where none does by a point."""
    recognised = [row for row in rows if row["capability"] != UNRECOGNISED]
    found = max(recognised, key=lambda row: row["share"] - row["all_share"], default=None)
    return found if found and found["share"] - found["all_share"] >= POINT else None


def _kind(name: str, each: Sequence[Mapping[str, int]], among: Mapping[str, int]) -> dict[str, Any]:
    return {
        "capability": name,
        "exchanges": sum(one[name] for one in each),
        "accounts": sum(one[name] > 0 for one in each),
        "all_exchanges": among[name],
    }


def _why(dataset: Dataset, among: Mapping[str, int]) -> str:
    if among["read"]:
        return NONE_OF_THESE
    return NO_LABELS if "prompt" in dataset.columns else NO_PROMPTS
