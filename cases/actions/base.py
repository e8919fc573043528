"""What every verb begins with: the right, the lock, clean text; and how a lost race is told."""

import re
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.utils import timezone

from cases.models import Case, Lead
from cases.models.case import CaseStatus
from people.models import User
from people.rights import may, refusal
from spine.errors import Conflict, Refused
from spine.models import LogEntry

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def require(actor: User, *rights: str) -> None:
    """Raise PermissionDenied unless this person is active and holds every one of the rights."""
    for right in rights:
        if not actor.is_active or not may(actor, right):
            raise PermissionDenied(refusal(actor, right))


def locked_case(case: Case) -> Case:
    """The case with its row locked until the end of the transaction. Raises Refused when it is closed."""
    row = Case.objects.select_for_update(no_key=True).get(pk=case.pk)
    if row.status == CaseStatus.CLOSED:
        raise Refused(f"{row.ref} is closed: reopen it first{_by(last_act(row, 'case.moved'))}.")
    return row


def locked_lead(lead: Lead) -> Lead:
    """The lead with its row locked until the end of the transaction; the cluster is the one it stands for now."""
    return Lead.objects.select_for_update(no_key=True, of=("self",)).select_related("cluster").get(pk=lead.pk)


def touch(case: Case) -> None:
    """Move the case to the top of the list of what changed."""
    case.updated_at = timezone.now()
    case.save(update_fields=["updated_at"])


def clean(value: str, *, field: str, label: str, limit: int, required: bool = True) -> str:
    """Text as it is stored: trimmed, LF line ends. Raises Refused when empty, too long, or with control characters."""
    text = value.replace("\r\n", "\n").replace("\r", "\n").strip()
    if required and not text:
        raise Refused(f"{label} is missing.", field=field)
    if len(text) > limit:
        raise Refused(f"{label} has {len(text):,} characters; at most {limit:,} fit.", field=field)
    if _CONTROL.search(text):
        raise Refused(f"{label} contains control characters.", field=field)
    return text


def one_of(value: str, accepted: Iterable[str], *, field: str, label: str) -> str:
    """The value, if it is one of those accepted; else Refused names them."""
    known = list(accepted)
    if value not in known:
        raise Refused(f"{label} {value!r} is not known: accepted are {', '.join(known)}.", field=field)
    return value


def last_act(about: Model, *actions: str, **details: Any) -> LogEntry | None:
    """The newest entry about this object, with one of the actions if any are given, and with these lookups."""
    if isinstance(about, Case):
        details["scope"] = about.pk
    acts = LogEntry.objects.filter(about=f"{about._meta.label_lower}:{about.pk}", **details)
    if actions:
        acts = acts.filter(action__in=actions)
    return acts.order_by("-at", "-id").first()


def lost(message: str, entry: LogEntry | None) -> Conflict:
    """The conflict to raise: what it is now, and who made it so and when."""
    return Conflict(f"{message}{_by(entry)}. Look again before you decide.")


def name_of(principal: str) -> str:
    """A principal as people read it: `user:lead` → `lead`."""
    return principal.partition(":")[2] or principal


def _by(entry: LogEntry | None) -> str:
    if entry is None:
        return ""
    return f" (by {name_of(entry.actor)}, {entry.at:%d %b %Y %H:%M} UTC)"
