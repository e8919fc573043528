"""`create_detector` and `ingest`: keys and counts alone on standard output, refusals as one sentence."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import zstandard
from django.core.management import CommandError, call_command

from detection.models import Account, Detector, Finding
from detection.repeats import Repeats
from people.models import DetectorKey, digest
from spine.errors import Refused
from tests.detection.conftest import Caller
from tests.detection.samples import DETECTOR, finding, line

pytestmark = pytest.mark.django_db


def ingest(capsys: Any, *arguments: Any) -> dict[str, int]:
    capsys.readouterr()
    call_command("ingest", "--detector", DETECTOR, *[str(argument) for argument in arguments])
    counts: dict[str, int] = json.loads(capsys.readouterr().out)
    return counts


def counted(received: int, created: int = 0, duplicate: int = 0, superseded: int = 0, rejected: int = 0) -> Any:
    return {
        "received": received,
        "created": created,
        "duplicate": duplicate,
        "superseded": superseded,
        "rejected": rejected,
    }


def test_create_detector_prints_a_key_that_sends(capsys: Any) -> None:
    call_command("create_detector", DETECTOR, "--title", "Asks for reasoning")
    key = capsys.readouterr().out.strip()
    assert Detector.objects.get().title == "Asks for reasoning"
    assert DetectorKey.objects.get().sha256 == digest(key)
    assert Caller(key).post("findings/", line()).status_code == 201


def test_create_detector_again_makes_another_key(capsys: Any) -> None:
    for _ in range(2):
        call_command("create_detector", DETECTOR)
    assert (Detector.objects.count(), DetectorKey.objects.count()) == (1, 2)


@pytest.mark.parametrize("name", ["A name", "shared-attribute"])
def test_create_detector_refuses_other_names(name: str) -> None:
    with pytest.raises(CommandError):
        call_command("create_detector", name)
    assert not DetectorKey.objects.exists()


def test_ingest_reads_every_form_and_counts_over_all_files(capsys: Any, tmp_path: Path) -> None:
    lines = b"\n".join(line(f"f{number}") for number in range(3))
    files = {
        "one.json": json.dumps(finding("one"), indent=2).encode(),
        "array.json": json.dumps([finding("a"), finding("b")]).encode(),
        "lines.jsonl": lines,
        "lines.jsonl.gz": gzip.compress(lines),
        "packed.zst": zstandard.compress(lines),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    assert ingest(capsys, *[tmp_path / name for name in files]) == counted(12, created=6, duplicate=6)


def test_ingest_with_bad_lines_keeps_the_good_ones_and_fails(capsys: Any, tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    path.write_bytes(line("a") + b"\n\n" + line("b", score=7) + b"\n" + line("c"))
    with pytest.raises(CommandError, match="1 of 3"):
        ingest(capsys, path)
    out, err = capsys.readouterr()
    assert json.loads(out) == counted(3, created=2, rejected=1)
    assert err == "some.jsonl:2: /score: 1 or less is accepted\n"


def test_ingest_check_writes_nothing(capsys: Any, tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_bytes(line("a") + b"\n" + line("b"))
    assert ingest(capsys, "--check", path) == counted(2, created=2)
    assert (Finding.objects.count(), Detector.objects.count()) == (0, 0)


def test_ingest_check_counts_over_its_files_as_ingest_does(capsys: Any, tmp_path: Path) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    first.write_bytes(b"\n".join([line("a"), line("a"), line("b")]))
    second.write_bytes(b"\n".join([line("a", version=2), line("b", score=0.5), line("c"), line("b", score=7)]))
    told = []
    for arguments in (["--check", first, second], [first, second]):
        with pytest.raises(CommandError, match="2 of 7"):
            ingest(capsys, *arguments)
        told.append(capsys.readouterr())
    assert json.loads(told[0].out) == counted(7, created=3, duplicate=1, superseded=1, rejected=2)
    assert told[0] == told[1]


def test_check_without_room_for_what_came_before_says_so() -> None:
    with Repeats() as repeats:
        repeats.kept.execute("PRAGMA max_page_count = 2")
        with pytest.raises(Refused, match="more room for temporary files"):
            for number in range(1000):
                repeats.take(f"f{number}", 1, "ab" * 32)


def test_ingest_into_a_namespace_keeps_accounts_apart(capsys: Any, tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_bytes(line("a"))
    ingest(capsys, "--namespace", "eu", path)
    assert set(Account.objects.values_list("namespace", flat=True)) == {"eu"}


def test_ingest_of_a_cut_file_keeps_whole_lines_and_fails(capsys: Any, tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(gzip.compress(line("a") + b"\n" + line("b"))[:-4])
    with pytest.raises(CommandError):
        ingest(capsys, path)
    assert json.loads(capsys.readouterr().out) == counted(2, created=1, rejected=1)


@pytest.mark.parametrize("arguments", [["--detector", "shared-attribute"], ["--detector", "No Name"]])
def test_ingest_refuses_built_in_and_impossible_names(tmp_path: Path, arguments: list[str]) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_bytes(line())
    with pytest.raises(CommandError):
        call_command("ingest", *arguments, str(path))


def test_ingest_of_a_missing_or_empty_file_fails(capsys: Any, tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_bytes(b"")
    for name in ("nothing.jsonl", "empty.jsonl"):
        with pytest.raises(CommandError):
            ingest(capsys, tmp_path / name)
