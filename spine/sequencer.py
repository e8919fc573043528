"""The sequencer: numbers committed entries, keeps complete nodes, has the checkpoint signed. One at a time, by a lock.

Numbering is committed before anything is signed: what the signer has signed can never be numbered in another way, and
without the signer numbering goes on.
"""

import os
import secrets
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction

from spine import checkpoint, conditions, keyring, keys, log, merkle, signing
from spine.errors import Refused
from spine.models import Checkpoint, LogEntry, Node, Pending, Sequence
from spine.principal import acting_as

LOCK = 0x7265746F  # "reto": one number for the whole installation
SIGNING_LOCK = LOCK + 1
BATCH = 5000
CONDITION = "log.signer"


@acting_as("system:sequencer")
def sequence() -> int:
    """Number everything that waits and have it signed; returns how many entries were numbered.

    When the signer is away or refuses, the entries are numbered all the same, a condition says so, and the next call
    tries again.
    """
    numbered = 0
    while True:
        batch = _sequence_batch()
        numbered += batch
        if batch < BATCH:
            break
    try:
        sign()
    except Refused as refused:
        conditions.tell(CONDITION, f"{refused.message} Entries are numbered, but no checkpoint is signed over them.")
    except (checkpoint.NotAccepted, OSError) as error:
        conditions.tell(CONDITION, f"The signer's checkpoint is not accepted: {error}.")
    return numbered


@transaction.atomic(durable=True)
def _sequence_batch() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    entries = list(LogEntry.objects.filter(pending__isnull=False).order_by("at", "id")[:BATCH])
    if not entries:
        return 0
    size = log_size()
    leaves = [merkle.leaf_hash(log.entry_bytes(entry)) for entry in entries]
    nodes, _ = merkle.append(stored_node, size, leaves)
    Sequence.objects.bulk_create(
        Sequence(index=size + i, entry=entry, leaf_hash=leaf)
        for i, (entry, leaf) in enumerate(zip(entries, leaves, strict=True))
    )
    Node.objects.bulk_create(
        [Node(level=level, index=index, hash=value) for (level, index), value in nodes.items() if level > 0],
        batch_size=2000,
    )
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


@transaction.atomic(durable=True)
def sign() -> Checkpoint | None:
    """Have the log as it stands signed, unless it is; gives the new checkpoint.

    Side effects: the signer's memory, the checkpoint's row, a copy in the folder beside the database. Raises Refused,
    checkpoint.NotAccepted, OSError.
    """
    newest, size = Checkpoint.objects.order_by("-size").first(), log_size()
    if size == (newest.size if newest else 0):
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [SIGNING_LOCK])
    newest, size = Checkpoint.objects.order_by("-size").first(), log_size()
    if size == (newest.size if newest else 0):
        return None
    state = signing.ask("status")
    if size < state["size"]:
        raise signing.SignerRefused(
            f"The log is shorter than what was signed: {size} entries, {state['size']} were signed."
        )
    root = merkle.root_at(size, stored_node)
    signed_last = state["size"] or (newest.size if newest else 0)
    answer = signing.ask(
        "sign",
        origin=_origin(newest, state),
        size=size,
        root=root.hex(),
        proof=[step.hex() for step in merkle.consistency_at(signed_last, size, stored_node)] if signed_last else [],
        previous=newest.note if newest else None,
    )
    note = str(answer["note"])
    found = keyring.verify(note, signing.public_keys())
    if (found.size, found.root) != (size, root):
        raise checkpoint.NotAccepted("it is about another size or root than was asked for")
    made = Checkpoint.objects.create(size=size, root=root, note=note)
    keys.record(state["handovers"], actor="system:sequencer")
    transaction.on_commit(lambda: _keep_beside(size, note))
    conditions.settle(CONDITION)
    return made


def _origin(newest: Checkpoint | None, state: dict[str, str]) -> str:
    """The log's origin: its checkpoints', else the one the signer began with, else drawn at random."""
    if newest:
        return checkpoint.parse(newest.note).origin
    return state["origin"] or f"retort/log/{secrets.token_hex(8)}"


def _keep_beside(size: int, note: str) -> None:
    """A copy beside the database, so that a log cut short together with its checkpoints is noticed."""
    folder = Path(settings.CHECKPOINT_FOLDER)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = folder / f".{size}-{os.getpid()}"
    temporary.write_text(note, encoding="utf-8")
    temporary.replace(folder / f"{size:012d}.txt")
