"""Re-reads the whole log and every protected table, and names what disagrees: a changed row, a dropped tail, a fork.

Reads as the audit role, streams in constant memory, and trusts nothing stored except the signing key's fingerprint.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connections, models
from django.db.models import F, Func, OuterRef, Subquery, Value

from spine import checkpoint, log, merkle, protection
from spine.models import AppendOnly, Checkpoint, LogEntry, Node
from spine.models import Sequence as Numbered

AUDIT = "audit"
CHUNK = 2000


@dataclass(frozen=True)
class Problem:
    """One thing that disagrees: which table, which row, and what is wrong with it."""

    table: str
    row: str
    what: str

    def __str__(self) -> str:
        return f"{self.table} {self.row}: {self.what}"


@dataclass
class Report:
    """What was read, and every disagreement found."""

    rows: int = 0
    entries: int = 0
    waiting: int = 0
    checkpoints: int = 0
    root: bytes = b""
    problems: list[Problem] = field(default_factory=list)

    def add(self, table: str, row: object, what: str) -> None:
        """Note a disagreement."""
        self.problems.append(Problem(table, str(row), what))


def verify(outside: Sequence[Path] = ()) -> Report:
    """Check rows, entries, tree, checkpoints in the database, and checkpoints kept outside it (files or folders)."""
    report = Report()
    notes = dict(_notes_in_database(report))
    for path, note in _notes_outside([Path(settings.CHECKPOINT_FOLDER), *outside], report):
        notes[path] = note
    for model in protection.protected_models():
        if issubclass(model, AppendOnly):
            _check_rows(model, report)
    _check_places(report)
    _check_entries(notes, report)
    _check_unnumbered(report)
    return report


def _check_rows(model: type[AppendOnly], report: Report) -> None:
    """Every row's digest against the one its entry keeps for that place."""
    kept = Func(
        F("row_digests"),
        OuterRef("place") * 32 + 1,
        Value(32),
        function="substring",
        output_field=models.BinaryField(),
    )
    # A subquery, not a join: a row whose entry does not exist must stay in sight.
    expected = Subquery(LogEntry.objects.filter(pk=OuterRef("entry_id")).values(digest=kept))
    rows = model._default_manager.using(AUDIT).annotate(expected_digest=expected).order_by("pk")
    for row in rows.iterator(chunk_size=CHUNK):
        report.rows += 1
        if _digest(row) != bytes(row.expected_digest or b""):
            report.add(model._meta.db_table, row.pk, f"the row is not the one entry {row.entry_id} covers")


def _digest(row: AppendOnly) -> bytes | None:
    """The row's digest, None when a changed column left it without a canonical form."""
    try:
        return merkle.leaf_hash(log.row_bytes(row))
    except ValueError:
        return None


def _check_places(report: Report) -> None:
    """Every place of every entry is taken by exactly one row, so that a removed or added row is named."""
    tables = [m._meta.db_table for m in protection.protected_models() if issubclass(m, AppendOnly)]
    union = " UNION ALL ".join(f"SELECT entry_id, place FROM {table}" for table in tables)  # noqa: S608 - our own table names
    with connections[AUDIT].cursor() as cursor:
        cursor.execute(
            f"""
            SELECT e.id, e.row_count, coalesce(r.n, 0), coalesce(r.places, '{{}}')
            FROM spine_logentry e
            LEFT JOIN (SELECT entry_id, count(*) AS n, count(DISTINCT place) AS d, array_agg(place) AS places
                       FROM ({union}) rows GROUP BY entry_id) r ON r.entry_id = e.id
            WHERE e.row_count <> coalesce(r.n, 0) OR e.row_count <> coalesce(r.d, 0)
            """  # noqa: S608 - our own table names
        )
        for entry, count, found, places in cursor.fetchall():
            missing = sorted(set(range(count)) - set(places))[:5]
            where = f"; nothing at place {', '.join(map(str, missing))}" if missing else ""
            report.add("spine_logentry", entry, f"covers {count} rows, {found} are there{where}")


def _check_entries(notes: dict[str, checkpoint.Checkpoint], report: Report) -> None:
    """The tree from the entries up, against stored leaves, stored nodes and every checkpoint."""
    by_size: dict[int, list[tuple[str, checkpoint.Checkpoint]]] = {}
    for name, note in notes.items():
        by_size.setdefault(note.size, []).append((name, note))
    tree = _Tree()
    numbered = Numbered.objects.using(AUDIT).select_related("entry").order_by("index").iterator(chunk_size=CHUNK)
    for chunk in _chunks(numbered):
        made: dict[tuple[int, int], bytes] = {}
        for row in chunk:
            _check_entry(row, tree.size, report)
            made.update(tree.append(merkle.leaf_hash(log.entry_bytes(row.entry))))
            _compare_roots(by_size.pop(tree.size, []), tree.root(), report)
        _check_nodes(made, report)
    report.entries = tree.size
    report.root = tree.root()
    for size, left in sorted(by_size.items()):
        for name, _ in left:
            report.add(
                "spine_sequence", f"{tree.size}…{size - 1}", f"the tail is gone: {name} was signed at size {size}"
            )


