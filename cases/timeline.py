"""The timeline of a case in three lanes, merged from accounts, releases, findings, decisions and notes."""

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice, takewhile
from uuid import UUID

from django.db.models import Count, DateTimeField, Max, Min, QuerySet, Sum
from django.db.models.functions import Coalesce, TruncDay

from cases import history, sentences
from cases.history import Cut
from cases.models import Case, TimelineNote
from cases.vocabulary import Confidence, Lane
from detection.models import ClusterMember, Finding, ModelRelease
from spine.models import LogEntry

QUIET = (
    "evidence.viewed",
    "evidence.copied",
    "dossier.downloaded",
)  # read, not decided: they stand in the custody log and in the log
PAGE = 50


@dataclass(frozen=True, order=True)
class Place:
    """Where an entry stands: by time, then by a key of its own, so that pages neither repeat nor leave out."""

    at: datetime
    key: str


@dataclass(frozen=True)
class Entry:
    """One line of the timeline; times are UTC. `kind` and `item_id` name the record, `accounts` how many it is about.

    `kind` is one of activity, release, findings, decision, note; a release is drawn as a ruled line across the lanes.
    """

    place: Place
    lane: str
    kind: str
    text: str
    source: str
    until: datetime | None = None
    confidence: str = ""
    accounts: int | None = None
    item_id: UUID | None = None

    @property
    def at(self) -> datetime:
        """When it happened, or began."""
        return self.place.at

    @property
    def ruled(self) -> bool:
        """Whether it is a mark across all lanes."""
        return self.kind == "release"


@dataclass(frozen=True)
class Page:
    """A stretch of the timeline, oldest first; `next` and `previous` go back to `page` as they are, empty at an end."""

    entries: list[Entry]
    next: str
    previous: str


Source = Callable[[Case, "Cut | None"], Iterable[Entry]]


def entries(case: Case, at: Cut | None = None, lane: str = "", since: datetime | None = None) -> Iterator[Entry]:
    """Every entry, oldest first, of one lane or of all. With `since`, earlier decisions may be left out unread."""
    lanes: list[Iterable[Entry]] = [
        sorted(source(case, at), key=_place) for known, source in SOURCES if not lane or lane in known
    ]
    if lane in {"", Lane.DECISIONS}:
        lanes.append(_decisions(case, at, since))
    return (entry for entry in heapq.merge(*lanes, key=_place) if not lane or entry.lane == lane)


def page(case: Case, *, lane: str = "", cursor: str = "", size: int = PAGE, at: Cut | None = None) -> Page:
    """The stretch a cursor of another page leads to, from the beginning without one. An unreadable cursor is none."""
    backwards, place = _read(cursor)
    if place is not None and backwards:
        since = _acts_back(case, at, place, size + 1)
        earlier = list(takewhile(lambda entry: entry.place < place, entries(case, at, lane, since)))
        chosen, before, after = earlier[-size:], len(earlier) > size, True
    else:
        onward = entries(case, at, lane, place.at if place else None)
        later = list(islice((entry for entry in onward if place is None or entry.place > place), size + 1))
        chosen, before, after = later[:size], place is not None, len(later) > size
    return Page(
        chosen,
        next=_write("a", chosen[-1].place) if chosen and after else "",
        previous=_write("b", chosen[0].place) if chosen and before else "",
    )


def counts(case: Case) -> dict[str, int]:
    """How many entries each lane has."""
    result = dict.fromkeys(Lane.values, 0)
    for _, source in SOURCES:
        for entry in source(case, None):
            result[entry.lane] += 1
    result[Lane.DECISIONS] += _acts(case, None).count()
    return result


def _activity(case: Case, at: Cut | None) -> Iterator[Entry]:
    """First and last activity of the accounts, by day."""
    members = history.members_at(case, at).order_by("account_id", "-cluster__run__finished_at", "-id").values("id")
    chosen = ClusterMember.objects.filter(id__in=members)
    for column, words, moment in (("first_seen", "first seen", Min), ("last_seen", "last seen", Max)):
        days = chosen.annotate(day=TruncDay(column, tzinfo=UTC)).values("day").order_by("day")
        for row in days.annotate(accounts=Count("id"), moment=moment(column), exchanges=Sum("exchanges")):
            count = row["accounts"]
            text = f"{count:,} {'account' if count == 1 else 'accounts'} {words}"
            place = Place(row["moment"], f"activity:{column}")
            yield Entry(place, Lane.ACCOUNTS, "activity", text, "members of the held clusters", accounts=count)


