"""What every page's frame shows: the sample banner, and background work that failed to whoever can act on it."""

from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest

from cases import notices, verifying
from cases.access import Person, visible_cases, visible_jobs
from cases.models import EvidenceItem
from cases.notice_kinds import BANNERS
from cases.places import offered
from cases.sample_texts import SOURCE
from detection.models import TelemetrySource
from people.rights import may
from spine import conditions
from spine.models import Job, JobState, Outbox

MOST_BANNERS = 3


def _sample_data() -> str:
    """How much of what is here comes from the sample story: all, part, or nothing (empty)."""
    names = set(TelemetrySource.objects.order_by().values_list("name", flat=True))
    return ("part" if names - {SOURCE} else "all") if SOURCE in names else ""


def frame(request: HttpRequest) -> dict[str, Any]:
    """Context of every template; asks the database only for people who can act on the answer."""
    person = getattr(request, "user", None)
    if person is None or not person.is_authenticated:
        return {"product_version": settings.VERSION}
    unseen = notices.unseen(person)
    count = unseen.order_by().count()
    context: dict[str, Any] = {
        "product_version": settings.VERSION,
        "places": offered(person),
        "notices": list(unseen.filter(kind__in=BANNERS)[:MOST_BANNERS]) if count else [],
        "notice_count": count,
        "sample_data": _sample_data(),
        "sample_source": SOURCE,
        "may_identify_accounts": may(person, "accounts.identify"),
        "may_read_cases": may(person, "cases.read"),
        "may_read_system": may(person, "system.read"),
        "may_read_leads": may(person, "leads.read"),
        "may_write_cases": may(person, "cases.write"),
        "may_write_detectors": may(person, "detectors.write"),
        "may_write_leads": may(person, "leads.write"),
        "may_write_webhooks": may(person, "webhooks.write"),
    }
    if may(person, "cases.write") or may(person, "detectors.write"):
        context["failed_jobs"] = failed_jobs(person).count() if failed_jobs().exists() else 0
        context["conditions"] = conditions.standing()
        context["failed_files"] = failed_files(person)
        context["failed_followups"] = Outbox.objects.filter(handled_at=None, attempts__gt=0).count()
    return context


def failed_files(person: Person) -> int:
    """Stored files that failed their last comparison: of exhibits this person may know of, or all to who keeps them."""
    failed = verifying.failing()
    if not failed.exists():  # nearly always: whose they are is then not worth asking on every page
        return 0
    if may(person, "cases.read"):
        known = EvidenceItem.objects.filter(case__in=visible_cases(person))
        bytes_of = Q(sha256__in=known.values("sha256"))
        for model, column, to_item, _ in verifying.BESIDE:
            bytes_of |= Q(sha256__in=model.objects.filter(**{f"{to_item}__in": known.values("pk")}).values(column))
        failed = failed.filter(bytes_of)
    return failed.count()


def failed_jobs(person: Person | None = None) -> QuerySet[Job]:
    """Jobs that wait for a person: failed or set aside, and the same work not done since.

    With a person, those that they may know of: work on a case is nothing to who may not know of it.
    """
    jobs = Job.objects.all() if person is None else visible_jobs(person)
    failed = jobs.filter(state__in=[JobState.FAILED, JobState.PARKED])
    newer = Job.objects.filter(kind=OuterRef("kind"), key=OuterRef("key"), created_at__gt=OuterRef("created_at"))
    return failed.exclude(Exists(newer)).order_by("-created_at")
