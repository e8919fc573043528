"""Acts enter the log whole; the sequencer numbers and signs; verification names what disagrees."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from config.embedded import postgres
from detection.models import ClusterLink, ClusterMember, ModelRelease
from spine import checkpoint, log, merkle, sequencer, signing, verification
from spine.models import Checkpoint, LogEntry, Node, Sequence
from tests.factories import make_cluster, provider_ids
from tests.servers import HOME

ALIASES = ["default", "owner", "audit"]


@pytest.fixture(autouse=True)
def checkpoints_apart(settings: Any, tmp_path: Path) -> Path:
    settings.CHECKPOINT_FOLDER = tmp_path / "checkpoints"
    return tmp_path / "checkpoints"


def release(name: str) -> ModelRelease:
    return ModelRelease(model=name, released_at=datetime(2026, 5, 12, 16, 0, 0, 5, tzinfo=UTC))


def record(*names: str) -> LogEntry:
    with transaction.atomic():
        return log.record(
            actor="user:lead",
            action="telemetry.added",
            data={"count": len(names), "share": 0.1, "big": 1e300},
            rows=[release(name) for name in names],
        )


def tamper(statement: str, *values: object) -> None:
    """Change rows as the database's superuser with triggers asleep: an opponent who owns the database."""
    with postgres.connect(HOME) as owner, owner.transaction():
        owner.execute("SET LOCAL session_replication_role = replica")
        assert owner.execute(statement, values).rowcount > 0


def problems() -> list[str]:
    return [f"{p.table} {p.row}" for p in verification.verify().problems]


@pytest.mark.django_db
def test_record_outside_known_actions_raises() -> None:
    with pytest.raises(LookupError):
        log.record(actor="user:lead", action="no.such", data={})


@pytest.mark.django_db(transaction=True)
def test_record_outside_a_transaction_is_refused() -> None:
    with pytest.raises(RuntimeError):
        log.record(actor="user:lead", action="telemetry.added", data={"count": 0})


@pytest.mark.django_db(transaction=True, databases=ALIASES)
def test_entry_of_three_rows_covers_them_in_order() -> None:
    entry = record("alder-1", "alder-2", "alder-3")
    rows = list(ModelRelease.objects.order_by("place"))

    assert [row.model for row in rows] == ["alder-1", "alder-2", "alder-3"]
    assert bytes(entry.rows_root) == merkle.root([merkle.leaf_hash(log.row_bytes(row)) for row in rows])


@pytest.mark.django_db(transaction=True, databases=ALIASES)
def test_a_row_is_never_saved_or_deleted_by_itself() -> None:
    record("alder-1")
    row = ModelRelease.objects.get()

    with pytest.raises(TypeError):
        row.save()
    with pytest.raises(TypeError):
        row.delete()


@pytest.mark.django_db(transaction=True, databases=ALIASES)
def test_sequencer_numbers_all_and_signs_what_verifies(checkpoints_apart: Path) -> None:
    for number in range(7):
        record(f"alder-{number}")

    assert sequencer.sequence() == 7
    assert sequencer.sequence() == 0
    assert list(Sequence.objects.order_by("index").values_list("index", flat=True)) == list(range(7))
    note = checkpoint.verify(Checkpoint.objects.get(size=7).note, signing.current_key().public)
    assert note.root == merkle.root([bytes(s.leaf_hash) for s in Sequence.objects.order_by("index")])
    assert [file.name for file in checkpoints_apart.glob("*.txt")] == ["000000000007.txt"]
    assert verification.verify().problems == []


@pytest.mark.django_db(transaction=True, databases=ALIASES)
def test_rows_of_a_large_act_are_copied_and_are_what_an_insert_makes_them() -> None:
    few = make_cluster(provider_ids(3, "few"))
    with CaptureQueriesContext(connection) as asked:
        many = make_cluster(provider_ids(log.BATCH, "many"))

    inserted = [sql for sql in (query["sql"] for query in asked) if sql.startswith("INSERT")]
    assert [sql for sql in inserted if "detection_clustermember" in sql or "detection_clusterlink" in sql] == []
    for model, names in (
        (ClusterMember, ("strength", "exchanges", "input_tokens", "output_tokens", "first_seen", "last_seen")),
        (ClusterLink, ("signal", "count", "population", "strength", "first_seen", "last_seen")),
    ):
        rows = model._default_manager.values_list(*names).distinct()
        assert list(rows.filter(cluster=many)) == list(rows.filter(cluster=few))
        assert model._default_manager.filter(cluster=many).count() == log.BATCH
    member = ClusterMember.objects.filter(cluster=many).first()
    link = ClusterLink.objects.filter(cluster=many).select_related("attribute").first()
    assert member is not None
    assert link is not None
    assert member.reasons == [f"shows {link.attribute.value}"]
    assert link.reason.startswith(link.attribute.value)
    sequencer.sequence()
    assert verification.verify().problems == []


