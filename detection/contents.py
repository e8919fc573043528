"""What a telemetry source holds: rows by day, what was not kept, columns there and absent, what that leaves open."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
from django.db.models import Count, Max, Min, QuerySet, Sum

from detection import expiry, retention
from detection.detectors import BY_NAME
from detection.models import DataClass, FileKind, TelemetryFile, TelemetrySource
from detection.records import Window
from detection.sources import KIND, root_of
from detection.telemetry.columns import ACCOUNTS, EXCHANGES
from detection.telemetry.dataset import filled_in
from spine.models import Job, JobState


@dataclass(frozen=True)
class Day:
    """A UTC day and the exchanges of it that are stored."""

    day: date
    rows: int


@dataclass(frozen=True)
class Unanswered:
    """A detector that cannot answer on this source, and why, in a sentence."""

    name: str
    title: str
    reason: str


@dataclass(frozen=True)
class Totals:
    """Counts over a source's files of exchanges; times of the first and last exchange that was read."""

    files: int = 0
    rows: int = 0
    bad: int = 0
    repeated: int = 0
    cut: int = 0
    first: datetime | None = None
    last: datetime | None = None


@dataclass(frozen=True)
class Contents:
    """What a source holds. `expires` tells of its request logs, in a sentence for a plural."""

    totals: Totals
    days: tuple[Day, ...]
    present: tuple[str, ...]
    absent: tuple[str, ...]
    account_columns: tuple[str, ...]
    unanswered: tuple[Unanswered, ...]
    unknown: tuple[tuple[str, int], ...]
    expires: str
    next_loss: datetime | None


@dataclass(frozen=True)
class _Here:
    """The columns that hold anything; what detectors ask of a dataset before they begin."""

    columns: frozenset[str]
    account_columns: frozenset[str]


def totals(sources: QuerySet[TelemetrySource]) -> dict[UUID, Totals]:
    """Counts by source, in one question to the database."""
    exchanges = TelemetryFile.objects.filter(source__in=sources, kind=FileKind.EXCHANGES)
    rows = exchanges.values("source").annotate(
        n=Count("id"), r=Sum("rows"), b=Sum("bad"), s=Sum("repeated"), first=Min("first_ts"), last=Max("last_ts")
    )
    cut = Counter(exchanges.exclude(truncated="").values_list("source", flat=True))
    return {
        one["source"]: Totals(one["n"], one["r"], one["b"], one["s"], cut[one["source"]], one["first"], one["last"])
        for one in rows
    }


def contents(source: TelemetrySource, now: datetime | None = None) -> Contents:
    """What the source holds now, from its files' records and the footers of its parts."""
    parts = sorted((root_of(source) / "exchanges").glob("day=*/*.parquet"))
    days: Counter[str] = Counter()
    here: set[str] = set()
    for part in parts:
        rows, filled = _part(part, part.stat().st_mtime_ns)
        days[part.parent.name.removeprefix("day=")] += rows
        here |= filled
    side = root_of(source) / "accounts.parquet"
    accounts = frozenset(_part(side, side.stat().st_mtime_ns)[1]) & ACCOUNTS.keys() if side.exists() else frozenset()
    there = _Here(frozenset(here & EXCHANGES.keys()), frozenset(accounts))
    held = tuple(Day(date.fromisoformat(day), days[day]) for day in sorted(days))
    clock = _clock(source, held, now or datetime.now(UTC))
    return Contents(
        totals(TelemetrySource.objects.filter(pk=source.pk)).get(source.pk, Totals()),
        held,
        tuple(name for name in EXCHANGES if name in there.columns),
        tuple(name for name in EXCHANGES if name not in there.columns),
        tuple(name for name in ACCOUNTS if name in there.account_columns),
        tuple(_unanswered(there)) if held else (),
        tuple(sorted(_unknown(source).items())),
        *clock,
    )


def _unanswered(there: Any) -> Sequence[Unanswered]:
    found = ((one, one.missing(there)) for one in BY_NAME.values())
    return [Unanswered(one.name, one.title, reason) for one, reason in found if reason]


def _unknown(source: TelemetrySource) -> Counter[str]:
    found: Counter[str] = Counter()
    for counts in source.files.exclude(unknown_columns={}).values_list("unknown_columns", flat=True)[:1000]:
        found.update(counts)
    return Counter(dict(found.most_common(100)))


def _clock(source: TelemetrySource, days: Sequence[Day], now: datetime) -> tuple[str, datetime | None]:
    """When the source's own logs of these days go, by what is stated of it."""
    if not days:
        return "nothing is here yet, so nothing expires", None
    ahead = now.date() + timedelta(days=1)
    days = [one for one in days if one.day <= ahead] or days  # what clocks that go wrong date later expires with these
    first, last = (datetime(one.day.year, one.day.month, one.day.day, tzinfo=UTC) for one in (days[0], days[-1]))
    stated = retention.current().filter(source=source, data_class=DataClass.REQUEST_LOGS).first()
    clock = expiry.clock(
        Window(first, last + timedelta(days=1)), stated.days if stated else None, known=stated is not None, now=now
    )
    return expiry.sentence("request logs", clock, now), clock.next_loss


def unfinished(source: TelemetrySource) -> QuerySet[Job]:
    """The work of reading into this source that waits or runs."""
    going = Job.objects.filter(kind=KIND, state__in=[JobState.QUEUED, JobState.RUNNING], args__source=str(source.pk))
    return going.order_by("created_at")


def failed(source: TelemetrySource) -> QuerySet[Job]:
    """The newest files that could not be read, or whose reading was stopped."""
    ended = [JobState.FAILED, JobState.STOPPED, JobState.PARKED]
    lost = Job.objects.filter(kind=KIND, state__in=ended, args__source=str(source.pk))
    return lost.order_by("-created_at")[:20]


@lru_cache(maxsize=20_000)
def _part(path: Path, changed: int) -> tuple[int, frozenset[str]]:
    """Rows of a part and the columns that hold any value, from its footer; asked once for each state of the file."""
    try:
        with pq.ParquetFile(path) as file:
            metadata = file.metadata
            return metadata.num_rows, frozenset(filled_in(metadata, {**EXCHANGES, **ACCOUNTS}))
    except (OSError, pa.ArrowException):  # it went meanwhile
        return 0, frozenset()
