"""The sequencer: numbers committed entries, keeps complete nodes, signs a checkpoint. One at a time, by a lock."""

import os
import secrets
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction

from spine import checkpoint, log, merkle
from spine.models import Checkpoint, LogEntry, Node, Pending, Sequence
from spine.principal import acting_as

LOCK = 0x7265746F  # "reto": one number for the whole installation
BATCH = 5000


@acting_as("system:sequencer")
def sequence() -> int:
    """Number everything that waits and sign what came of it; returns how many entries were numbered."""
    numbered = 0
    while True:
        batch = _sequence_batch()
        numbered += batch
        if batch < BATCH:
            return numbered


@transaction.atomic
def _sequence_batch() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    entries = list(LogEntry.objects.filter(pending__isnull=False).order_by("at", "id")[:BATCH])
    if not entries:
        return 0
    size = log_size()
    leaves = [merkle.leaf_hash(log.entry_bytes(entry)) for entry in entries]
    nodes, root = merkle.append(stored_node, size, leaves)
    Sequence.objects.bulk_create(
        Sequence(index=size + i, entry=entry, leaf_hash=leaf)
        for i, (entry, leaf) in enumerate(zip(entries, leaves, strict=True))
    )
    Node.objects.bulk_create(
        [Node(level=level, index=index, hash=value) for (level, index), value in nodes.items() if level > 0],
        batch_size=2000,
    )
    _sign(size + len(leaves), root)
    Pending.objects.filter(entry__in=[entry.id for entry in entries]).delete()
    return len(entries)


def log_size() -> int:
    """How many entries have an index."""
    last = Sequence.objects.order_by("-index").values_list("index", flat=True).first()
    return 0 if last is None else last + 1


def stored_node(level: int, index: int) -> bytes:
    """A complete node of the tree, level 0 being the leaves; raises LookupError when it is not there."""
    if level == 0:
        found = Sequence.objects.filter(index=index).values_list("leaf_hash", flat=True).first()
    else:
        found = Node.objects.filter(level=level, index=index).values_list("hash", flat=True).first()
    if found is None:
        raise LookupError(f"the log has no node at level {level}, index {index}")
    return bytes(found)


def _sign(size: int, root: bytes) -> None:
    previous = Checkpoint.objects.order_by("-size").first()
    origin = checkpoint.parse(previous.note).origin if previous else f"retort/log/{secrets.token_hex(8)}"
    note = checkpoint.sign(origin, size, root, checkpoint.load_private_key(Path(settings.LOG_KEY_FILE)))
    Checkpoint.objects.create(size=size, root=root, note=note)
    transaction.on_commit(lambda: _keep_outside(size, note))


def _keep_outside(size: int, note: str) -> None:
    """A copy beside the database, so that a log cut short together with its checkpoints is noticed."""
    folder = Path(settings.CHECKPOINT_FOLDER)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = folder / f".{size}-{os.getpid()}"
    temporary.write_text(note, encoding="utf-8")
    temporary.replace(folder / f"{size:012d}.txt")
