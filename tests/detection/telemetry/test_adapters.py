"""Adding telemetry: partitions, repeats, what a killed or repeated write leaves behind, side tables."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from detection.telemetry.adapters import add_side_table, add_telemetry, file_sha256
from tests.detection.telemetry.rows import START, added, file_of, row


def stored(root: Path) -> dict[str, list[str]]:
    """Request ids by day."""
    days: dict[str, list[str]] = {}
    for part in sorted((root / "exchanges").glob("day=*/*.parquet")):
        days.setdefault(part.parent.name, []).extend(
            pq.ParquetFile(part).read(["request_id"])["request_id"].to_pylist()
        )
    return days


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_add_telemetry_with_rows_of_two_days_stores_one_part_a_day(tmp_path: Path) -> None:
    path = file_of(tmp_path / "a.gz", [row(1, prompt="x"), row(2, hours=30), row(3, hours=1, asn=4_294_967_000)])
    done = added(path, tmp_path / "set")
    assert stored(tmp_path / "set") == {"day=2026-03-02": ["r1", "r3"], "day=2026-03-03": ["r2"]}
    assert (done.rows, done.bad, done.repeated) == (3, 0, 0)
    assert done.rows_per_day == {"2026-03-02": 2, "2026-03-03": 1}
    assert done.columns_present == ("request_id", "ts", "account_id", "model", "asn", "prompt")
    assert done.models == ("birch-1",)
    assert done.first_ts is not None
    assert (done.first_ts - START).total_seconds() == 0.001


def test_add_telemetry_with_the_same_file_twice_leaves_the_same_bytes(tmp_path: Path) -> None:
    path = file_of(tmp_path / "a.ndjson", [row(n, hours=n) for n in range(50)])
    added(path, tmp_path / "set")
    before = files(tmp_path / "set")
    again = added(path, tmp_path / "set")
    assert files(tmp_path / "set") == before
    assert again.rows == 50


def test_add_telemetry_with_ids_already_there_or_twice_in_the_file_counts_them_repeated(tmp_path: Path) -> None:
    added(file_of(tmp_path / "a.ndjson", [row(1), row(2)]), tmp_path / "set")
    done = added(file_of(tmp_path / "b.ndjson", [row(2), row(3), row(3, account="acct_b"), row(4)]), tmp_path / "set")
    assert (done.rows, done.repeated) == (2, 2)
    assert sorted(stored(tmp_path / "set")["day=2026-03-02"]) == ["r1", "r2", "r3", "r4"]


def test_add_telemetry_stopped_half_way_adds_nothing_and_can_be_done_again(tmp_path: Path) -> None:
    path = file_of(tmp_path / "a.ndjson", [row(n) for n in range(100)])

    def stop(done: int, total: int, rows: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        add_telemetry(path, tmp_path / "set", sha256=file_sha256(path), on_progress=stop)
    assert files(tmp_path / "set") == {}
    assert added(path, tmp_path / "set").rows == 100


def test_add_telemetry_after_a_kill_while_publishing_leaves_exactly_one_copy(tmp_path: Path) -> None:
    root = tmp_path / "set"
    path = file_of(tmp_path / "a.ndjson", [row(n, hours=12 * n) for n in range(20)])
    parts = added(path, root).parts
    for part in parts[::2]:
        (root / part).unlink()
    leftover = root / "incoming" / file_sha256(path)[:16] / "day=2026-03-02"
    leftover.mkdir(parents=True)
    (leftover / "00000.parquet").write_bytes(b"half a file")
    again = added(path, root)
    assert (again.rows, again.parts) == (20, parts)
    assert sorted(files(root)) == sorted(parts)


def test_add_side_table_with_known_key_replaces_the_row(tmp_path: Path) -> None:
    root = tmp_path / "set"
    first = [{"account_id": "b", "plan": "free"}, {"account_id": "a", "created_at": "2026-01-01T00:00:00Z"}]
    add_side_table("accounts", file_of(tmp_path / "1.ndjson", first), root)
    rows = add_side_table("accounts", file_of(tmp_path / "2.ndjson", [{"account_id": "b", "plan": "team"}]), root)
    table = pq.read_table(root / "accounts.parquet").select(["account_id", "plan"]).to_pylist()
    assert rows == 2
    assert table == [{"account_id": "a", "plan": None}, {"account_id": "b", "plan": "team"}]


def test_add_side_table_with_bad_row_reports_its_line(tmp_path: Path) -> None:
    bad: list[tuple[int, str]] = []
    path = file_of(tmp_path / "n.ndjson", [{"asn": 4_200_000_001, "kind": "isp"}, {"asn": "x", "kind": "isp"}])
    rows = add_side_table("networks", path, tmp_path, on_bad=lambda line: bad.append((line.line, line.reason)))
    assert (rows, bad) == (1, [(2, "asn is not a whole number")])