def _check_entry(row: Numbered, position: int, report: Report) -> None:
    entry = row.entry
    digests = bytes(entry.row_digests)
    parts = [digests[i : i + 32] for i in range(0, len(digests), 32)]
    if row.index != position:
        report.add("spine_sequence", row.index, f"index {position} was expected here")
    if len(digests) != 32 * entry.row_count or merkle.root(parts) != bytes(entry.rows_root):
        report.add("spine_logentry", entry.pk, "its row digests do not give its rows root")
    if merkle.leaf_hash(log.entry_bytes(entry)) != bytes(row.leaf_hash):
        report.add("spine_logentry", entry.pk, f"the entry at index {row.index} is not the one that was numbered")


def _check_nodes(made: dict[tuple[int, int], bytes], report: Report) -> None:
    """Stored complete nodes against recomputed ones; a rewritten leaf with its hash is found by its parent."""
    for level in {level for level, _ in made if level > 0}:
        indexes = [index for at, index in made if at == level]
        stored = dict(
            Node.objects.using(AUDIT)
            .filter(level=level, index__gte=min(indexes), index__lte=max(indexes))
            .values_list("index", "hash")
        )
        for index in indexes:
            if bytes(stored.get(index, b"")) != made[level, index]:
                first, last = index << level, ((index + 1) << level) - 1
                report.add("spine_node", f"level {level}, index {index}", f"disagrees with entries {first}–{last}")


def _compare_roots(notes: list[tuple[str, checkpoint.Checkpoint]], root: bytes, report: Report) -> None:
    for name, note in notes:
        report.checkpoints += 1
        if note.root != root:
            report.add("spine_checkpoint", name, f"a fork: the log's first {note.size} entries do not give its root")


def _notes_in_database(report: Report) -> Iterator[tuple[str, checkpoint.Checkpoint]]:
    for row in Checkpoint.objects.using(AUDIT).order_by("size").iterator(chunk_size=CHUNK):
        note = _signed(row.note, f"size {row.size}", report)
        if note and (note.size != row.size or note.root != bytes(row.root)):
            report.add("spine_checkpoint", f"size {row.size}", "its columns differ from its signed text")
        if note:
            yield f"checkpoint of size {row.size} in the database", note


def _notes_outside(places: Sequence[Path], report: Report) -> Iterator[tuple[str, checkpoint.Checkpoint]]:
    for place in places:
        files = sorted(place.glob("*.txt")) if place.is_dir() else [place]
        for file in files if place.exists() else []:
            note = _signed(file.read_text(encoding="utf-8"), file.name, report)
            if note:
                yield f"checkpoint {file.name} kept outside", note


def _signed(text: str, name: str, report: Report) -> checkpoint.Checkpoint | None:
    key = checkpoint.public_bytes(checkpoint.load_private_key(Path(settings.LOG_KEY_FILE)))
    try:
        return checkpoint.verify(text, key)
    except checkpoint.NotAccepted as error:
        report.add("spine_checkpoint", name, str(error))
        return None


def _check_unnumbered(report: Report) -> None:
    waiting = LogEntry.objects.using(AUDIT).filter(sequence=None)
    report.waiting = waiting.filter(pending__isnull=False).count()
    for entry in waiting.filter(pending=None).values_list("pk", flat=True)[:1000]:
        report.add("spine_logentry", entry, "it has no index and does not wait for one")


def _chunks(rows: Iterator[Any]) -> Iterator[list[Any]]:
    while chunk := list(islice(rows, CHUNK)):
        yield chunk


class _Tree:
    """The growing tree as its complete left subtrees, highest first: (level, hash)."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[tuple[int, bytes]] = []

    def append(self, leaf: bytes) -> Iterator[tuple[tuple[int, int], bytes]]:
        """Add a leaf; yields every complete node this makes, as ((level, index), hash)."""
        level, value, index = 0, leaf, self.size
        self.size += 1
        while self._peaks and self._peaks[-1][0] == level:
            value = merkle.node_hash(self._peaks.pop()[1], value)
            level, index = level + 1, index >> 1
            yield (level, index), value
        self._peaks.append((level, value))

    def root(self) -> bytes:
        """The root over everything appended."""
        if not self._peaks:
            return merkle.root([])
        value = self._peaks[-1][1]
        for _, left in reversed(self._peaks[:-1]):
            value = merkle.node_hash(left, value)
        return value
