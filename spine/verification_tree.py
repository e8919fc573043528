"""The part of a verification that grows the tree from the entries and holds everything signed or kept against it."""

import heapq
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings

from spine import canonical, checkpoint, keyring, keys, merkle, signing, timestamps
from spine import tiles as tiling
from spine.checkpoint import NotAccepted
from spine.errors import Refused
from spine.keyring import PublicKey
from spine.models import Checkpoint, KeyHandover, Node, TimeStamp, TimeStampChain
from spine.models import Sequence as Numbered
from spine.report import Report
from spine.tiles import Tree

AUDIT = "audit"
CHUNK = 2000
Step = Callable[[int, str], None]


class Note(NamedTuple):
    """A checkpoint whose signature holds, in the order of sizes."""

    size: int
    name: str
    root: bytes


class Numbering(NamedTuple):
    """A numbered entry as it is read: what its leaf is made from, and the leaf that is stored."""

    number: int
    leaf: bytes
    id: UUID
    at: Any
    actor: str
    action: str
    about: str
    scope: UUID | None
    data: dict[str, Any]
    salt: bytes
    row_count: int
    rows_root: bytes
    row_digests: bytes


COLUMNS = ("id", "at", "actor", "action", "about", "scope", "data", "salt", "row_count", "rows_root", "row_digests")


def check(report: Report, outside: Sequence[Path], tiles: Path | None, step: Step) -> None:
    """The tree from the entries up, against stored leaves, stored nodes, every checkpoint, and tiles kept elsewhere."""
    report.keys = trusted_keys(report)
    folders = [one.folder for one in settings.CHECKPOINT_DESTINATIONS if one.folder]
    places = [Path(settings.CHECKPOINT_FOLDER), *folders, *outside]
    kept = sorted([*_notes_outside(places, report), *_signers_note(report)])
    exported = _Exported(tiles, report) if tiles is not None else None
    notes = _Merged(heapq.merge(_notes_in_database(report), kept))  # begins to read before the entries are read
    tree = Tree()
    numbered = Numbered.objects.using(AUDIT).order_by("index")
    rows = numbered.values_list("index", "leaf_hash", *(f"entry__{name}" for name in COLUMNS))
    _compare(notes.up_to(0), tree, report)
    for chunk in _chunks(rows.iterator(chunk_size=CHUNK)):
        made: dict[tuple[int, int], bytes] = {}
        for row in chunk:
            leaf = _check_entry(Numbering(*row), tree.size, report)
            if exported:
                exported.compare(tree.size, leaf)
            made.update(tree.append(leaf))
            _compare(notes.up_to(tree.size), tree, report)
        _check_nodes(made, report)
        step(len(chunk), "entries")
    report.entries, report.root = tree.size, tree.root()
    _check_tokens(report)
    for note in notes.rest():
        report.add(
            "spine_sequence",
            f"{tree.size}…{note.size - 1}",
            f"the tail is gone: {note.name} was signed at size {note.size}",
        )
    if exported:
        exported.finish(tree.size)


def trusted_keys(report: Report) -> list[PublicKey]:
    """The public keys, the first of them trusted, each later one by the hand-over of the one before it."""
    try:
        listed = signing.public_keys()
    except (NotAccepted, OSError) as error:
        report.add("spine_keyhandover", "public keys", f"the file of public keys cannot be used: {error}")
        return []
    given = set()
    for row in KeyHandover.objects.using(AUDIT).order_by("size"):
        with suppress(NotAccepted, ValueError):  # a changed row is named as a row
            keyring.check(statement := keys.statement_in(row))
            given.add((statement.old, statement.new, statement.size))
    believed = listed[:1]
    for old, new in pairwise(listed):
        if (old.public, new.public, new.after) not in given:
            report.add("spine_keyhandover", new.fingerprint, "no key before it hands over to this one in the log")
            break
        believed.append(new)
    return believed


def _check_entry(row: Numbering, position: int, report: Report) -> bytes:
    """The leaf as the entry makes it; what disagrees with it is noted."""
    digests, root = bytes(row.row_digests), bytes(row.rows_root)
    if row.number != position:
        report.add("spine_sequence", row.number, f"index {position} was expected here")
    parts = [digests[i : i + 32] for i in range(0, len(digests), 32)]
    made = parts[0] if len(parts) == 1 else merkle.root(parts)
    if len(digests) != 32 * row.row_count or made != root:
        report.add("spine_logentry", row.id, "its row digests do not give its rows root")
    leaf = merkle.leaf_hash(
        canonical.entry_bytes(
            entry_id=row.id,
            at=row.at,
            actor=row.actor,
            action=row.action,
            about=row.about,
            scope=row.scope,
            data=row.data,
            salt=bytes(row.salt),
            row_count=row.row_count,
            rows_root=root,
        )
    )
    if leaf != bytes(row.leaf):
        report.add("spine_logentry", row.id, f"the entry at index {row.number} is not the one that was numbered")
    return leaf


def _check_nodes(made: dict[tuple[int, int], bytes], report: Report) -> None:
    """Stored complete nodes against recomputed ones; a rewritten leaf with its hash is found by its parent.

    Where a node disagrees, those above it must; only the lowest is named.
    """
    wrong: set[tuple[int, int]] = set()
    for level in sorted({level for level, _ in made}):
        indexes = [index for at, index in made if at == level]
        stored = dict(
            Node.objects.using(AUDIT)
            .filter(level=level, index__gte=min(indexes), index__lte=max(indexes))
            .values_list("index", "hash")
        )
        report.nodes += len(indexes)
        for index in indexes:
            if bytes(stored.get(index, b"")) == made[level, index]:
                continue
            below = {(level - 1, 2 * index), (level - 1, 2 * index + 1)}
            if not below & wrong:
                first, last = index << level, ((index + 1) << level) - 1
                report.add("spine_node", f"level {level}, index {index}", f"disagrees with entries {first}–{last}")
            wrong.add((level, index))


