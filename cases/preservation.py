"""The preservation clock of cases: what each source still has of their window, when it goes, who was asked."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Max, Min, Q, QuerySet
from django.utils import timezone

from cases import history
from cases.models import Case, CaseCluster, PreservationAbsence, PreservationAnswer, PreservationRequest
from detection import expiry, retention
from detection.expiry import Clock, Kept, State
from detection.models import DataClass, SourceRetention, TelemetrySource
from detection.records import Window

SOON = timedelta(days=14)
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class SourceClock:
    """One kind of data at one source over the case's window; `request` is the newest, `answer` its newest answer."""

    source: TelemetrySource
    data_class: str
    window: Window
    clock: Clock
    sentence: str
    stated: SourceRetention | None
    request: PreservationRequest | None
    answer: PreservationAnswer | None

    @property
    def label(self) -> str:
        """The kind of data in words."""
        return DataClass(self.data_class).label

    @property
    def asked(self) -> str:
        """Whether anybody was asked to keep it, in words."""
        if self.request is None:
            return "not asked to keep it"
        if self.answer is None:
            return f"asked on {self.request.at:%-d %b %Y}, no answer yet"
        if self.answer.kind == PreservationAnswer.Kind.REFUSED:
            return f"refused on {self.answer.answered_at:%-d %b %Y}"
        return f"receipt {self.answer.number} of {self.answer.answered_at:%-d %b %Y}"


@dataclass(frozen=True)
class Headline:
    """The one line of a case: its sentence, when the next piece goes, and whether that is soon."""

    text: str
    next_loss: datetime | None
    soon: bool


def windows(cases: Iterable[Case]) -> dict[UUID, dict[UUID, Window]]:
    """By case and source, the span in which the case's accounts were active there."""
    held = history.in_force(CaseCluster.objects.filter(case__in=[case.pk for case in cases])).order_by()
    spans = held.values_list("case_id", "cluster__run__source_id").annotate(
        first=Min("cluster__first_seen"), last=Max("cluster__last_seen")
    )
    found: dict[UUID, dict[UUID, Window]] = defaultdict(dict)
    for case_id, source_id, first, last in spans:
        found[case_id][source_id] = Window(first, last + MICROSECOND)
    return found


def losing_soon(cases: QuerySet[Case], now: datetime | None = None) -> set[UUID]:
    """The ids of all those of these cases that may lose evidence within SOON, and of a few more: three queries.

    A window loses some when its beginning has gone by then and its end not yet now, or when what was preserved is kept
    no longer. Whether it does, with all that was preserved, the clocks say.
    """
    now = now or timezone.now()
    ids = cases.order_by().values("pk")
    kept = PreservationAnswer.objects.filter(keeps_until__gt=now, keeps_until__lte=now + SOON, request__case__in=ids)
    found = set(kept.values_list("request__case_id", flat=True))
    expiring = Q()
    for source, days in retention.current().exclude(days=None).values_list("source", "days"):
        edge = now - timedelta(days=days or 0)
        expiring |= Q(cluster__run__source=source, first__lte=edge + SOON, last__gte=edge - MICROSECOND)
    if expiring:
        spans = CaseCluster.objects.filter(case__in=ids).order_by().values("case_id", "cluster__run__source_id")
        spans = spans.annotate(first=Min("cluster__first_seen"), last=Max("cluster__last_seen")).filter(expiring)
        found |= set(spans.values_list("case_id", flat=True))
    return found


def clocks(case: Case, now: datetime | None = None) -> list[SourceClock]:
    """The clocks of one case, the most urgent first."""
    return clocks_of([case], now)[case.pk]


