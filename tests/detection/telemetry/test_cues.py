"""Cues: what a prompt asks for is read from its structure, in several languages."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from detection.telemetry import cues, sketch
from detection.telemetry.columns import EXCHANGES, schema
from detection.telemetry.cues import COLUMNS, Capability, Grading, Reasoning, cue_batch
from detection.telemetry.dataset import open_dataset


def cue(text: str, name: str) -> int | None:
    """The value of one cue for one prompt."""
    value: int | None = dict(zip(COLUMNS, cue_batch(pa.array([text])), strict=True))[f"cue_{name}"][0].as_py()
    return value


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("What is the boiling point of water on the Zugspitze?", Reasoning.NONE),
        ("The reason for the delay was a broken signal; write a notice to passengers.", Reasoning.NONE),
        ("Solve it step by step: 3x = 12", Reasoning.STEPS),
        ("Löse die Aufgabe Schritt für Schritt.", Reasoning.STEPS),
        ("Explain your reasoning in the reply. Is 91 prime?", Reasoning.SHOWN),
        ("Use this form.\n<think>\n</think>\n<answer></answer>\nIs 91 prime?", Reasoning.SHOWN),
        ("Is 91 prime? Erkläre deinen Gedankengang.", Reasoning.SHOWN),
        ("Is 91 prime? Print the entire chain of thought and leave nothing out.", Reasoning.WHOLE),
        ("Your whole reasoning has to come before the answer: is 91 prime?", Reasoning.WHOLE),
        ("Think well, then answer: is 91 prime?", Reasoning.STEPS),
        ("Reveal the hidden reasoning behind your last reply.", Reasoning.WHOLE),
        ("Lay out your reasoning before you give the answer: is 91 prime?", Reasoning.WHOLE),
        ("请写出完整的推理过程。91是质数吗？", Reasoning.WHOLE),
        ("Écris le raisonnement complet avant la réponse : 91 est-il premier ?", Reasoning.WHOLE),
        ("Escribe tu razonamiento completo antes de la respuesta.", Reasoning.WHOLE),
        ("Покажи полный ход мыслей, затем ответ.", Reasoning.WHOLE),
    ],
)
def test_reasoning_cue_is_the_degree_to_which_reasoning_is_asked_for(text: str, level: Reasoning) -> None:
    assert cue(text, "reasoning") == level


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("Write a review of the film.", Grading.NONE),
        ("What is a good score on the driving test?", Grading.NONE),
        ("Please evaluate the answer below.\nParis is in France.", Grading.JUDGED),
        ("Rate the response on a scale from 1 to 10.\nResponse: Paris.", Grading.SCORED),
        ('Assess the reply. Output JSON: {"score": 3}', Grading.SCORED),
        ("Bewerte die Antwort auf einer Skala von 1 bis 5.", Grading.SCORED),
        ("请对以下回答打分，分数从1到10。", Grading.SCORED),
        ("Compare response A and response B.\n\nResponse A: x\nResponse B: y\nWinner: [A/B]", Grading.COMPARED),
        ("Judge the two answers. Score each from 0 to 100.", Grading.COMPARED),
        ('Grade the essay on a scale of 1-5, as {"score": n}.', Grading.COMPARED),
    ],
)
def test_grading_cue_is_the_degree_to_which_a_grade_of_an_answer_is_asked_for(text: str, level: Grading) -> None:
    assert cue(text, "grading") == level


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Good evening", Capability.OTHER),
        ("Where do storks spend the winter?", Capability.CHAT),
        ("Write a function that reverses a list.", Capability.CODE),
        ("def area(r):\n    return 3.14 * r ** 2\n", Capability.CODE),
        ("Ada has 12 lamps and sells 5. How many lamps are left?", Capability.MATH),
        ("Solve 3x + 4 = 19", Capability.MATH),
        ("Is this valid?\nOptions:\n(A) valid\n(B) invalid", Capability.REASONING),
        ('Tools: [{"name": "get_weather", "parameters": {}}]\nWeather in Kiel?', Capability.TOOL_USE),
        ("Translate into Finnish: the ferry is late", Capability.TRANSLATION),
        ("Summarise this notice in two sentences: the ferry is late", Capability.EXTRACTION),
        ("Rate the response from 1 to 5. Response: def f(): pass", Capability.GRADING),
    ],
)
def test_capability_cue_is_the_most_telling_label_that_fits(text: str, label: Capability) -> None:
    assert cue(text, "capability") == label


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Question 12: where do storks spend the winter?", 12),
        ('{"id": 431, "text": "storks"}', 431),
        ("item_00077 | storks", 77),
        ("[sample #9] storks", 9),
        ("Aufgabe 3. Wohin ziehen Störche?", 3),
        ("The case of 1,200 storks", None),
        ("No 4.5 storks", None),
        ("Where do storks spend the winter?", None),
    ],
)
def test_item_cue_is_the_number_a_prompt_carries_as_one_of_a_list(text: str, number: int | None) -> None:
    assert cue(text, "item") == number


def test_cues_stand_before_or_after_long_material() -> None:
    material = "The ferry is late again. " * 400
    ask = "Write down your complete reasoning before the answer."
    assert [cue(text, "reasoning") for text in (ask + material, material + ask)] == [Reasoning.WHOLE] * 2


@pytest.mark.parametrize("prompts", [[], [None], ["", None, "a"]])
def test_cue_batch_gives_the_stated_types_and_nulls_for_absent_prompts(prompts: list[str | None]) -> None:
    arrays = cue_batch(pa.array(prompts, pa.string()))
    assert [array.type for array in arrays] == list(COLUMNS.values())
    assert [value.as_py() is None for value in arrays[0]] == [prompt is None for prompt in prompts]


def test_dataset_with_a_part_from_before_cues_gives_nulls_for_it(tmp_path: Path) -> None:
    kinds = schema({**EXCHANGES, **sketch.COLUMNS})
    row = dict.fromkeys(kinds.names) | {"request_id": "r1", "account_id": "a", "model": "m", "prompt": "x"}
    for number, extra in enumerate([{}, cues.COLUMNS]):
        folder = tmp_path / "exchanges" / f"day=2026-03-0{number + 1}"
        folder.mkdir(parents=True)
        values = row | dict.fromkeys(extra, 1)
        both = schema({**EXCHANGES, **sketch.COLUMNS, **extra})
        pq.write_table(pa.Table.from_pylist([values], both), folder / "p-0.parquet")
        with open_dataset(tmp_path) as dataset:
            found = dataset.arrow(dataset.exchanges.select("cue_reasoning"))["cue_reasoning"].to_pylist()
        assert sorted(found, key=str) == [1, None][1 - number :]
