"""The quick ways give what the exact ones give: blocks of lines, whole files, sketches, with and without helpers."""

import gzip
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import zstandard
from hypothesis import example, given
from hypothesis import strategies as st

from detection.records import BadLine
from detection.streams import LONGEST_LINE
from detection.telemetry import blocks, helpers
from detection.telemetry.adapters import add_telemetry, file_sha256
from detection.telemetry.blocks import Block, Packed
from detection.telemetry.columns import EXCHANGES, REQUIRED, TIME
from detection.telemetry.ndjson import NdjsonReader, count_unknown, read_block
from detection.telemetry.sketch import BANDS, COLUMNS, bands, sketch
from detection.telemetry.sketching import sketch_batch
from tests.detection.telemetry.rows import file_of, row

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)
TIMES = st.sampled_from(
    [
        "2026-03-02T00:00:00Z",
        "2026-03-02t00:00:00.1z",
        "2026-02-30T00:00:00Z",
        "2026-03-02T24:00:00Z",
        "2026-03-02T23:59:60Z",
        "2026-03-02 00:00:00.123456789+05:30",
        "1999-12-31T23:00:00-05:00",
        "2199-12-31T23:59:59.9-01:00",
        "2026-03-02T00:00:00+25:00",
        "2026-03-02T00:00:00-00:60",
        "2026-03-02T00:00:00",
    ]
)
VALUES = {
    "ts": TIMES | JSON,
    "asn": st.integers(-2, 2**64) | st.just(1.0) | JSON,
    "temperature": st.floats() | st.sampled_from([10**400, 2**60 + 1, 1]) | JSON,
    "tools": JSON,
    "issued_block_hashes": st.lists(st.text(max_size=3) | st.none() | st.integers(), max_size=3) | JSON,
    "request_id": st.sampled_from(["", "r", None]) | JSON,
    "prompt": st.text(max_size=20) | JSON,
    "colour": JSON,
    "shade": JSON,
}
ROWS = st.fixed_dictionaries({}, optional=VALUES).map(lambda some: json.dumps(row(1) | some).encode())
ODD = st.sampled_from(
    [
        b"",
        b"  ",
        b"\x0c",
        b"{}",
        b"[]",
        b"{} {}",
        b"\xff",
        b'{"a": 1',
        b'"b": 2}',
        b"\xef\xbb\xbf{}",
        b'{"request_id": "\\ud800"}',
        b'{"prompt": "\\u0000"}',
        json.dumps(row(2)).encode()[:-1] + b', "asn": -0, "n": 1, "n": 2}',
        json.dumps(row(3)).encode()[:-1] + b', "tools": [18446744073709551616, 1.10], "temperature": -0}',
        json.dumps(row(4)).encode()[:-1] + b', "deep": ' + b"[" * 63 + b"]" * 63 + b"}",
        json.dumps(row(5)).encode()[:-1] + b', "deep": ' + b"[" * 64 + b"]" * 64 + b"}",
        json.dumps(row(6)).encode()[:-1] + b', "colour": 1e400}\r',
    ]
)


def exactly(path: Path) -> tuple[list[dict[str, Any]], list[BadLine], dict[str, int]]:
    bad: list[BadLine] = []
    reader = NdjsonReader(path, EXCHANGES, REQUIRED, bad.append)
    return [{name: one.get(name) for name in EXCHANGES} for one in reader], bad, dict(sorted(reader.unknown.items()))


def quickly(path: Path) -> tuple[list[dict[str, Any]], list[BadLine], dict[str, int]]:
    kept: list[dict[str, Any]] = []
    bad: list[BadLine] = []
    unknown: dict[str, int] = {}
    for block in Packed(path):
        read = read_block(block, EXCHANGES, REQUIRED)
        plain = [pa.int64() if kind == TIME else kind for kind in EXCHANGES.values()]
        kept += read.batch.cast(pa.schema(zip(EXCHANGES, plain, strict=True))).to_pylist()
        bad += read.bad
        count_unknown(unknown, read.unknown)
    return kept, bad, dict(sorted(unknown.items()))


