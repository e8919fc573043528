"""Sending to webhooks: one job at a time for each, its due deliveries one after the other, every try written down.

A try is written before it is made, with the time of the next one: whoever dies in between has lost no delivery, and a
delivery that kills its worker is not tried at once again. So a message arrives at least once, under the same id.
"""

import json
import random
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Prefetch, Q, QuerySet
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from cases import webhook_events as events
from cases.dossier.plain import visible
from cases.models import Webhook, WebhookAttempt, WebhookDelivery, WebhookEvent
from cases.models.webhooks import DeliveryState
from spine import conditions, log, sealing, standard_webhooks
from spine.canonical import timestamp
from spine.jobs import Running
from spine.models import Condition
from spine.outgoing import NoAnswer, NotAllowed, Outgoing, Response, asked_wait
from spine.principal import acting_as

PURPOSE = "webhooks"  # what their secrets are sealed for
SECONDS = 15.0
# Pauses before the second try, the third …: the specification's suggestion, 75 hours in all, each give or take a tenth.
PAUSES = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 300, 1800, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
)
MOST_TRIES = len(PAUSES) + 1
WINDOW = sum(PAUSES, timedelta())
MOST_SECONDS = 60.0  # of one job; the next goes on
LONGEST_REST = 1800.0  # between two tries of anything at an endpoint that does not answer
PATIENCE = timedelta(hours=1)
KEPT_ANSWER = 500
KEPT_DAYS = 30
GONE = "the receiver says that the endpoint is gone (410)"
UNREADABLE = "the secret was stored under another key: make a new one"


@dataclass(frozen=True)
class Outcome:
    """What came of one try; `wait` is what the receiver asked for, in seconds."""

    status: int | None = None
    error: str = ""
    answer: str = ""
    wait: int = 0
    seconds: float = 0.0

    @property
    def is_good(self) -> bool:
        """It was taken: 2xx."""
        return self.status is not None and 200 <= self.status < 300


def outgoing() -> Outgoing:
    """The way out, with the list of what may be reached."""
    return Outgoing(settings.OUTGOING_ALLOWED, settings.OUTGOING_CA_FILE)


def message_id(event_id: UUID) -> str:
    """How a message is named to every receiver and on every try."""
    return f"msg_{event_id.hex}"


def body_of(event: WebhookEvent) -> bytes:
    """What is sent: the same bytes on every try."""
    content = {"type": event.type, "timestamp": timestamp(event.at), "data": event.data}
    return json.dumps(content, separators=(",", ":"), sort_keys=True).encode()


def secrets_of(webhook: Webhook) -> list[str]:
    """The secrets to sign with: the present one, and the one before while it is still good. Raises Unreadable."""
    sealed = [webhook.secret]
    if webhook.two_secrets:
        sealed.append(webhook.old_secret)
    return [sealing.unseal(one, purpose=PURPOSE) for one in sealed]


def send(job: Running) -> dict[str, Any]:
    """Job `webhook.send`: what is due to one webhook, until nothing is or its time is over.

    Side effects, for each delivery: the try, then what came of it; a webhook that is gone, or failed for the whole
    window, is disabled. A delivery that may no longer be told of is dropped.
    """
    webhook_id, sent, failed = UUID(job.args["webhook"]), 0, 0
    ends = time.monotonic() + MOST_SECONDS
    while time.monotonic() < ends:
        job.progress(sent, 0, f"{sent:,} delivered, {failed:,} failed")
        begun = _begun(webhook_id)
        if begun is None:
            break
        outcome = _tried(begun.delivery.webhook, begun.delivery.event)
        _keep(begun, outcome)
        sent, failed = sent + outcome.is_good, failed + (not outcome.is_good)
    return {"delivered": sent, "failed": failed}


@transaction.atomic
def _begun(webhook_id: UUID) -> WebhookAttempt | None:
    """The next due delivery with its new try, None when there is none or the webhook rests."""
    rested = Q(not_before=None) | Q(not_before__lte=Now())
    webhook = events.enabled().filter(rested, pk=webhook_id).select_for_update().first()
    due = WebhookDelivery.objects.filter(webhook=webhook, state=DeliveryState.WAITING, next_at__lte=Now())
    while webhook is not None and (found := due.select_related("event").order_by("next_at", "id").first()) is not None:
        if not events.may_be_told(found.event.scope, found.event.about):
            due.model.objects.filter(event=found.event, state=DeliveryState.WAITING).delete()
            continue
        tries = found.attempts + 1
        later = Now() + pause(tries) if tries < MOST_TRIES else Now() + PAUSES[0]
        WebhookDelivery.objects.filter(pk=found.pk).update(attempts=tries, next_at=later)
        found.attempts, found.webhook = tries, webhook
        return WebhookAttempt.objects.create(delivery=found)
    return None


