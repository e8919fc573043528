"""What every page's frame shows: the sample banner and background work that failed."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from people.rights import may
from spine.models import Job, JobState, Outbox


def frame(request: HttpRequest) -> dict[str, Any]:
    """Context of every template; asks the database only for people who can act on the answer."""
    person = getattr(request, "user", None)
    if person is None or not person.is_authenticated:
        return {"product_version": settings.VERSION}
    return {
        "product_version": settings.VERSION,
        "may_read_cases": may(person, "cases.read"),
        "may_write_cases": may(person, "cases.write"),
        "may_write_leads": may(person, "leads.write"),
        "failed_jobs": Job.objects.filter(state__in=[JobState.FAILED, JobState.PARKED]).count(),
        "failed_followups": Outbox.objects.filter(handled_at=None, attempts__gt=0).count(),
    }