@given(st.lists(ROWS | ODD | st.binary(max_size=12), max_size=12), st.booleans())
def test_block_of_any_lines_gives_the_rows_and_bad_lines_of_the_exact_reader(lines: list[bytes], ended: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.ndjson"
        path.write_bytes(b"\n".join(lines) + b"\n" * ended)
        assert quickly(path) == exactly(path)


def test_blocks_of_few_lines_and_few_bytes_number_their_lines_as_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = file_of(tmp_path / "rows.ndjson", (row(n) if n % 7 else {"n": n} for n in range(300)))
    whole = quickly(path)
    monkeypatch.setattr(blocks, "READ", 100)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(blocks, "BLOCK_LINES", 4)
    assert len(list(Packed(path))) > 75
    assert quickly(path) == whole
    assert [line.line for line in whole[1]] == [n + 1 for n in range(300) if not n % 7]


def test_line_longer_than_a_block_is_left_out_and_the_next_has_its_number(tmp_path: Path) -> None:
    path = tmp_path / "long.ndjson"
    good = json.dumps(row(1)).encode()
    path.write_bytes(good + b"\n" + b"x" * (5 * LONGEST_LINE) + b"\n" + good[:-1] + b', "n": 1.5}\n' + good)
    kept, bad, _ = quickly(path)
    assert len(kept) == 2
    assert bad == [BadLine(2, "line is longer than 1 MiB"), BadLine(3, "n is not a whole number")]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_packed_file_that_ends_early_keeps_whole_lines_and_says_so(tmp_path: Path, pack: Any) -> None:
    path = tmp_path / "cut"
    wanted = [json.dumps(row(n, prompt=f"{n * 7919:x}")).encode() for n in range(9000)]
    path.write_bytes(pack(b"\n".join(wanted))[:-900])
    packed = Packed(path)
    lines = [line for block in packed for line in block.lines()]
    assert packed.truncated is not None
    assert "stream is damaged or ends early: the compressed bytes end too early" in packed.truncated
    assert lines == wanted[: len(lines)]
    assert 0 < len(lines) < 9000


WORDS = ["://", "```", "Ada", "the", "Sort", "don't", "3.5", "1,000/a", "x-9", " "]
PIECES = st.sampled_from([*"\n :\"`'’“”.,/-@_#\t\r\x01\x02\x03\x1c·é", *WORDS])


@given(st.lists(st.lists(PIECES, max_size=60).map("".join) | st.text(max_size=40) | st.none(), max_size=6))
@example([":a b c d e f g", ".\na b c d e f g", "a: b\nc", "a b c d e f:", "A b c d e f g h\n", ":\n:a: b c d e f g h"])
@example([" ".join(f"w{'abcdefghij'[n % 10]}" + ":" * (n % 2) for n in range(120)), "a: b: " * 40, "x\n" * 60])
@example(
    [
        "Word " * 45 + ": end",
        "word " * 39 + ": end",
        "go " * 600,
        '"' + "q" * 301 + '" a b c d e f',
        "x\n- y\n2) z json",
    ]
)
def test_sketches_of_a_batch_are_those_of_each_prompt(prompts: list[str | None]) -> None:
    made = sketch_batch(pa.array(prompts, pa.string()))
    exact = [(None, None, None, None) if text is None else sketch(text) for text in prompts]
    folded = [None if one[3] is None else bands([one[3]])[0].tolist() for one in exact]
    assert [array.type for array in made] == list(COLUMNS.values())
    assert [array.to_pylist() for array in made[:4]] == [*([one[n] for one in exact] for n in range(3)), folded]
    assert all(one is None or len(one) == BANDS for one in folded)
    assert made[4].to_pylist() == [None if text is None else len(text.split()) for text in prompts]
    assert made[5].to_pylist() == [None if text is None else len(text) for text in prompts]


def test_helpers_make_the_same_dataset_as_one_process(tmp_path: Path) -> None:
    rows = (row(n, hours=n / 9, prompt=f"Sort {n} lamps by height: now") if n % 50 else {"x": n} for n in range(30_000))
    path = file_of(tmp_path / "rows.gz", rows)
    told: list[tuple[int, str]] = []
    done = [
        add_telemetry(
            path,
            tmp_path / name,
            sha256=file_sha256(path),
            helpers=count,
            on_bad=lambda line: told.append((line.line, line.reason)),
        )
        for name, count in (("alone", 0), ("helped", 2))
    ]
    alone, helped = (
        {part.relative_to(root): part.read_bytes() for part in root.rglob("*.parquet")}
        for root in (tmp_path / "alone", tmp_path / "helped")
    )
    assert done[0] == done[1]
    assert (done[0].rows, done[0].bad) == (29_400, 600)
    assert alone == helped
    assert told[:600] == told[600:]


def test_helper_that_is_killed_fails_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    start = helpers._start
    monkeypatch.setattr(helpers, "_start", lambda adapter: started.append(start(adapter)) or started[-1])
    made = helpers.made_by("ndjson", [Block(1, json.dumps(row(1)).encode())] * 20, 2)
    assert next(made).batch().num_rows == 1
    for helper in started:
        helper.kill()
    with pytest.raises(OSError, match="ended before its time"):
        list(made)
    assert all(helper.returncode is not None for helper in started)