def clocks_of(cases: Sequence[Case], now: datetime | None = None) -> dict[UUID, list[SourceClock]]:
    """The clocks of several cases by their ids, the most urgent first; five queries for any number of them."""
    now = now or timezone.now()
    spans = windows(cases)
    sources = TelemetrySource.objects.in_bulk({one for by_source in spans.values() for one in by_source})
    stated: dict[UUID, list[SourceRetention]] = defaultdict(list)
    for row in retention.current(TelemetrySource.objects.filter(pk__in=list(sources))):
        stated[row.source_id].append(row)
    asked = _asked([case.pk for case in cases])
    found: dict[UUID, list[SourceClock]] = {case.pk: [] for case in cases}
    for case_id, by_source in spans.items():
        for source_id, window in by_source.items():
            rows = asked.get((case_id, source_id), [])
            found[case_id] += _of_source(sources[source_id], window, stated[source_id], rows, now)
    for one in found.values():
        one.sort(key=lambda clock: (clock.clock.next_loss is None, clock.clock.next_loss or now, clock.sentence))
    return found


def _of_source(
    source: TelemetrySource,
    window: Window,
    stated: list[SourceRetention],
    asked: list[PreservationRequest],
    now: datetime,
) -> list[SourceClock]:
    by_class: dict[str, SourceRetention | None] = {row.data_class: row for row in stated}
    for request in asked:
        by_class.setdefault(request.data_class, None)
    return [
        _one(source, data_class, window, row, [one for one in asked if one.data_class == data_class], now)
        for data_class, row in (by_class or {DataClass.REQUEST_LOGS.value: None}).items()
    ]


def _one(
    source: TelemetrySource,
    data_class: str,
    window: Window,
    stated: SourceRetention | None,
    asked: list[PreservationRequest],
    now: datetime,
) -> SourceClock:
    answered = [(request, answer) for request in asked if (answer := newest_answer(request)) is not None]
    kept = [
        Kept(answer.preserved_from, answer.preserved_to, answer.keeps_until)
        for _, answer in answered
        if answer.preserved_from is not None and answer.preserved_to is not None
    ]
    found = expiry.clock(window, stated.days if stated else None, known=stated is not None, now=now, kept=kept)
    words = expiry.sentence(DataClass(data_class).label, found, now)
    request = asked[-1] if asked else None
    answer = newest_answer(request) if request else None
    return SourceClock(source, data_class, window, found, words, stated, request, answer)


def newest_answer(request: PreservationRequest) -> PreservationAnswer | None:
    """The answer that counts; reads prefetched answers where there are any."""
    return next((one for one in request.answers.all() if not _superseded(request, one)), None)


def _superseded(request: PreservationRequest, answer: PreservationAnswer) -> bool:
    return any(other.supersedes_id == answer.pk for other in request.answers.all())


def _asked(cases: list[UUID]) -> dict[tuple[UUID, UUID], list[PreservationRequest]]:
    found: dict[tuple[UUID, UUID], list[PreservationRequest]] = defaultdict(list)
    rows = PreservationRequest.objects.filter(case__in=cases).prefetch_related("answers").order_by("at", "id")
    for row in rows:
        found[row.case_id, row.source_id].append(row)
    return found


def headline(found: Sequence[SourceClock], now: datetime | None = None) -> Headline | None:
    """The clock to show where there is room for one; None for a case whose accounts come from no source of ours."""
    now = now or timezone.now()
    if not found:
        return None
    first = found[0]
    several = len({one.source.pk for one in found}) > 1
    text = f"{first.source.name}: {first.sentence}" if several else first.sentence
    soon = first.clock.next_loss is not None and first.clock.next_loss - now <= SOON
    if soon and first.clock.state != State.PRESERVED:
        text += f" ({first.asked})"
    return Headline(text, first.clock.next_loss if soon else None, soon)


def unanswered(cases: Sequence[Case]) -> dict[UUID, list[str]]:
    """By case, the names of the sources of which nothing was asked and nobody explained why; three queries."""
    ids = [case.pk for case in cases]
    spans = windows(cases)
    settled = set(PreservationRequest.objects.filter(case__in=ids).values_list("case_id", "source_id"))
    settled |= set(PreservationAbsence.objects.filter(case__in=ids).values_list("case_id", "source_id"))
    names = dict(
        TelemetrySource.objects.filter(pk__in={s for by_source in spans.values() for s in by_source}).values_list(
            "pk", "name"
        )
    )
    return {
        case.pk: sorted(names[one] for one in spans.get(case.pk, {}) if (case.pk, one) not in settled) for case in cases
    }
