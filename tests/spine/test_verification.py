"""Verification against an opponent with the owner's rights: what it locates, and that it is quiet on what is right."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command
from django.db import transaction

from detection.models import ModelRelease
from spine import checkpoint, log, merkle, proofs, protection, sequencer, tiles, verification
from spine.errors import Refused
from spine.models import Checkpoint, LogEntry, Sequence
from tests.servers import HOME
from tests.spine.test_log import ALIASES, rebuild_tree_and_sign, record, rewrite_leaf, tamper

pytestmark = [pytest.mark.django_db(transaction=True, databases=ALIASES), pytest.mark.usefixtures("checkpoints_apart")]


def many(count: int, each: int = 1) -> None:
    """A log of this many entries, numbered and signed once."""
    with transaction.atomic():
        for _ in range(count):
            log.record(actor="user:lead", action="telemetry.added", data={"count": each}, rows=[])
    sequencer.sequence()


def found(**options: Any) -> list[str]:
    return [str(problem) for problem in verification.verify(**options).problems]


def export(folder: Path) -> Path:
    call_command("export_log", "--out", str(folder), stdout=StringIO(), stderr=StringIO())
    return folder


def forget(folder: Path) -> None:
    """The opponent reached what is kept beside the database, and what the signer remembers."""
    for file in folder.glob("*.txt"):
        file.unlink()
    (HOME.signer / "state.json").unlink(missing_ok=True)


def test_rewritten_leaf_is_located_to_two_entries_and_named_once(checkpoints_apart: Path) -> None:
    for number in range(9):
        record(f"alder-{number}")
    sequencer.sequence()
    rewrite_leaf(5)
    forget(checkpoints_apart)
    assert found() == [
        "spine_checkpoint checkpoint of size 9 in the database: a fork: the log's first 9 entries do not give its root",
        "spine_node level 1, index 2: disagrees with entries 4–5",
    ]


def test_tree_rewritten_and_signed_anew_is_located_by_tiles_kept_elsewhere(
    checkpoints_apart: Path, tmp_path: Path
) -> None:
    record("alder-0")
    many(600)
    record("alder-1")
    sequencer.sequence()
    kept = export(tmp_path / "tiles")
    tamper("DELETE FROM spine_checkpoint WHERE size < 602")
    rewrite_leaf(0)
    rewrite_leaf(601)
    rebuild_tree_and_sign()
    forget(checkpoints_apart)
    assert found() == []  # nothing inside tells: that is why copies have to leave
    assert found(tiles=kept) == [
        "tiles tile 0: the log differs from it at 1 entries: 0",
        "tiles tile 2: the log differs from it at 1 entries: 601",
    ]


def test_tail_dropped_everywhere_inside_is_named_by_the_signer_and_by_tiles(
    checkpoints_apart: Path, tmp_path: Path
) -> None:
    many(3)
    many(1)
    kept = export(tmp_path / "tiles")
    last = Sequence.objects.get(index=3).entry_id
    tamper("DELETE FROM spine_sequence WHERE index = 3")
    tamper("DELETE FROM spine_checkpoint WHERE size = 4")
    tamper("DELETE FROM spine_node WHERE level = 2")
    tamper("DELETE FROM spine_node WHERE level = 1 AND index = 1")
    tamper("DELETE FROM spine_logentry WHERE id = %s", last)
    for file in checkpoints_apart.glob("*4.txt"):
        file.unlink()
    tail = "spine_sequence 3…3: the tail is gone:"
    assert found() == [f"{tail} the checkpoint the signer remembers was signed at size 4"]
    forget(checkpoints_apart)
    assert found(tiles=kept) == [f"{tail} the tiles are of 4 entries"]


def test_swapped_entries_are_named_with_both_places(checkpoints_apart: Path) -> None:
    many(4)
    first, second = Sequence.objects.filter(index__in=[1, 2]).order_by("index")
    tamper("UPDATE spine_sequence SET index = 99 WHERE index = 1")
    tamper("UPDATE spine_sequence SET index = 1 WHERE index = 2")
    tamper("UPDATE spine_sequence SET index = 2 WHERE index = 99")
    named = found()
    assert "spine_node level 1, index 0: disagrees with entries 0–1" in named
    assert "spine_node level 1, index 1: disagrees with entries 2–3" in named
    assert first.entry_id != second.entry_id


def test_row_put_in_without_an_entry_and_row_moved_to_another_entry_are_named() -> None:
    record("alder-1")
    entry = record("alder-2")
    sequencer.sequence()
    row = ModelRelease.objects.get(model="alder-1")
    tamper("UPDATE detection_modelrelease SET entry_id = %s, place = 1 WHERE id = %s", entry.pk, row.pk)
    named = found()
    assert f"detection_modelrelease {row.pk}: the row is not the one entry {entry.pk} covers" in named
    assert f"spine_logentry {entry.pk}: covers 1 rows, 2 are there" in named


def test_rows_being_written_while_it_reads_raise_no_alarm() -> None:
    for round_number in range(2):
        record(f"alder-{round_number}", f"birch-{round_number}")
        assert verification.verify(progress=lambda done, total, note: record_one_more()).problems == []
        sequencer.sequence()
        assert verification.verify(progress=lambda done, total, note: number_one_more()).problems == []


def record_one_more() -> None:
    record(f"cedar-{LogEntry.objects.count()}")


def number_one_more() -> None:
    record_one_more()
    sequencer.sequence()


def test_report_says_what_was_read_and_progress_reaches_the_end() -> None:
    record("alder-1", "alder-2")
    sequencer.sequence()
    told: list[tuple[int, int]] = []
    report = verification.verify(progress=lambda done, total, note: told.append((done, total)))
    assert (report.tables["detection_modelrelease"], report.rows, report.entries) == (2, 2, 1)
    assert told[-1] == (3, 3)
    assert report.plain()["problem_count"] == 0


# Consistency between any two checkpoints


def test_any_two_checkpoints_are_proven_consistent() -> None:
    for count in (1, 2, 5, 1, 8):
        many(count)
    sizes = list(Checkpoint.objects.order_by("size").values_list("size", flat=True))
    assert sizes == [1, 3, 8, 9, 17]
    for old in sizes:
        for new in sizes:
            if old <= new:
                assert proofs.consistency(old, new).holds, (old, new)
    with pytest.raises(Refused, match="No checkpoint was signed at 4"):
        proofs.consistency(4, 9)
    with pytest.raises(Refused, match="older checkpoint comes first"):
        proofs.consistency(9, 3)


def test_a_fork_signed_anew_fails_the_proof() -> None:
    for number in range(4):
        record(f"alder-{number}")
    sequencer.sequence()
    record("alder-4")
    sequencer.sequence()
    old = Checkpoint.objects.get(size=4)
    forged_root = merkle.leaf_hash(b"another history")
    origin = checkpoint.parse(old.note).origin
    forged = checkpoint.sign(origin, 4, forged_root, checkpoint.load_private_key(HOME.log_key))
    tamper("UPDATE spine_checkpoint SET note = %s, root = %s WHERE size = 4", forged, forged_root)
    result = proofs.consistency(4, 5)
    assert (result.signatures_hold, result.proof_holds, result.holds) == (True, False, False)
    with pytest.raises(CommandError, match="5 entries do not continue 4: the proof does not hold"):
        call_command("verify_log", "--consistency", "4", "5", stdout=StringIO())
    stranger = checkpoint.sign(origin, 4, bytes(old.root), Ed25519PrivateKey.generate())
    tamper("UPDATE spine_checkpoint SET note = %s WHERE size = 4", stranger)
    assert proofs.consistency(4, 5).signatures_hold is False


def test_the_command_prints_proof_and_finding() -> None:
    many(3)
    many(4)
    out = StringIO()
    call_command("verify_log", "--consistency", "3", "7", stdout=out)
    expected = proofs.consistency(3, 7)
    *lines, said = out.getvalue().splitlines()
    assert said == "Both signatures hold, and the 7 entries begin with the 3."
    assert " ".join(lines).split() == [
        *expected.old_note.split(),
        *expected.new_note.split(),
        *expected.proof,
    ]


def test_inclusion_of_an_entry_and_of_a_row_climbs_to_the_signed_root() -> None:
    many(2)
    entry = record("alder-1", "alder-2", "alder-3")
    many(6)
    proof = proofs.inclusion(entry, place=1)
    note = checkpoint.verify(proof.checkpoint, bytes.fromhex(proof.key))
    leaf = merkle.leaf_hash(proof.canonical.encode())
    assert merkle.is_included(leaf, proof.index, note.size, [bytes.fromhex(s) for s in proof.path], note.root)
    row = ModelRelease.objects.get(model="alder-2")
    assert proof.row is not None
    assert proof.row["digest"] == merkle.leaf_hash(log.row_bytes(row)).hex()
    steps = [bytes.fromhex(step) for step in proof.row["path"]]  # type: ignore[union-attr,attr-defined]
    assert merkle.is_included(merkle.leaf_hash(log.row_bytes(row)), 1, 3, steps, bytes(entry.rows_root))
    with pytest.raises(Refused, match="covers 3 rows"):
        proofs.inclusion(entry, place=3)
    with pytest.raises(Refused, match="No signed checkpoint covers"):
        proofs.inclusion(record("alder-9"))


# Tiles


def test_tiles_have_the_written_form_and_grow(tmp_path: Path) -> None:
    many(300)
    kept = export(tmp_path / "tiles")
    files = sorted(str(path.relative_to(kept)) for path in kept.rglob("*") if path.is_file())
    assert files == ["checkpoint", "tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1"]
    leaves = b"".join(bytes(s.leaf_hash) for s in Sequence.objects.order_by("index"))
    assert (kept / "tile/0/000").read_bytes() + (kept / "tile/0/001.p/44").read_bytes() == leaves
    many(300)
    export(kept)
    assert verification.verify(tiles=kept).problems == []
    assert verification.verify(tiles=kept).tiles == 3


@pytest.mark.parametrize(
    ("file", "what"),
    [
        ("tile/0/000", "does not follow from the tile below"),
        ("tile/0/001.p/44", "do not give the root"),
        ("tile/1/000.p/1", "does not follow from the tile below"),
        ("checkpoint", "signature "),  # no longer base64, or of nobody known: which one, chance decides
    ],
)
def test_tiles_that_were_changed_are_no_measure(tmp_path: Path, file: str, what: str) -> None:
    many(300)
    kept = export(tmp_path / "tiles")
    content = bytearray((kept / file).read_bytes())
    content[-9] ^= 1
    (kept / file).write_bytes(content)
    assert any(what in one for one in found(tiles=kept)), found(tiles=kept)


def test_export_to_the_tiles_of_another_history_is_refused(tmp_path: Path) -> None:
    many(300)
    kept = export(tmp_path / "tiles")
    (kept / "tile/0/000").write_bytes(bytes(32 * 256))
    with pytest.raises(CommandError, match="tile/0/000 is there already, of another history"):
        export(kept)


def test_tile_paths_are_grouped_by_three_digits() -> None:
    assert tiles.Tile(0, 1234067, 256).path == "tile/0/x001/x234/067"
    assert tiles.Tile(2, 7, 3).path == "tile/2/007.p/3"


def test_columns_are_printed_as_a_second_verifier_needs_them() -> None:
    out = StringIO()
    call_command("verify_log", "--columns", stdout=out)
    lines = dict(line.split(": ") for line in out.getvalue().splitlines())
    assert lines["detection_modelrelease"] == "model released_at"
    assert "[" in "".join(lines.values())
    assert set(lines) < set(protection.protected_tables())
    row = {"entry_id", "place", "salt", "id"}
    assert [
        table for table, columns in lines.items() if row & set(columns.replace("[", "").replace("]", "").split())
    ] == []
