"""Finds accounts that ask a model, again and again, to put its reasoning into the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from detection.detectors.asking import AskingDetector
from detection.records import Number


class ReasoningElicitation(AskingDetector):
    """Read from the structure of prompts (`telemetry.cues.Reasoning`): shown in the answer, whole, or hidden."""

    name = (
        "reasoning-requests"  # "reasoning-elicitation" is the name in the contract's example of somebody's own detector
    )
    signal = "reasoning_elicitation"
    version = "1.0.0"
    title = "Accounts that ask for the model's reasoning again and again"
    idea = "Reasoning is what a student model is trained on; it is asked for in one frame over many different problems."
    column = "cue_reasoning"
    behaviour = "reasoning-elicitation"
    asks = "for the reasoning behind the answer"
    parameters: ClassVar[Mapping[str, Number]] = {**AskingDetector.parameters, "lowest_cue": 2}
    innocent_explanations = (
        "teaching, tutoring and homework, where the way matters more than the result",
        "an evaluation harness with a published prompt",
        "debugging, or a product that shows its users how it came to an answer",
    )
    source = "public reports of reasoning traces being elicited (2026); absence of such requests clears nobody"

    def innocent(self) -> str:
        return "Teaching and evaluation ask for the same."
