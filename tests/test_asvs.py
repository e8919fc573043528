"""docs/asvs.md has every applicable row of the standard once, each with a test that exists or a reason."""

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "docs" / "asvs.md"
STATES = ("met", "partly", "not met", "not applicable")
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
# OWASP ASVS 5.0.0, requirements of level 1 and 2, less chapters 9 (self-contained tokens), 10 (OAuth) and 17 (WebRTC):
# how many there are of each level in a chapter, as (level 1, level 2).
IN_CHAPTER = {
    1: (8, 19),
    2: (4, 7),
    3: (8, 11),
    4: (2, 8),
    5: (4, 5),
    6: (13, 22),
    7: (6, 12),
    8: (4, 3),
    11: (3, 11),
    12: (3, 6),
    13: (1, 12),
    14: (2, 7),
    15: (3, 10),
    16: (0, 16),
}
CHOSEN = {"5.2.4", "5.2.5", "5.2.6", "5.3.3", "8.3.2", "8.3.3", "16.5.4"}  # of level 3
RELYING_PARTY = {"10.1.1", "10.1.2", "10.2.1", "10.2.2", "10.5.1", "10.5.2", "10.5.3", "10.5.4", "10.5.5"}


@cache
def rows() -> list[tuple[str, str, str, str, str]]:
    """(id, level, subject, state, evidence or reason) of every row of every table."""
    found = []
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if re.fullmatch(r"\d+\.\d+\.\d+", cells[0]):
            assert len(cells) == 5, line
            found.append((cells[0], cells[1], cells[2], cells[3], cells[4]))
    return found


@cache
def functions_of(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def missing(text: str) -> list[str]:
    """The tests a text names that are not there."""
    named = NAMED.findall(text)
    return [f"{path}::{name}" for path, name in named if not (ROOT / path).exists() or name not in functions_of(path)]


def test_every_applicable_row_stands_there_once_and_none_else() -> None:
    ids = [row[0] for row in rows()]
    assert [one for one, times in Counter(ids).items() if times > 1] == []
    required = [row for row in rows() if row[0] not in CHOSEN | RELYING_PARTY]
    counted = {
        chapter: tuple(
            sum(row[1] == level for row in required if int(row[0].split(".")[0]) == chapter) for level in "12"
        )
        for chapter in IN_CHAPTER
    }
    assert counted == IN_CHAPTER
    assert sum(sum(pair) for pair in counted.values()) == len(required) == 210
    assert set(ids) >= CHOSEN | RELYING_PARTY


def test_every_row_says_how_it_stands_and_by_what() -> None:
    empty = [row[0] for row in rows() if not all(row) or row[3] not in STATES]
    # A row that is met names a test, or the document or reason why none is needed; the others say why.
    silent = [row[0] for row in rows() if not NAMED.search(row[4]) and len(row[4]) < 7]
    assert (empty, silent) == ([], [])


def test_most_rows_that_are_met_have_a_test() -> None:
    met = [row for row in rows() if row[3] == "met"]
    assert sum(bool(NAMED.search(row[4])) for row in met) / len(met) > 0.85


@pytest.mark.parametrize("name", ["asvs.md", "threat-model.md"])
def test_every_test_that_is_named_is_there(name: str) -> None:
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert len(NAMED.findall(text)) > 20
    assert missing(text) == []


def test_a_name_that_is_no_test_would_be_found() -> None:
    assert missing("`tests/test_asvs.py::test_that_nobody_wrote`, `tests/no_such.py::test_x`") == [
        "tests/test_asvs.py::test_that_nobody_wrote",
        "tests/no_such.py::test_x",
    ]


def test_the_head_counts_the_states_as_they_are() -> None:
    head = re.search(r"met (\d+), partly (\d+), not met (\d+), not applicable (\d+)", TABLE.read_text(encoding="utf-8"))
    assert head is not None
    counted = Counter(row[3] for row in rows())
    assert [int(part) for part in head.groups()] == [counted[state] for state in STATES]
