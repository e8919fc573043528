"""The dataset as detectors see it."""

from datetime import timedelta
from pathlib import Path

from detection.records import Window
from detection.telemetry.dataset import open_dataset
from tests.detection.telemetry.rows import START, dataset_of, row


def test_dataset_with_values_in_some_columns_names_exactly_those(tmp_path: Path) -> None:
    accounts = [{"account_id": "acct_a", "created_at": "2026-01-01T00:00:00Z"}]
    with dataset_of(tmp_path, [row(1, prompt="x"), row(2, ip="203.0.113.7")], accounts=accounts) as dataset:
        assert dataset.columns == {"request_id", "ts", "account_id", "model", "prompt", "ip"}
        assert dataset.account_columns == {"account_id", "created_at"}


def test_dataset_within_window_includes_its_start_and_not_its_end(tmp_path: Path) -> None:
    with dataset_of(tmp_path, [row(0), row(0, hours=1) | {"request_id": "r1"}]) as dataset:
        inside = dataset.within(Window(START, START + timedelta(hours=1)))
        assert dataset.arrow(inside.select("request_id"))["request_id"].to_pylist() == ["r0"]
        assert dataset.span() == Window(START, START + timedelta(hours=1, microseconds=1))


def test_dataset_without_any_file_is_there_and_empty(tmp_path: Path) -> None:
    with open_dataset(tmp_path) as dataset:
        assert dataset.span() is None
        assert dataset.columns == frozenset()
        assert dict(dataset.releases()) == {}
