"""Finds accounts that have a model grade answers, as one would to train another model on the grades."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from detection.detectors.asking import AskingDetector
from detection.records import Number


class RewardGrading(AskingDetector):
    """Read from the structure of prompts (`telemetry.cues.Grading`): an answer, a scale or score field, candidates."""

    name = "reward-grading"
    signal = "reward_grading"
    version = "1.0.0"
    title = "Accounts that have many answers graded"
    idea = "A model that grades many candidate answers against a rubric serves as the reward in training another one."
    column = "cue_grading"
    behaviour = "reward-grading"
    asks = "for grades of answers"
    parameters: ClassVar[Mapping[str, Number]] = {**AskingDetector.parameters, "lowest_cue": 2}
    innocent_explanations = (
        "an evaluation harness with a published judge prompt",
        "quality control of a product's own answers",
        "marking of pupils' or applicants' work",
    )
    source = "public reports of rubric grading used as a reward model (2026); no published error rates"

    def innocent(self) -> str:
        return "Evaluation harnesses and quality control grade in the same way."