@pytest.mark.django_db(transaction=True, databases=ALIASES)
def test_one_origin_stays_over_many_checkpoints() -> None:
    for number in range(3):
        record(f"alder-{number}")
        sequencer.sequence()

    origins = {checkpoint.parse(note).origin for note in Checkpoint.objects.values_list("note", flat=True)}
    assert len(origins) == 1
    assert verification.verify().checkpoints == 7  # each in the database and beside it, the last in the signer's memory


@pytest.mark.django_db(transaction=True, databases=ALIASES)
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("model", "alder-9"),
        ("released_at", datetime(2026, 5, 12, 16, 0, 0, 6, tzinfo=UTC)),
        ("salt", b"\x00" * 32),
        ("place", 5),
        ("id", "0198b6a0-0000-7000-8000-000000000000"),
    ],
)
def test_changed_column_of_a_row_is_named(column: str, value: object) -> None:
    record("alder-1", "alder-2")
    sequencer.sequence()
    row = ModelRelease.objects.get(model="alder-2")

    tamper(f"UPDATE detection_modelrelease SET {column} = %s WHERE id = %s", value, row.id)

    changed = value if column == "id" else row.id
    named = [line for line in problems() if line.startswith("detection_modelrelease")]
    assert named == [f"detection_modelrelease {changed}"]


@pytest.mark.django_db(transaction=True, databases=ALIASES)
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("at", datetime(2020, 1, 1, tzinfo=UTC)),
        ("actor", "user:analyst"),
        ("action", "findings.received"),
        ("about", "cases.case:1"),
        ("scope", "0198b6a0-0000-7000-8000-000000000000"),
        ("data", '{"count": 3}'),
        ("salt", b"\x01" * 32),
        ("row_count", 2),
        ("row_digests", b"\x01" * 32),
        ("rows_root", b"\x01" * 32),
    ],
)
def test_changed_column_of_an_entry_is_named(column: str, value: object) -> None:
    entry = record("alder-1")
    record("alder-2")
    sequencer.sequence()

    tamper(f"UPDATE spine_logentry SET {column} = %s WHERE id = %s", value, entry.id)

    assert f"spine_logentry {entry.id}" in problems()


@pytest.mark.django_db(transaction=True, databases=ALIASES)
def test_removed_row_is_named_with_its_place() -> None:
    entry = record("alder-1", "alder-2", "alder-3")
    sequencer.sequence()

    tamper("DELETE FROM detection_modelrelease WHERE model = %s", "alder-2")

    found = verification.verify().problems
    assert [str(problem) for problem in found] == [
        f"spine_logentry {entry.id}: covers 3 rows, 2 are there; nothing at place 1"
    ]


@pytest.mark.django_db(transaction=True, databases=ALIASES)
def test_row_rewritten_with_all_its_digests_is_located_by_its_parent_node() -> None:
    for number in range(8):
        record(f"alder-{number}")
    sequencer.sequence()

    rewrite_leaf(5)

    assert "spine_node level 1, index 2" in problems()
    assert not any(line.startswith("detection_modelrelease") for line in problems())


@pytest.mark.django_db(transaction=True, databases=ALIASES)
def test_dropped_tail_is_named_even_when_its_checkpoints_go_too() -> None:
    for number in range(3):
        record(f"alder-{number}")
        sequencer.sequence()
    last = Sequence.objects.get(index=2).entry_id

    tamper("DELETE FROM detection_modelrelease WHERE entry_id = %s", last)
    tamper("DELETE FROM spine_sequence WHERE index = 2")
    tamper("DELETE FROM spine_checkpoint WHERE size = 3")
    tamper("DELETE FROM spine_logentry WHERE id = %s", last)

    assert problems() == ["spine_sequence 2…2", "spine_sequence 2…2"]  # by the copy beside and by the signer


@pytest.mark.django_db(transaction=True, databases=ALIASES)
def test_rebuilt_history_is_a_fork_of_the_checkpoint_kept_outside() -> None:
    for number in range(4):
        record(f"alder-{number}")
    sequencer.sequence()

    rewrite_leaf(1)
    rebuild_tree_and_sign()

    found = [str(problem) for problem in verification.verify().problems]
    assert found == [
        "spine_checkpoint checkpoint 000000000004.txt kept outside: "
        "a fork: the log's first 4 entries do not give its root",
        "spine_checkpoint the checkpoint the signer remembers: a fork: the log's first 4 entries do not give its root",
    ]


