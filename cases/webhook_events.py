"""What is told to webhooks, in one visible table, and the rule that nothing of a restricted case ever is.

An endpoint is outside every case. An event of a restricted case is not written down, not even without its reference; it
is asked again before every try (`cases.webhook_sending`), and what waits is dropped when its case is restricted.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from cases import preservation
from cases.access import LEAD_ENTRIES
from cases.models import Case, LeadDecision, Webhook, WebhookDelivery, WebhookEvent
from cases.models.case import CaseStatus
from cases.models.webhooks import DeliveryState
from spine import jobs
from spine.ids import new_id
from spine.models import Condition, Job, LogEntry

KEEPER = "system:webhooks"
TEST = "webhook.test"


def _about(entry: LogEntry) -> str:
    """The id of what the entry is about."""
    return entry.about.partition(":")[2]


@dataclass(frozen=True)
class EventType:
    """One kind of event: its acts in the log, and its data beside the case's reference: a name, and where it is from.

    Data are our own ids and references. What anything says, who did it and which accounts are met is asked over the
    API, by who may.
    """

    name: str
    meaning: str
    acts: tuple[str, ...] = ()
    field: str = ""
    value: Callable[[LogEntry], Any] = _about

    @property
    def fields(self) -> tuple[str, ...]:
        """The names in its data."""
        case = () if self.name in OF_NO_CASE else ("case",)
        return (*case, *((self.field,) if self.field else ()))


OF_NO_CASE = {"lead.raised", "lead.rejected", "lead.reopened", "lead.snoozed", "lead.woken", "run.finished"}
OF_NO_CASE |= {"version.recalled", "version.reinstated", "feed.stalled", "job.parked", TEST}
EVENTS: dict[str, EventType] = {
    one.name: one
    for one in (
        EventType("lead.raised", "a lead waits for somebody", ("lead.raised", "lead.raised_anew"), "lead"),
        EventType("lead.rejected", "a lead was rejected", ("lead.rejected",), "lead"),
        EventType("lead.reopened", "a rejected lead waits again", ("lead.reopened",), "lead"),
        EventType("lead.snoozed", "a lead was snoozed", ("lead.snoozed",), "lead"),
        EventType("lead.woken", "a snoozed lead waits again by itself", ("lead.woken",), "lead"),
        EventType("case.opened", "a case was opened", ("case.opened",), "lead", lambda one: one.data["lead"]),
        EventType("case.joined", "a lead was joined to a case", ("case.joined",), "lead", lambda one: one.data["lead"]),
        EventType("case.detached", "a cluster or accounts were taken out of a case", ("case.detached",)),
        EventType("case.attached_again", "what was taken out of a case was put back", ("case.attached_again",)),
        EventType("case.assigned", "a case was given to somebody, or to nobody", ("case.assigned",)),
        EventType("case.status_changed", "a case was moved to another step", ("case.moved",)),
        EventType(
            "exhibit.added", "an exhibit was added", ("evidence.added",), "exhibit", lambda one: one.data["number"]
        ),
        EventType(
            "exhibit.damaged",
            "an exhibit no longer has the bytes that were hashed",
            ("evidence.verification_failed",),
            "exhibit",
            lambda one: one.data["number"],
        ),
        EventType("dossier.frozen", "a version of a dossier was frozen", ("dossier.frozen",), "dossier"),
        EventType("dossier.approved", "a version was approved", ("dossier.approved",), "dossier"),
        EventType("dossier.sealed", "a version was sealed", ("dossier.sealed",), "dossier"),
        EventType("disclosure.asked", "a disclosure waits for its release", ("disclosure.asked",), "disclosure"),
        EventType("disclosure.released", "a disclosure was released", ("disclosure.released",), "disclosure"),
        EventType("hold.placed", "a hold was placed", ("hold.placed",), "hold"),
        EventType("hold.released", "a hold was released", ("hold.released",), "hold"),
        EventType("preservation.due", "request data of a case expires within 14 days"),
        EventType("version.recalled", "a detector version is not to be relied on", ("version.recalled",), "detector"),
        EventType("version.reinstated", "such a version may be relied on again", ("version.reinstated",), "detector"),
        EventType("recall.flagged", "a case rests on a recalled version", ("recall.flagged",)),
        EventType("run.finished", "a detection run finished", ("run.finished",), "run"),
        EventType("feed.stalled", "a feed delivers nothing any more", field="feed"),
        EventType("job.parked", "work was set aside after it lost three workers", field="job"),
        EventType(TEST, "an administrator tries the endpoint; sent to that one alone", field="webhook"),
    )
}
# What an administrator may choose from; a test is sent when asked for.
CHOICES = [name for name in EVENTS if name != TEST]
BY_ACT = {act: one for one in EVENTS.values() for act in one.acts}


def enabled() -> QuerySet[Webhook]:
    """The webhooks that are told what happens now."""
    return Webhook.objects.filter(paused=False, disabled_why="")


def may_be_told(scope: UUID | None, about: str = "") -> bool:
    """Whether an event of this scope, or about this lead, may leave: its case is there and is not restricted.

    A scope that is no case (the counsel track, the brokers' desk) is never told of.
    """
    if scope is not None and not Case.objects.filter(pk=scope, restricted=False).exists():
        return False
    if about.startswith(LEAD_ENTRIES):
        lead = UUID(about.removeprefix(LEAD_ENTRIES))
        return not LeadDecision.objects.filter(lead=lead, case__restricted=True).exists()
    return True


def on_entry(entry: LogEntry) -> None:
    """Tell of an act in the log, if it is one of the table; drop what waits about a case that was restricted by it."""
    if entry.action == "case.restricted":
        forget_waiting(entry.scope)
    kind = BY_ACT.get(entry.action)
    if kind is None:
        return
    data = {kind.field: kind.value(entry)} if kind.field else {}
    # Whatever names a lead is told as the lead may be: one that has left a restricted case is still of that case.
    about = f"{LEAD_ENTRIES}{data['lead']}" if data.get("lead") else ""
    announce(kind.name, key=f"entry:{entry.pk}", at=entry.at, data=data, scope=entry.scope, about=about)


@transaction.atomic
def announce(
    kind: str, *, key: str, at: datetime, data: dict[str, Any], scope: UUID | None = None, about: str = ""
) -> list[WebhookDelivery]:
    """A delivery for every webhook that wants this; the same key again adds nothing.

    Side effects: the event, the deliveries, a job for each webhook; nothing at all where it may not be told.
    """
    wanted = list(enabled().filter(types__contains=[kind]))
    if not wanted or not may_be_told(scope, about):
        return []
    case = {"case": Case.objects.values_list("ref", flat=True).get(pk=scope)} if scope else {}
    return deliver(wanted, kind, key=key, at=at, data={**case, **data}, scope=scope, about=about)


def deliver(to: list[Webhook], kind: str, *, key: str, **fields: Any) -> list[WebhookDelivery]:
    """The event, and its deliveries to these webhooks, in the caller's transaction."""
    event, _ = WebhookEvent.objects.get_or_create(key=key, defaults={"type": kind, **fields})
    rows = [WebhookDelivery(id=new_id(), webhook=one, event=event, type=kind) for one in to]
    WebhookDelivery.objects.bulk_create(rows, ignore_conflicts=True)
    for one in to:
        ask_to_send(one)
    return rows


def ask_to_send(webhook: Webhook) -> Job:
    """Put the sending of what is due to this webhook in the queue; one sending at a time for each."""
    return jobs.enqueue("webhook.send", actor=KEEPER, key=str(webhook.pk), args={"webhook": str(webhook.pk)})


def forget_waiting(scope: UUID | None) -> None:
    """Drop what waits about a case and the leads in it."""
    leads = LeadDecision.objects.filter(case=scope).values_list("lead_id", flat=True)
    names = [f"{LEAD_ENTRIES}{lead}" for lead in leads]
    waiting = WebhookDelivery.objects.filter(state=DeliveryState.WAITING)
    waiting.filter(event__scope=scope).delete()
    waiting.filter(event__about__in=names).delete()


# What does not begin with an act of the log: handlers of the outbox, and a look at the clocks.


def on_feed_stalled(payload: dict[str, Any]) -> None:
    """A feed's condition began: `{"feed": id}`; said once for as long as it lasts."""
    condition = Condition.objects.filter(name=f"feed:{payload['feed']}").first()
    if condition is not None:
        key = f"feed:{payload['feed']}:{condition.since.timestamp()}"
        announce("feed.stalled", key=key, at=condition.since, data={"feed": payload["feed"]})


def on_job_parked(payload: dict[str, Any]) -> None:
    """A job was set aside: `{"job": id}`. Sending itself is not told of: telling would be more of it."""
    job = Job.objects.filter(pk=payload["job"]).exclude(kind__startswith="webhook.").first()
    if job is not None:
        at = job.finished_at or timezone.now()
        announce("job.parked", key=f"job:{job.pk}", at=at, data={"job": str(job.pk)}, scope=job.scope)


def tell_what_expires() -> None:
    """Tell of open cases whose request data is about to expire, once for each next loss of each case."""
    if not enabled().filter(types__contains=["preservation.due"]).exists():
        return
    now = timezone.now()
    found = list(Case.objects.filter(restricted=False).exclude(status=CaseStatus.CLOSED))
    for case_id, clocks in preservation.clocks_of(found, now).items():
        line = preservation.headline(clocks, now)
        if line is not None and line.soon and line.next_loss is not None:
            key = f"expiry:{case_id}:{line.next_loss:%Y-%m-%d}"
            announce("preservation.due", key=key, at=now, data={}, scope=case_id)