def _releases(case: Case, at: Cut | None) -> Iterator[Entry]:
    """Releases of models while the accounts were active."""
    for release in releases(case, at):
        text, source = f"{release.model} released", "the provider's release calendar"
        place = Place(release.released_at, f"release:{release.id}")
        yield Entry(place, Lane.ACCOUNTS, "release", text, source, item_id=release.id)


def _findings(case: Case, at: Cut | None) -> Iterator[Entry]:
    """What each detector version said on each day, as one entry."""
    said_at = Coalesce("observed_at", "received_at", output_field=DateTimeField())
    grouped = (
        Finding.objects.filter(id__in=history.findings_at(case, at).order_by().values("id"))
        .annotate(said_at=said_at)
        .values(
            "detector__name", "detector_version__version", "detector_version_id", day=TruncDay("said_at", tzinfo=UTC)
        )
        .annotate(
            findings=Count("id"),
            first=Min("said_at"),
            last=Max("said_at"),
            start=Min("window_start"),
            end=Max("window_end"),
        )
        .order_by("first", "detector_version_id")
    )
    for row in grouped:
        count = row["findings"]
        window = f"{row['start']:%d %b} – {row['end']:%d %b %Y}"
        text = f"{count:,} {'finding' if count == 1 else 'findings'} about {window}"
        yield Entry(
            Place(row["first"], f"findings:{row['detector_version_id']}"),
            Lane.DETECTORS,
            "findings",
            text,
            f"{row['detector__name']} {row['detector_version__version']}",
            until=row["last"] if row["last"] > row["first"] else None,
            item_id=row["detector_version_id"],
        )


def _decisions(case: Case, at: Cut | None, since: datetime | None) -> Iterator[Entry]:
    """What we did and decided, from the log, in order and read only as far as it is asked for."""
    acts = _acts(case, at).order_by("at", "id")
    if since is not None:
        acts = acts.filter(at__gte=since)
    for act in acts.iterator(chunk_size=200):
        source = act.actor.partition(":")[2]
        yield Entry(
            Place(act.at, f"decision:{act.id}"),
            Lane.DECISIONS,
            "decision",
            sentences.tell(act),
            f"log entry by {source}",
            item_id=act.id,
        )


def _acts(case: Case, at: Cut | None) -> QuerySet[LogEntry]:
    if at is None:  # building dossiers is something we did; it is out of a cut only
        acts = LogEntry.objects.filter(scope=case.id)
    else:
        acts = LogEntry.objects.filter(pk__in=history.acts_at(case, at).order_by().values("pk"))
    return acts.exclude(action__in=QUIET).only("id", "at", "actor", "action", "data")


def _acts_back(case: Case, at: Cut | None, place: Place, count: int) -> datetime | None:
    """When the act that lies `count` acts before this place was done, None when there are not so many."""
    earlier = _acts(case, at).filter(at__lte=place.at).order_by("-at", "-id").values_list("at", flat=True)
    return earlier[count : count + 1].first()


def _notes(case: Case, at: Cut | None) -> Iterator[Entry]:
    """What people added by hand."""
    for note in history.notes_at(case, at):
        yield _note(note)


def _note(note: TimelineNote) -> Entry:
    return Entry(
        Place(note.starts_at, f"note:{note.id}"),
        note.lane,
        "note",
        note.text,
        f"{note.source} (added by {note.author.username})",
        until=note.ends_at,
        confidence=Confidence(note.confidence).label,
        item_id=note.id,
    )


def releases(case: Case, at: Cut | None = None) -> list[ModelRelease]:
    """Releases of models between the first and the last activity of the case's accounts, oldest first."""
    span = history.clusters_at(case, at).order_by().aggregate(first=Min("first_seen"), last=Max("last_seen"))
    if span["first"] is None:
        return []
    known = history.before(ModelRelease.objects.all(), at)
    within = known.filter(released_at__gte=span["first"], released_at__lte=span["last"])
    return list(within.order_by("released_at", "model"))


# Where entries come from besides the log, each with the lanes it can fill.
EVERY_LANE = tuple(Lane.values)
SOURCES: tuple[tuple[tuple[str, ...], Source], ...] = (
    ((Lane.ACCOUNTS,), _activity),
    ((Lane.ACCOUNTS,), _releases),
    ((Lane.DETECTORS,), _findings),
    (EVERY_LANE, _notes),
)


def _place(entry: Entry) -> Place:
    return entry.place


def _write(direction: str, place: Place) -> str:
    return f"{direction}~{place.at.astimezone(UTC).isoformat()}~{place.key}"


def _read(cursor: str) -> tuple[bool, Place | None]:
    direction, _, rest = cursor.partition("~")
    moment, _, key = rest.partition("~")
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        return False, None
    return direction == "b", Place(at, key) if at.tzinfo else None