@pytest.mark.django_db(transaction=True, databases=ALIASES)
def test_checkpoint_signed_by_another_key_is_named() -> None:
    record("alder-1")
    sequencer.sequence()
    good = checkpoint.parse(Checkpoint.objects.get().note)
    forged = checkpoint.sign(good.origin, good.size, good.root, Ed25519PrivateKey.generate())

    tamper("UPDATE spine_checkpoint SET note = %s", forged)

    assert "spine_checkpoint size 1" in problems()


@pytest.mark.django_db(transaction=True, databases=ALIASES)
def test_entry_taken_out_of_the_queue_unnumbered_is_named() -> None:
    entry = record("alder-1")

    tamper("DELETE FROM spine_pending")

    assert problems() == [f"spine_logentry {entry.id}"]


def rewrite_leaf(index: int) -> None:
    """What a careful opponent does: change a row, then its digest, its root and its leaf."""
    place = Sequence.objects.select_related("entry").get(index=index)
    row = ModelRelease.objects.get(entry=place.entry)
    row.model = f"alder-rewritten-{index}"
    digest = merkle.leaf_hash(log.row_bytes(row))
    place.entry.row_digests, place.entry.rows_root = digest, merkle.root([digest])
    leaf = merkle.leaf_hash(log.entry_bytes(place.entry))
    tamper("UPDATE detection_modelrelease SET model = %s WHERE id = %s", row.model, row.id)
    tamper("UPDATE spine_logentry SET row_digests = %s, rows_root = %s WHERE id = %s", digest, digest, place.entry.id)
    tamper("UPDATE spine_sequence SET leaf_hash = %s WHERE index = %s", leaf, index)


def rebuild_tree_and_sign() -> None:
    leaves = [bytes(s.leaf_hash) for s in Sequence.objects.order_by("index")]
    nodes, root = merkle.append(lambda level, index: b"", 0, leaves)
    changed = [(value, level, index) for (level, index), value in nodes.items() if level]
    with postgres.connect(HOME) as owner, owner.transaction(), owner.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.executemany("UPDATE spine_node SET hash = %s WHERE level = %s AND index = %s", changed)
    key = checkpoint.load_private_key(HOME.log_key)
    note = checkpoint.sign(checkpoint.parse(Checkpoint.objects.get().note).origin, len(leaves), root, key)
    tamper("UPDATE spine_checkpoint SET note = %s, root = %s", note, root)
    assert Node.objects.exists()


@pytest.mark.django_db(transaction=True, databases=ALIASES)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE spine_logentry SET actor = 'user:nobody'",
        "UPDATE detection_modelrelease SET model = 'x'",
        "DELETE FROM detection_modelrelease",
        "DELETE FROM spine_logentry",
        "TRUNCATE spine_sequence",
        "TRUNCATE detection_modelrelease CASCADE",
        "ALTER TABLE spine_logentry DISABLE TRIGGER ALL",
        "ALTER TABLE spine_logentry OWNER TO retort_app",
        "DROP TRIGGER retort_append_only ON spine_logentry",
        "DROP TABLE spine_node",
        "CREATE OR REPLACE FUNCTION retort_refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "SET session_replication_role = replica",
        "SET ROLE retort_owner",
        "SET SESSION AUTHORIZATION retort_owner",
        "GRANT UPDATE ON spine_logentry TO retort_app; UPDATE spine_logentry SET actor = 'user:nobody'",
        "CREATE RULE r AS ON INSERT TO spine_logentry DO INSTEAD NOTHING",
        "SELECT * FROM spine_logentry FOR UPDATE",
        "SELECT * FROM spine_logentry FOR SHARE",
        "INSERT INTO detection_modelrelease (SELECT * FROM detection_modelrelease) "
        "ON CONFLICT (id) DO UPDATE SET model = 'x'",
        "COPY spine_logentry TO PROGRAM 'cat'",
        "COPY spine_logentry TO '/tmp/x'",
        "CREATE TABLE public.mine (id int)",
        "DELETE FROM django_migrations",
        "CREATE EXTENSION dblink",
        "MERGE INTO detection_modelrelease t USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE",
        "ALTER ROLE retort_app SUPERUSER",
        "LOCK TABLE spine_logentry IN ACCESS EXCLUSIVE MODE",
    ],
)
def test_hostile_statement_as_the_application_role_is_refused(statement: str) -> None:
    record("alder-1")
    before = list(LogEntry.objects.values()), list(ModelRelease.objects.values())

    with pytest.raises(DatabaseError) as refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)

    assert isinstance(refused.value.__cause__, psycopg.errors.InsufficientPrivilege)
    assert (list(LogEntry.objects.values()), list(ModelRelease.objects.values())) == before