def pause(tries: int) -> timedelta:
    """How long until the next try after so many, never quite the same for two deliveries."""
    return PAUSES[min(tries, len(PAUSES)) - 1] * random.uniform(0.9, 1.1)  # noqa: S311 - only spreads load


def _tried(webhook: Webhook, event: WebhookEvent) -> Outcome:
    began = time.monotonic()
    body, name = body_of(event), message_id(event.pk)
    try:
        signed = standard_webhooks.headers(secrets_of(webhook), message_id=name, timestamp=int(time.time()), body=body)
        headers = {"Content-Type": "application/json", **signed}
        with outgoing().opened("POST", webhook.url, headers=headers, body=body, seconds=SECONDS) as response:
            answer = _beginning(response)
            wait = asked_wait(response.headers.get("retry-after", ""))
            error = "" if 200 <= response.status < 300 else _words(response.status)
            return Outcome(response.status, error, answer, wait, time.monotonic() - began)
    except (NoAnswer, NotAllowed) as failed:
        return Outcome(error=str(failed)[:300], seconds=time.monotonic() - began)
    except sealing.Unreadable:
        return Outcome(error=UNREADABLE, seconds=time.monotonic() - began)


def _beginning(response: Response) -> str:
    """The beginning of an answer's body, escaped. Its status counts, whatever becomes of its body."""
    try:
        chunk = next(response.chunks(largest=1 << 30), b"")
    except NoAnswer:
        chunk = b""
    return visible(chunk[: 4 * KEPT_ANSWER].decode("utf-8", "replace"))[:KEPT_ANSWER]


def _words(status: int) -> str:
    if status == 410:
        return GONE
    if 300 <= status < 400:
        return f"it answers with another address ({status}), which is not followed"
    return f"it answers with status {status}"


@transaction.atomic
def _keep(attempt: WebhookAttempt, outcome: Outcome) -> None:
    """Write down what came of a try. A late word of an attempt whose lease was lost counts too: it was delivered."""
    delivery = attempt.delivery
    webhook = Webhook.objects.select_for_update().filter(pk=delivery.webhook_id).first()
    if webhook is None:  # removed meanwhile
        return
    WebhookAttempt.objects.filter(pk=attempt.pk).update(
        seconds=round(outcome.seconds, 3), status=outcome.status, error=outcome.error, answer=outcome.answer
    )
    (_taken if outcome.is_good else _refused)(webhook, delivery, outcome)


def _taken(webhook: Webhook, delivery: WebhookDelivery, outcome: Outcome) -> None:
    ended = {"state": DeliveryState.DELIVERED, "status": outcome.status, "error": "", "ended_at": Now()}
    WebhookDelivery.objects.filter(pk=delivery.pk).update(**ended)
    Webhook.objects.filter(pk=webhook.pk).update(
        failures=0, failing_since=None, not_before=None, last_success_at=Now(), last_error=""
    )
    if not webhook.disabled_why:
        conditions.settle(condition_of(webhook))


def _refused(webhook: Webhook, delivery: WebhookDelivery, outcome: Outcome) -> None:
    over = delivery.attempts >= MOST_TRIES or outcome.status == 410
    found: dict[str, Any] = {"status": outcome.status, "error": outcome.error}
    if over:
        found |= {"state": DeliveryState.FAILED, "ended_at": Now()}
    elif outcome.wait:
        later = timezone.now() + timedelta(seconds=outcome.wait)
        found["next_at"] = max(later, WebhookDelivery.objects.values_list("next_at", flat=True).get(pk=delivery.pk))
    WebhookDelivery.objects.filter(pk=delivery.pk, state=DeliveryState.WAITING).update(**found)
    failures = webhook.failures + 1
    rest = max(min(LONGEST_REST, 5.0 * 2 ** min(failures - 1, 20)), outcome.wait)
    Webhook.objects.filter(pk=webhook.pk).update(
        failures=failures,
        failing_since=Coalesce("failing_since", Now()),
        not_before=Now() + timedelta(seconds=rest),
        last_error=outcome.error,
    )
    _disable_if_hopeless(webhook, outcome, over)


