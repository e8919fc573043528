"""What people are told, in one visible table: each kind with its words, whom it is for, and its default way."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import TextChoices


class Way(TextChoices):
    """How a person wants to be told of a kind. The ways by mail show it in the product too."""

    IN_APP = "in_app", "here only"
    AT_ONCE = "at_once", "here, and by mail at once"
    DIGEST = "digest", "here, and in the daily mail"
    OFF = "off", "not at all"


class Mailing(TextChoices):
    """How a notice is still to be mailed."""

    NONE = "none", "not, or not any more"
    AT_ONCE = "at_once", "at once"
    DIGEST = "digest", "in the next digest"


class Kind(TextChoices):
    """The kinds; `KINDS` says more of each."""

    ASSIGNED = "assigned", "assigned to me"
    REVIEW = "review", "a second person is asked for"
    HOLD = "hold", "a hold I am to acknowledge"
    MEMBER = "member", "who may read a case of mine"
    RECALL = "recall", "a detector version that a case of mine leans on is recalled"
    NEWER = "newer", "a newer run sees a case of mine otherwise"
    MATCH = "match", "a lead meets a closed or quiet case of mine"
    MOVED = "moved", "a case of mine moved on"
    SNOOZED = "snoozed", "a lead of mine is snoozed, or comes back"
    EXPIRING = "expiring", "evidence of a case of mine expires soon"
    WAITING = "waiting", "leads that wait for long"
    STALLED = "stalled", "a feed that delivers nothing"


@dataclass(frozen=True)
class Told:
    """More of a kind: the right that makes it somebody's business, its sentence in mails, the default way.

    `stays`: it cannot be turned off. `banner`: it stands on every page until it is seen. `role`: for this role alone.
    """

    right: str
    sentence: str
    way: Way = Way.AT_ONCE
    stays: bool = False
    banner: bool = True
    role: str = ""


KINDS: dict[str, Told] = {
    Kind.ASSIGNED: Told("cases.read", "Something was assigned to you."),
    Kind.REVIEW: Told("cases.read", "A second person is asked for, and you may be the one.", banner=False),
    Kind.HOLD: Told("cases.read", "You are asked to acknowledge a hold.", stays=True),
    Kind.MEMBER: Told("cases.read", "Who may read a case of yours was changed.", stays=True),
    Kind.RECALL: Told("cases.read", "A detector version that a case of yours leans on is recalled.", stays=True),
    Kind.NEWER: Told("cases.read", "A newer run sees a case of yours otherwise.", banner=False),
    Kind.MATCH: Told("cases.read", "A lead meets a closed or quiet case of yours.", banner=False),
    Kind.MOVED: Told("cases.read", "A case of yours moved on.", Way.DIGEST, banner=False),
    Kind.SNOOZED: Told("leads.write", "A lead of yours is snoozed, or comes back.", Way.IN_APP, banner=False),
    Kind.EXPIRING: Told("cases.read", "Request data of a case assigned to you expires soon.", banner=False),
    Kind.WAITING: Told("leads.write", "Leads have waited for long.", Way.DIGEST, banner=False, role="case_lead"),
    Kind.STALLED: Told("detectors.write", "A feed delivers nothing any more.", banner=False),
}
BANNERS = [kind for kind, one in KINDS.items() if one.banner]


def offered(role: str, rights: Iterable[str]) -> list[str]:
    """The kinds that are this role's business, in order."""
    held = set(rights)
    return [kind for kind, one in KINDS.items() if one.right in held and one.role in {"", role}]


def ways_of(kind: str) -> list[Way]:
    """The ways one may choose for a kind."""
    return [way for way in Way if way != Way.OFF or not KINDS[kind].stays]
