"""How long each source keeps its data: stated by who administers it, read by the clocks of cases."""

import re
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from detection.models import DataClass, SourceRetention, TelemetrySource
from spine import log
from spine.errors import Conflict, Refused

LONGEST = 36_500
# Where a first statement begins: the common rule, and the longer one for what was flagged (docs/concepts.md).
SUGGESTED = {DataClass.REQUEST_LOGS: 30, DataClass.CONTENT: 30, DataClass.FLAGGED: 730}
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def current(sources: QuerySet[TelemetrySource] | None = None) -> QuerySet[SourceRetention]:
    """The newest statement of each source and data class, in the order of the classes."""
    rows = SourceRetention.objects.filter(superseded_by=None).select_related("source", "entry")
    return (rows if sources is None else rows.filter(source__in=sources)).order_by("source__name", "data_class")


@transaction.atomic
def days_kept(source: TelemetrySource) -> int | None:
    """How many days the source keeps its request logs; None where it keeps them without end, or nobody has said."""
    row = current().filter(source=source, data_class=DataClass.REQUEST_LOGS).first()
    return None if row is None else row.days


def set_retention(
    source: TelemetrySource,
    *,
    actor: str,
    data_class: str,
    days: int | None,
    custodian: str = "",
    contact: str = "",
    note: str = "",
    supersedes: UUID | None = None,
) -> SourceRetention:
    """State how long a source keeps a kind of data; `supersedes` is the statement its author saw, None for none.

    Side effects: the row; one log entry. Raises Conflict when another statement was made since, Refused for a kind or
    a number that is not accepted, and when nothing would change.
    """
    if data_class not in DataClass.values:
        raise Refused(f"No such data: accepted are {', '.join(DataClass.values)}.", field="data_class")
    if days is not None and not 0 <= days <= LONGEST:
        raise Refused(f"Days are a whole number from 0 to {LONGEST:,}, or empty for without end.", field="days")
    texts = {
        "custodian": _clean(custodian, "custodian", 200),
        "contact": _clean(contact, "contact", 300),
        "note": _clean(note, "note", 500),
    }
    standing = SourceRetention.objects.filter(source=source, data_class=data_class, superseded_by=None).first()
    if (standing.pk if standing else None) != supersedes:
        raise Conflict(f"How long {source.name} keeps this was stated anew meanwhile. Look again before you decide.")
    if standing and standing.days == days and all(getattr(standing, name) == text for name, text in texts.items()):
        raise Refused("Nothing was changed: the values are what they were.")
    row = SourceRetention(source=source, data_class=data_class, days=days, supersedes=standing, **texts)
    kept = "without end" if days is None else f"{days} days"
    old = None if standing is None else standing.days
    data = {"source": source.name, "what": DataClass(data_class).label, "kept": kept, "old": old, "new": days}
    try:
        with transaction.atomic():
            log.record(actor=actor, action="telemetry.retention_set", about=source, data=data, rows=[row])
    except IntegrityError:
        raise Conflict(f"How long {source.name} keeps this was stated by somebody else just now.") from None
    return row


def _clean(value: str, field: str, limit: int) -> str:
    text = value.strip()
    if len(text) > limit:
        raise Refused(f"The {field} has {len(text):,} characters; at most {limit:,} fit.", field=field)
    if _CONTROL.search(text):
        raise Refused(f"The {field} contains control characters.", field=field)
    return text
