"""Reading NDJSON: what is kept, what is reported, and that a fault is never fatal or silent."""

import gzip
import json
from pathlib import Path

import pytest

from detection.records import BadLine
from detection.streams import LONGEST_LINE
from detection.telemetry.columns import EXCHANGES, REQUIRED
from detection.telemetry.ndjson import MOST_UNKNOWN, NdjsonReader
from tests.detection.telemetry.rows import file_of, row

LINES = Path(__file__).parents[2] / "data" / "telemetry" / "lines.ndjson"


def read(path: Path) -> tuple[list[str], list[BadLine], NdjsonReader]:
    bad: list[BadLine] = []
    reader = NdjsonReader(path, EXCHANGES, REQUIRED, bad.append)
    return [one["request_id"] for one in reader], bad, reader


def test_reader_with_faulty_lines_reports_number_and_reason_and_keeps_the_rest() -> None:
    kept, bad, reader = read(LINES)
    assert kept == ["r1", "r13", "r14"]
    assert bad == [
        BadLine(3, "invalid JSON at column 2: Expecting property name enclosed in double quotes"),
        BadLine(4, "model is missing"),
        BadLine(5, "input_tokens is not a whole number"),
        BadLine(6, "ts is not a time that exists"),
        BadLine(7, "ts is not an RFC 3339 time with a zone"),
        BadLine(8, "line holds a NUL character"),
        BadLine(9, "line holds a lone surrogate"),
        BadLine(10, "invalid JSON: NaN is no JSON number"),
        BadLine(11, "asn is out of range"),
        BadLine(12, "line is not a JSON object"),
    ]
    assert (reader.bad, reader.unknown, reader.packed.bytes_done) == (10, {"colour": 1}, LINES.stat().st_size)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"\xff\xfe{}", "line is not UTF-8"),
        (b"[" * 100_000, "line is nested too deeply"),
        (b'{"n": ' + b"9" * 5000 + b"}", "invalid JSON: a number is too long"),
        (b'{"prompt": "' + b"a" * LONGEST_LINE + b'"}', "line is longer than 1 MiB"),
    ],
)
def test_reader_with_hostile_line_reports_it_and_reads_on(tmp_path: Path, line: bytes, reason: str) -> None:
    path = tmp_path / "hostile.ndjson"
    path.write_bytes(line + b"\n" + json.dumps(row(1)).encode() + b"\n")
    kept, bad, _ = read(path)
    assert (kept, bad) == (["r1"], [BadLine(1, reason)])


def test_reader_with_gzip_under_any_name_unpacks_it(tmp_path: Path) -> None:
    path = tmp_path / "rows.log"
    path.write_bytes(gzip.compress(json.dumps(row(1)).encode()))
    assert read(path)[0] == ["r1"]


def test_reader_with_truncated_gzip_keeps_what_came_before_and_says_so(tmp_path: Path) -> None:
    whole = file_of(tmp_path / "rows.gz", (row(n, prompt=f"{n * 7919:x}" * 40) for n in range(4000)))
    whole.write_bytes(whole.read_bytes()[:-2000])
    kept, bad, reader = read(whole)
    assert kept == [f"r{n}" for n in range(len(kept))]
    assert 0 < len(kept) < 4000
    assert reader.truncated is not None
    assert reader.truncated.startswith("gzip stream is damaged or ends early")
    assert bad == []


def test_reader_with_endless_unknown_columns_counts_a_hundred_names(tmp_path: Path) -> None:
    rows = (row(n, **{f"column_{n}": 1}) for n in range(MOST_UNKNOWN + 50))
    _, _, reader = read(file_of(tmp_path / "rows.ndjson", rows))
    assert len(reader.unknown) == MOST_UNKNOWN + 1
    assert reader.unknown["(others)"] == 50