class _Merged:
    """Notes by size, with a look at the next one."""

    def __init__(self, notes: Iterator[Note]) -> None:
        self.notes = notes
        self.next = next(notes, None)

    def up_to(self, size: int) -> Iterator[Note]:
        """Those of this size and below that were not given yet."""
        while self.next is not None and self.next.size <= size:
            yield self.next
            self.next = next(self.notes, None)

    def rest(self) -> Iterator[Note]:
        """All that are left."""
        while self.next is not None:
            yield self.next
            self.next = next(self.notes, None)


def _compare(notes: Iterator[Note], tree: Tree, report: Report) -> None:
    for note in notes:
        report.checkpoints += 1
        if note.root != tree.root():
            what = f"a fork: the log's first {note.size} entries do not give its root"
            report.add("spine_checkpoint", note.name, what)


def _notes_in_database(report: Report) -> Iterator[Note]:
    rows = Checkpoint.objects.using(AUDIT).order_by("size").values_list("size", "root", "note")
    for size, root, text in rows.iterator(chunk_size=CHUNK):
        note = _signed(text, f"size {size}", report)
        if note and (note.size != size or note.root != bytes(root)):
            report.add("spine_checkpoint", f"size {size}", "its columns differ from its signed text")
        if note:
            yield Note(size, f"checkpoint of size {size} in the database", note.root)


def _notes_outside(places: Sequence[Path], report: Report) -> Iterator[Note]:
    for place in places:
        files = sorted(place.glob("*.txt")) if place.is_dir() else [place]
        for file in files if place.exists() else []:
            note = _signed(file.read_text(encoding="utf-8", errors="replace"), file.name, report)
            if note:
                yield Note(note.size, f"checkpoint {file.name} kept outside", note.root)


def _signers_note(report: Report) -> Iterator[Note]:
    """What the signer remembers, where it answers: one more copy that the database's owner cannot reach."""
    try:
        text = signing.ask("status")["note"]
    except (Refused, KeyError):
        return
    note = _signed(text, "the signer's memory", report) if text else None
    if note:
        yield Note(note.size, "the checkpoint the signer remembers", note.root)


def _signed(text: str, name: str, report: Report) -> checkpoint.Checkpoint | None:
    try:
        return keyring.verify(text, report.keys)
    except NotAccepted as error:
        fresh = trusted_keys(Report())  # the key may have been handed over since this verification began
        if len(fresh) > len(report.keys):
            report.keys = fresh
            return _signed(text, name, report)
        report.add("spine_checkpoint", name, str(error))
        return None


def _check_tokens(report: Report) -> None:
    """Every time stamp that counts, against the checkpoint it is about and the certificates kept with it."""
    chains = {row.sha256: row.pem.encode() for row in TimeStampChain.objects.using(AUDIT)}
    for row in TimeStamp.objects.using(AUDIT).order_by("size", "pk").iterator(chunk_size=CHUNK):
        report.tokens += 1
        note = Checkpoint.objects.using(AUDIT).filter(size=row.size).values_list("note", flat=True).first() or ""
        try:
            found = timestamps.verify(bytes(row.response), note.encode(), None, chains.get(row.chain_sha256, b""))
        except Refused as refused:
            report.add("spine_timestamp", row.pk, refused.message)
            continue
        if found.tst_info.gen_time != row.stated_at:
            report.add("spine_timestamp", row.pk, "its column differs from the time in the token")


class _Exported:
    """Tiles kept elsewhere, held against the leaves as they come: each tile that differs is named with its entries."""

    def __init__(self, folder: Path, report: Report) -> None:
        self.report = report
        self.size = 0
        self.differing: list[int] = []
        self.leaves: Iterator[bytes] = iter(())
        try:
            note = _signed((folder / "checkpoint").read_text(encoding="utf-8"), f"checkpoint in {folder}", report)
            if note is None:
                return
            tiling.check(folder, note.size, note.root)
            self.size, self.leaves = note.size, tiling.leaves(folder, note.size)
        except (OSError, UnicodeDecodeError, tiling.NotTiles) as error:
            report.add("tiles", folder, str(error))

    def compare(self, index: int, leaf: bytes) -> None:
        """One leaf of the log against the tile that holds it."""
        if index >= self.size:
            return
        if index % tiling.WIDTH == 0:
            self.report.tiles += 1
            self._tell()
        if next(self.leaves) != leaf:
            self.differing.append(index)

    def finish(self, size: int) -> None:
        """The tiles are of more entries than the log has: a tail was cut off."""
        self._tell()
        if size < self.size:
            what = f"the tail is gone: the tiles are of {self.size} entries"
            self.report.add("spine_sequence", f"{size}…{self.size - 1}", what)

    def _tell(self) -> None:
        if self.differing:
            number = self.differing[0] // tiling.WIDTH
            shown = ", ".join(map(str, self.differing[:20])) + ("…" if len(self.differing) > 20 else "")
            self.report.add(
                "tiles", f"tile {number}", f"the log differs from it at {len(self.differing)} entries: {shown}"
            )
            self.differing = []


def _chunks(rows: Iterator[Any]) -> Iterator[list[Any]]:
    while chunk := list(islice(rows, CHUNK)):
        yield chunk
