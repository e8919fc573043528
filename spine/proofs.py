"""Proofs out of the stored tree: that one checkpoint continues another, and that an entry or a row is in the log."""

from dataclasses import dataclass

from spine import canonical, checkpoint, keyring, log, merkle, sequencer, signing
from spine.errors import Refused
from spine.models import AppendOnly, Checkpoint, LogEntry, Sequence

DIGEST = 32


@dataclass(frozen=True)
class Consistency:
    """Whether the checkpoint of `new` entries continues that of `old`: both notes, the proof, and what was checked."""

    old: int
    new: int
    old_note: str
    new_note: str
    proof: list[str]
    signatures_hold: bool
    proof_holds: bool

    @property
    def holds(self) -> bool:
        """Both signatures and the proof."""
        return self.signatures_hold and self.proof_holds


@dataclass(frozen=True)
class Inclusion:
    """That an entry stands at `index` in the log at a checkpoint.

    Paths, from the leaf upwards, and hashes in hexadecimal. `row` is the place of one protected row in the entry, its
    digest and its path to the entry's rows root.
    """

    entry: str
    canonical: str
    index: int
    leaf: str
    path: list[str]
    checkpoint: str
    key: str
    row: dict[str, object] | None = None


def note_of(size: int) -> Checkpoint:
    """The checkpoint of this size. Raises Refused when none was signed at it."""
    found = Checkpoint.objects.filter(size=size).first() if 0 < size < 2**63 else None
    if found is None:
        raise Refused(f"No checkpoint was signed at {size} entries.")
    return found


def consistency(old: int, new: int) -> Consistency:
    """The proof between two signed sizes, made from the stored nodes and verified against both signed roots.

    Raises Refused for sizes without a checkpoint or in the wrong order.
    """
    if old > new:
        raise Refused("The older checkpoint comes first: it has fewer entries.")
    first, second = note_of(old), note_of(new)
    try:
        proof = merkle.consistency_at(old, new, sequencer.stored_node)
    except LookupError:  # a node is gone: there is no proof, and verification says which
        proof = []
    roots = checkpoint.parse(first.note).root, checkpoint.parse(second.note).root
    return Consistency(
        old,
        new,
        first.note,
        second.note,
        [step.hex() for step in proof],
        signatures_hold=_holds(first.note) and _holds(second.note),
        proof_holds=merkle.is_consistent(old, new, *roots, proof),
    )


def inclusion(entry: LogEntry, *, size: int | None = None, place: int | None = None) -> Inclusion:
    """That the entry, and one of its rows, is in the log at the checkpoint of this size, by default the newest.

    Raises Refused when the entry has no index yet, the checkpoint does not cover it, or it has no such row.
    """
    numbered = Sequence.objects.filter(entry_id=entry.pk).first()
    newest = note_of(size) if size is not None else Checkpoint.objects.order_by("-size").first()
    if numbered is None or newest is None or numbered.index >= newest.size:
        raise Refused("No signed checkpoint covers this entry yet.")
    return Inclusion(
        entry=str(entry.pk),
        canonical=log.entry_bytes(entry).decode(),
        index=numbered.index,
        leaf=bytes(numbered.leaf_hash).hex(),
        path=[step.hex() for step in merkle.path_at(numbered.index, newest.size, sequencer.stored_node)],
        checkpoint=newest.note,
        key=signing.key_of(newest.size).public.hex(),
        row=_row(entry, place) if place is not None else None,
    )


def proof_of(row: AppendOnly, *, size: int | None = None) -> bytes:
    """Canonical JSON of the proof that a row is in the log at a checkpoint (docs/formats/log.md, section 5).

    `size` is the checkpoint's, by default the newest.

    Numbers nothing itself, so it may be called inside a transaction. Raises Refused while no checkpoint covers the row.
    """
    entry = LogEntry.objects.get(pk=row.entry_id)
    placed = Sequence.objects.filter(entry=entry).first()
    newest = note_of(size) if size is not None else Checkpoint.objects.order_by("-size").first()
    if placed is None or newest is None or newest.size <= placed.index:
        raise Refused("No checkpoint covers this yet: the log numbers what is new every few seconds. Try again soon.")
    return canonical.proof_bytes(
        row=log.row_bytes(row),
        place=row.place,
        row_path=merkle.inclusion_path(row_digests(entry), row.place),
        entry=log.entry_bytes(entry),
        index=placed.index,
        entry_path=merkle.path_at(placed.index, newest.size, sequencer.stored_node),
        note=newest.note,
        public_key=signing.key_of(newest.size).public,
    )


def row_digests(entry: LogEntry) -> list[bytes]:
    """The digests of the rows an entry covers, in place order."""
    digests = bytes(entry.row_digests)
    return [digests[start : start + DIGEST] for start in range(0, len(digests), DIGEST)]


def _row(entry: LogEntry, place: int) -> dict[str, object]:
    digests = row_digests(entry)
    if not 0 <= place < len(digests):
        raise Refused(f"The entry covers {len(digests)} rows: places 0 to {len(digests) - 1}.")
    path = [step.hex() for step in merkle.inclusion_path(digests, place)]
    return {"place": place, "digest": digests[place].hex(), "path": path}


def _holds(note: str) -> bool:
    try:
        keyring.verify(note, signing.public_keys())
    except (checkpoint.NotAccepted, OSError):
        return False
    return True
