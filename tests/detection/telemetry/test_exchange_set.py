"""Rows as evidence: DuckDB's canonical form is the reference's, and the order is the one written down."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detection.records import Window
from detection.telemetry import exchange_rows as form
from detection.telemetry import exchange_set
from detection.telemetry.columns import EXCHANGES, REAL, TEXT, TEXTS, TIME, WHOLE, schema
from detection.telemetry.exchange_set import Selection

KEY = bytes(range(32))
START = datetime(2026, 5, 4, tzinfo=UTC)
US = int(START.timestamp()) * 1_000_000
DAY = 86_400_000_000
FILE = "ab" * 32
TEXT_VALUES = st.text(st.characters(exclude_categories=("Cs",)), max_size=12) | st.sampled_from(
    ["", "\x00", "\x0b\x1f", '"', "\\", "\\u001F", "é\u2028", "😀", "\x7f", "\ufeff", "\r\n"]
)
VALUES = {
    TEXT: TEXT_VALUES,
    WHOLE: st.integers(0, 2**63 - 1) | st.sampled_from([0, 2**53 - 1, 2**53]),
    REAL: st.floats(allow_nan=False, allow_infinity=False),
    TEXTS: st.lists(TEXT_VALUES, max_size=3),
    TIME: st.integers(US, US + 3 * DAY - 1),
}
REQUIRED = ("request_id", "ts", "account_id", "model")


@st.composite
def a_row(draw: Any) -> dict[str, Any]:
    row = {
        name: draw(VALUES[kind] if name in REQUIRED else st.none() | VALUES[kind]) for name, kind in EXCHANGES.items()
    }
    row["account_id"] = draw(st.sampled_from(["acct_1", "acct_2", "a\x00b"]))
    row["ts"] = draw(st.sampled_from([US, US + 1, US + DAY]) | VALUES[TIME])
    return row


def write(root: Path, rows: list[dict[str, Any]], number: int = 0, file: str = FILE) -> None:
    by_day: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_day.setdefault(form.moment(row["ts"])[:10], []).append(row)
    for day, found in by_day.items():
        folder = root / "exchanges" / f"day={day}"
        folder.mkdir(parents=True, exist_ok=True)
        arrays = [pa.array([row.get(name) for row in found], kind) for name, kind in EXCHANGES.items()]
        pq.write_table(pa.Table.from_arrays(arrays, schema=schema(EXCHANGES)), folder / f"{file[:16]}-{number}.parquet")


def selection(*accounts: str, days: int = 3) -> Selection:
    return Selection(Window(START, START + timedelta(days=days)), dict.fromkeys(accounts, ""), KEY)


def expected(rows: list[dict[str, Any]], chosen: Selection) -> list[tuple[int, bytes, bytes]]:
    """The reference: (ts, request id, leaf hash) in the order of the format."""
    start, end = (int(t.timestamp() * 1_000_000) for t in (chosen.window.start, chosen.window.end))
    inside = [row for row in rows if row["account_id"] in chosen.accounts and start <= row["ts"] < end]
    return sorted((r["ts"], r["request_id"].encode(), form.leaf_hash(form.canonical_row(r, KEY))) for r in inside)


def found(root: Path, chosen: Selection, **more: Any) -> list[tuple[int, bytes, bytes]]:
    parts = exchange_set.parts_of(root, [FILE], chosen.window)
    rows = []
    for batch in exchange_set.ordered(parts, chosen, **more):
        ids = [text.encode() for text in batch.request_ids.to_pylist()]
        rows += list(zip(batch.records["ts"].tolist(), ids, (bytes(v) for v in batch.records["leaf"]), strict=True))
    return rows


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(rows=st.lists(a_row(), max_size=12))
def test_rows_are_hashed_and_ordered_as_the_reference_does(rows: list[dict[str, Any]], tmp_path_factory: Any) -> None:
    root = tmp_path_factory.mktemp("set")
    chosen = selection("acct_1", "a\x00b")
    write(root, rows)
    assert found(root, chosen) == expected(rows, chosen)
    assert exchange_set.count_rows(exchange_set.parts_of(root, [FILE], chosen.window), chosen) == len(
        expected(rows, chosen)
    )


def plain(number: int, **more: Any) -> dict[str, Any]:
    return {"request_id": f"r-{number}", "ts": US + number * 977, "account_id": "acct_1", "model": "m", **more}


def test_the_order_of_files_and_rows_does_not_matter_and_copies_count(tmp_path: Path) -> None:
    rows = [plain(n, prompt=f"p {n % 3}") for n in range(200)] + [plain(7, prompt="p 1"), plain(7, prompt="other")]
    chosen = selection("acct_1")
    write(tmp_path / "a", rows)
    write(tmp_path / "b", rows[::-2], 1)
    write(tmp_path / "b", rows[-2::-2], 2)
    assert found(tmp_path / "a", chosen) == found(tmp_path / "b", chosen) == expected(rows, chosen)
    assert len(expected(rows, chosen)) == 202


def test_only_parts_of_recorded_files_and_days_of_the_window_are_read(tmp_path: Path) -> None:
    write(tmp_path, [plain(1), plain(2, ts=US + 2 * DAY)])
    write(tmp_path, [plain(3)], file="cd" * 32)
    window = Window(START, START + timedelta(days=1))
    parts = exchange_set.parts_of(tmp_path, [FILE], window)
    assert [part.parent.name for part in parts] == ["day=2026-05-04"]
    assert exchange_set.parts_of(tmp_path, [], window) == []


def test_a_window_begins_with_its_start_and_ends_before_its_end(tmp_path: Path) -> None:
    write(tmp_path, [plain(n, ts=us) for n, us in enumerate([US - 1, US, US + DAY - 1, US + DAY])])
    assert [ts for ts, _, _ in found(tmp_path, selection("acct_1", days=1))] == [US, US + DAY - 1]


def test_strata_tokens_and_tags_come_with_the_rows(tmp_path: Path) -> None:
    rows = [plain(n, model=f"m{n % 2}", input_tokens=n, output_tokens=None if n else 5) for n in range(4)]
    write(tmp_path, rows)
    chosen = Selection(selection("acct_1").window, {"acct_1": "benign"}, KEY)
    parts = exchange_set.parts_of(tmp_path, [FILE], chosen.window)
    made = {
        name: [s for batch in exchange_set.ordered(parts, chosen, strata=name) for s in batch.strata.to_pylist()]
        for name in exchange_set.STRATA
    }
    assert made == {"": [""] * 4, "day": ["2026-05-04"] * 4, "model": ["m0", "m1"] * 2, "account": ["benign"] * 4}
    batch = next(exchange_set.ordered(parts, chosen))
    assert (batch.input_tokens, batch.output_tokens) == (6, 5)
    secrets = [form.row_key(KEY, form.moment(row["ts"]), row["request_id"]) for row in rows]
    assert [bytes(tag).hex() for tag in batch.records["tag"]] == [form.tag(secret) for secret in secrets]


def test_little_memory_spills_and_gives_the_same(tmp_path: Path) -> None:
    rows = [plain(n % 5_000, ts=US + n * 7919 % 4_000, request_id=os.urandom(8).hex()) for n in range(30_000)]
    write(tmp_path, rows)
    chosen = selection("acct_1")
    assert found(tmp_path, chosen, memory="60MB") == expected(rows, chosen)
    assert not list(tmp_path.glob("**/.s*"))


def test_a_reader_that_is_told_to_stop_leaves_nothing(tmp_path: Path) -> None:
    write(tmp_path, [plain(n) for n in range(10)])

    def stop(rows: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        found(tmp_path, selection("acct_1"), on_rows=stop)
    assert not list(tmp_path.glob("**/.s*"))


def test_single_rows_are_found_by_request_id_and_opened(tmp_path: Path) -> None:
    rows = [plain(n, ip="192.0.2.7", prompt="Say it") for n in range(5)] + [plain(9, account_id="acct_2")]
    write(tmp_path, rows)
    chosen = selection("acct_1")
    parts = exchange_set.parts_of(tmp_path, [FILE], chosen.window)
    (row,) = exchange_set.rows_of(parts, chosen, ["r-3", "r-9", "r-77"])
    assert form.canonical_row(row, KEY) == form.canonical_row(rows[3], KEY)
    opened = form.opening(row, KEY, "ip")
    assert opened is not None
    canonical = form.canonical_row(row, KEY).decode()
    assert f'"ip":"{form.commitment(opened["salt"], "192.0.2.7")}"' in canonical
    assert "192.0.2.7" not in canonical
    assert "Say it" not in canonical
    assert form.opening(row, KEY, "model") is form.opening(row, KEY, "org_id") is None


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        form.row_key(b"short", "", "")


def test_every_column_of_telemetry_has_its_form() -> None:
    assert set(form.COLUMNS) == set(EXCHANGES)


def test_no_value_is_ever_in_the_text_of_a_query() -> None:
    assert KEY.hex() not in form.canonical_sql() + form.ROW_KEY
    assert "key" not in repr(selection("acct_1"))


def test_duckdb_and_python_write_the_same_numbers() -> None:
    values = [0.1 + 0.2, 1e16, 9999999999999998.0, 1e-4, 9.999e-5, 1e300, 5e-324, -0.0, 123456789.125]
    with duckdb.connect() as base:
        made = [base.execute("SELECT $v::DOUBLE::VARCHAR", {"v": value}).fetchone() for value in values]
    assert made == [(repr(value),) for value in values]