def _disable_if_hopeless(webhook: Webhook, outcome: Outcome, over: bool) -> None:
    """End a webhook that is gone, or took nothing for as long as a delivery is tried."""
    since: datetime = webhook.failing_since or timezone.now()
    if outcome.status == 410:
        disable(webhook, GONE)
    elif timezone.now() - since >= WINDOW * 0.9 and (over or timezone.now() - since >= WINDOW):
        disable(webhook, f"it has taken nothing since {since:%-d %b %Y %H:%M} UTC: {outcome.error}")


def disable(webhook: Webhook, why: str) -> None:
    """Send nothing there any more until an administrator resumes it.

    Side effects: what waits has failed; one log entry; a condition.
    """
    if not events.enabled().filter(pk=webhook.pk).update(disabled_why=why[:300], revision=F("revision") + 1):
        return
    waiting = WebhookDelivery.objects.filter(webhook=webhook, state=DeliveryState.WAITING)
    waiting.update(state=DeliveryState.FAILED, ended_at=Now(), error="the webhook was disabled")
    log.record(actor=events.KEEPER, action="webhook.disabled", about=webhook, data={"name": webhook.name, "why": why})
    conditions.tell(condition_of(webhook), f"The webhook {webhook.name} is disabled: {why}.")


def condition_of(webhook: Webhook) -> str:
    """The name of the condition that something is wrong with it."""
    return f"webhook:{webhook.pk}"


@acting_as(events.KEEPER)
def send_due() -> int:
    """Ask for the sending of what is due, webhook by webhook; returns how many. Then say which fail for long."""
    due = WebhookDelivery.objects.filter(webhook=OuterRef("pk"), state=DeliveryState.WAITING, next_at__lte=Now())
    rested = Q(not_before=None) | Q(not_before__lte=Now())
    found = list(events.enabled().filter(rested, Exists(due)))
    for webhook in found:
        with transaction.atomic():
            events.ask_to_send(webhook)
    tell_failing()
    return len(found)


def tell_failing() -> None:
    """Make a condition of every webhook that has failed for an hour or is disabled, and settle those that are over."""
    long_ago = timezone.now() - PATIENCE
    failing = list(events.enabled().filter(failing_since__lt=long_ago))
    for webhook in failing:
        since = webhook.failing_since
        text = f"The webhook {webhook.name} has taken nothing since {since:%-d %b %Y %H:%M} UTC: {webhook.last_error}."
        conditions.tell(condition_of(webhook), text)
    disabled = Webhook.objects.exclude(disabled_why="")
    kept = {condition_of(one) for one in [*failing, *disabled]}
    standing = Condition.objects.filter(name__startswith="webhook:").values_list("name", flat=True)
    for name in set(standing) - kept:
        conditions.settle(name)


@acting_as(events.KEEPER)
def tidy() -> int:
    """Tell of what expires; forget deliveries that ended a while ago, and events nobody is told of any more."""
    events.tell_what_expires()
    old = timezone.now() - timedelta(days=KEPT_DAYS)
    ended = WebhookDelivery.objects.exclude(state=DeliveryState.WAITING).filter(ended_at__lt=old)
    forgotten = ended.delete()[0]
    WebhookEvent.objects.filter(~Exists(WebhookDelivery.objects.filter(event=OuterRef("pk"))), at__lt=old).delete()
    return forgotten


def with_tries(rows: QuerySet[WebhookDelivery]) -> QuerySet[WebhookDelivery]:
    """Deliveries with their tries, oldest try first."""
    return rows.prefetch_related(Prefetch("tries", WebhookAttempt.objects.order_by("at", "id")))


def state_of(webhook: Webhook) -> tuple[str, str]:
    """How a webhook stands: its word, and a sentence for people."""
    if webhook.disabled_why:
        return "disabled", f"Disabled: {webhook.disabled_why}. What happens meanwhile is not told later."
    if webhook.paused:
        return "paused", "Paused: what waits goes on waiting, what happens meanwhile is not told later."
    if webhook.failing_since is not None:
        return "failing", f"Failing since {webhook.failing_since:%-d %b %Y %H:%M} UTC: {webhook.last_error}."
    return "enabled", "Told what happens."
