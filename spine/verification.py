"""Re-reads the whole log and every protected table, and names what disagrees: a changed row, a dropped tail, a fork.

Reads as the audit role, streams in constant memory, and trusts nothing stored except the first of the public keys.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from django.db import connections, models
from django.db.models import F, Func, OuterRef, Subquery, Value

from spine import erasure, log, merkle, protection, verification_tree
from spine.models import AppendOnly, LogEntry
from spine.report import Problem, Progress, Report

__all__ = ["Problem", "Report", "verify"]

AUDIT = "audit"
CHUNK = 2000


def _quiet(done: int, total: int, note: str) -> None:
    """Nobody is watching."""


def verify(outside: Sequence[Path] = (), *, tiles: Path | None = None, progress: Progress = _quiet) -> Report:
    """Check rows, entries, tree, checkpoints in the database, and checkpoints kept outside it (files or folders).

    `tiles` is a folder that `export_log` wrote and that was kept elsewhere: entries that differ from it are named.
    """
    report = Report()
    steps = _Steps(progress)
    for model in protection.protected_models():
        if issubclass(model, AppendOnly):
            _check_rows(model, report, steps)
    _check_places(report)
    verification_tree.check(report, outside, tiles, steps.step)
    _check_unnumbered(report)
    return report


class _Steps:
    """Progress over tables and entries, told once a chunk."""

    def __init__(self, progress: Progress) -> None:
        self.done = self.total = 0
        self.progress = progress
        if progress is _quiet:
            return
        self.total = sum(
            model._default_manager.using(AUDIT).count()
            for model in protection.protected_models()
            if issubclass(model, AppendOnly | LogEntry)
        )

    def step(self, count: int, note: str) -> None:
        self.done += count
        self.progress(min(self.done, self.total), self.total, note)


def _check_rows(model: type[AppendOnly], report: Report, steps: _Steps) -> None:
    """Every row's digest against the one its entry keeps for that place."""
    table, count = model._meta.db_table, 0
    kept = Func(
        F("row_digests"),
        OuterRef("place") * 32 + 1,
        Value(32),
        function="substring",
        output_field=models.BinaryField(),
    )
    # A subquery, not a join: a row whose entry does not exist must stay in sight.
    expected = Subquery(LogEntry.objects.filter(pk=OuterRef("entry_id")).values(digest=kept))
    names = ["pk", "salt", *(name for name, _ in log.columns(model))]
    rows = model._default_manager.using(AUDIT).order_by("pk").values_list("entry_id", expected, *names)
    erased = erasure.commitments(model, AUDIT)
    for entry_id, digest, pk, salt, *values in rows.iterator(chunk_size=CHUNK):
        count += 1
        if _digest(model, pk, salt, values, erased) != bytes(digest or b""):
            report.add(table, pk, f"the row is not the one entry {entry_id} covers")
        if count % CHUNK == 0:
            steps.step(CHUNK, f"rows of {table}")
    steps.step(count % CHUNK, f"rows of {table}")
    report.tables[table] = count


def _digest(
    model: type[AppendOnly], pk: Any, salt: Any, values: list[Any], erased: Mapping[str, bytes]
) -> bytes | None:
    """The row's digest, None when a changed column left it without a canonical form."""
    try:
        return merkle.leaf_hash(erasure.bytes_of_values(model, pk, salt, values, erased))
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


def _check_unnumbered(report: Report) -> None:
    waiting = LogEntry.objects.using(AUDIT).filter(sequence=None)
    report.waiting = waiting.filter(pending__isnull=False).count()
    for entry in waiting.filter(pending=None).values_list("pk", flat=True)[:1000]:
        report.add("spine_logentry", entry, "it has no index and does not wait for one")
