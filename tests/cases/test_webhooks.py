"""Webhooks against a real receiver that misbehaves: signed, told under one id, and nothing of what is hidden."""

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import standardwebhooks
from django.conf import settings as product
from django.utils import timezone

from cases import actions, webhook_events, webhook_sending
from cases.actions import webhooks as verbs
from cases.models import Case, Webhook, WebhookAttempt, WebhookDelivery, WebhookEvent
from detection import feed_health
from detection.models import Feed, SourceRetention, TelemetrySource
from detection.retention import set_retention
from spine import jobs, log
from spine.errors import Conflict, Refused
from spine.models import Condition, Job, JobState, LogEntry, Outbox
from tests.cases.webhooks import allow_too, hurry, make_webhook, received, relay, send_all
from tests.detection.feeds.made import make_folder_feed
from tests.factories import Cast, add_exhibit, make_case, make_lead, provider_ids
from tests.lying_server import Lying, running
from tests.servers import Worker

pytestmark = [pytest.mark.django_db(transaction=True)]
quiet = pytest.mark.usefixtures("no_broker")


@pytest.fixture(scope="module")
def server() -> Iterator[Lying]:
    with running() as lying:
        yield lying


@pytest.fixture
def lying(server: Lying, settings: Any) -> Lying:
    server.control(fresh=True)
    allow_too(settings, server.url)
    return server


@pytest.fixture
def made(lying: Lying, committed_cast: Cast) -> tuple[Webhook, str]:
    """A webhook of every type, with its secret."""
    return make_webhook(committed_cast.admin, f"{lying.url}/hook")


def the_delivery() -> WebhookDelivery:
    return WebhookDelivery.objects.get()


def tried_out(made: tuple[Webhook, str], cast: Cast) -> WebhookDelivery:
    """A test that was sent, or tried."""
    delivery = verbs.test_webhook(made[0], actor=cast.admin)
    send_all()
    delivery.refresh_from_db()
    return delivery


# What is sent


@quiet
def test_message_is_signed_as_the_public_library_and_the_specification_verify(
    made: tuple[Webhook, str], lying: Lying, committed_cast: Cast
) -> None:
    delivery, secret = tried_out(made, committed_cast), made[1]
    [message] = received(lying)
    headers = {name.lower(): value for name, value in message["headers"].items()}
    assert standardwebhooks.Webhook(secret).verify(message["body"], headers) == message["content"]
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{message['body']}".encode()
    by_hand = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{by_hand}"
    assert (len(key), abs(int(headers["webhook-timestamp"]) - time.time()) < 60) == (32, True)
    assert headers["content-type"] == "application/json"
    assert message["content"]["data"] == {"webhook": str(made[0].pk)}
    assert (delivery.state, delivery.status, delivery.attempts) == ("delivered", 200, 1)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(secret).verify(message["body"].replace("test", "text"), headers)


@quiet
def test_each_act_of_the_table_is_told_with_its_own_ids_and_nothing_else(
    made: tuple[Webhook, str], lying: Lying, committed_cast: Cast
) -> None:
    cast = committed_cast
    case = make_case(cast, stage="escalated")
    actions.reopen_lead(
        actions.reject_lead(make_lead(provider_ids(3, "other")), actor=cast.analyst, reason="evaluation"),
        actor=cast.analyst,
    )
    actions.assign_case(case, actor=cast.lead, to=cast.lead, expected=cast.analyst)
    hold = actions.place_hold(
        case, actor=cast.counsel, matter="m", trigger="t", triggered_at=timezone.now(), scope="case"
    )
    send_all()
    found = [one["content"] for one in received(lying)]
    told = {one["type"] for one in found}
    assert {"lead.raised", "lead.rejected", "lead.reopened", "case.opened", "case.assigned"} <= told
    assert {"case.status_changed", "exhibit.added", "hold.placed"} <= told
    for one in found:
        assert set(one) == {"type", "timestamp", "data"}
        assert set(one["data"]) == set(webhook_events.EVENTS[one["type"]].fields), one
    assert [one["data"] for one in found if one["type"] == "hold.placed"] == [{"case": case.ref, "hold": str(hold.pk)}]
    assert [one["data"] for one in found if one["type"] == "exhibit.added"] == [{"case": case.ref, "exhibit": 1}]
    everything = json.dumps(found)
    for secret in ("acct-", "other-", "analyst", 'lead"', "counsel", "pay alike", "payment", "hashed"):
        assert secret not in everything.replace('"lead":', ""), secret
    assert not WebhookDelivery.objects.exclude(state="delivered").exists()


def test_every_act_of_the_table_is_in_the_log_and_every_type_says_what_it_means() -> None:
    assert set(webhook_events.BY_ACT) <= set(log.sentences())
    assert set(webhook_events.BY_ACT) < log.followed()
    assert all(one.meaning and (one.acts or one.fields) for one in webhook_events.EVENTS.values())


@quiet
def test_webhook_is_told_only_of_the_types_it_asked_for(lying: Lying, committed_cast: Cast) -> None:
    make_webhook(committed_cast.admin, f"{lying.url}/hook", types=["case.opened"])
    case = make_case(committed_cast, stage="investigating")
    send_all()
    [message] = received(lying)
    assert (message["content"]["type"], message["content"]["data"]["case"]) == ("case.opened", case.ref)


@quiet
def test_same_act_handled_twice_is_told_once(made: tuple[Webhook, str], lying: Lying, committed_cast: Cast) -> None:
    make_lead()
    relay()
    Outbox.objects.update(handled_at=None)
    send_all()
    assert sorted(one["content"]["type"] for one in received(lying)) == ["lead.raised", "run.finished"]


# What is never sent


def story(cast: Cast, *, hidden: bool, lying: Lying) -> list[str]:
    """What a receiver is sent of a story, ids and times by their order of appearance; with a hidden case or without."""
    types = [name for name in webhook_events.CHOICES if name != "run.finished"]  # a run is of no case
    webhook, _ = make_webhook(cast.admin, f"{lying.url}/hook", name=f"Story {hidden}", types=types)
    shown = make_case(cast, stage="investigating", accounts=provider_ids(4, f"shown{hidden}"))
    if hidden:
        secret = make_case(cast, accounts=provider_ids(5, "secret"))
        actions.restrict_case(secret, actor=cast.analyst, reason="Few need to know", people=[cast.counsel, cast.lead])
        actions.move_case(secret, actor=cast.analyst, to="investigating", expected_from="open")
        add_exhibit(secret, cast.analyst, b"secret bytes")
        given = {"matter": "m", "trigger": "t", "triggered_at": timezone.now(), "scope": "case"}
        actions.place_hold(secret, actor=cast.counsel, **given)
        actions.assign_case(secret, actor=cast.analyst, to=cast.lead, expected=cast.analyst)
        Job.objects.create(
            kind="dossier.render", key="secret", actor="user:lead", scope=secret.pk, state=JobState.PARKED
        )
        webhook_events.on_job_parked({"job": str(Job.objects.get(key="secret").pk)})
    add_exhibit(shown, cast.analyst, b"shown bytes")
    send_all()
    found = received(lying)
    names: dict[str, str] = {}

    def named(match: re.Match[str]) -> str:
        return names.setdefault(match.group(), f"#{len(names)}")

    ours = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|RT-\d{4}-\w{5}|\d{4}-\d\d-\d\dT[0-9:.]+Z")
    told = [ours.sub(named, one["body"]) for one in found]
    if hidden:
        assert all(secret.ref not in json.dumps(one) and str(secret.pk) not in json.dumps(one) for one in found)
        assert WebhookEvent.objects.filter(scope=secret.pk).count() == 0
    verbs.remove_webhook(webhook, actor=cast.admin, revision=1)
    lying.control(fresh=True)
    return told


@quiet
def test_same_story_with_and_without_a_restricted_case_gives_the_same_bytes(lying: Lying, committed_cast: Cast) -> None:
    without = story(committed_cast, hidden=False, lying=lying)
    assert len(without) == 4  # raised, opened, moved, exhibit
    assert story(committed_cast, hidden=True, lying=lying) == without


@quiet
def test_case_that_is_restricted_before_the_sending_is_not_sent_and_leaves_the_delivery_log(
    made: tuple[Webhook, str], lying: Lying, committed_cast: Cast
) -> None:
    lying.control(mood="500")
    case = make_case(committed_cast)
    send_all()
    WebhookDelivery.objects.filter(type="run.finished").delete()
    assert {one.type for one in WebhookDelivery.objects.all()} == {"lead.raised", "case.opened"}
    tried = len(received(lying))
    Case.objects.filter(pk=case.pk).update(restricted=True)  # by whatever way: it is asked again at the last moment
    lying.control(mood="")
    hurry()
    webhook_sending.send_due()
    send_all()
    assert len(received(lying)) == tried
    assert not WebhookDelivery.objects.exists()


@quiet
def test_restricting_drops_what_waits_at_once_and_sending_again_sends_nothing(
    made: tuple[Webhook, str], lying: Lying, committed_cast: Cast
) -> None:
    case = make_case(committed_cast)
    send_all()
    delivered = WebhookDelivery.objects.get(type="case.opened")
    verbs.pause_webhook(made[0], actor=committed_cast.admin, revision=1)
    actions.restrict_case(case, actor=committed_cast.analyst, reason="Few need to know")
    relay()
    verbs.resume_webhook(made[0], actor=committed_cast.admin, revision=2)
    verbs.send_again(delivered, actor=committed_cast.admin)
    before = len(received(lying))
    send_all()
    assert len(received(lying)) == before
    assert not WebhookDelivery.objects.filter(type="case.opened").exists()


# Receivers that misbehave


@pytest.mark.parametrize(
    ("mood", "status", "says"),
    [
        ("500", 500, "it answers with status 500"),
        ("429", 429, "it answers with status 429"),
        ("503", 503, "it answers with status 503"),
        ("redirect", 302, "it answers with another address (302), which is not followed"),
        ("cut", None, "the answer ends too early"),
        ("hang", None, "it takes too long"),
        ("slow headers", None, "it takes too long"),
        ("nonsense", None, "it is no proper answer (BadStatusLine)"),
    ],
)
@quiet
def test_failure_is_written_down_and_tried_again_under_the_same_id(
    mood: str,
    status: int | None,
    says: str,
    made: tuple[Webhook, str],
    lying: Lying,
    committed_cast: Cast,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(webhook_sending, "SECONDS", 1.0)
    lying.control(mood=mood, times=1, elsewhere=f"{lying.url}/hook?elsewhere")
    delivery = tried_out(made, committed_cast)
    assert (delivery.state, delivery.status, delivery.error, delivery.attempts) == ("waiting", status, says, 1)
    wait = (delivery.next_at - timezone.now()).total_seconds()
    assert (115 < wait <= 120) if mood == "429" else (0 < wait < 6)
    webhook = Webhook.objects.get()
    assert (webhook.failures, webhook.last_error, webhook.failing_since is not None) == (1, says, True)
    send_all()
    assert webhook_sending.send_due() == 0  # it rests
    hurry()
    assert webhook_sending.send_due() == 1
    send_all()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.status, delivery.error, delivery.attempts) == ("delivered", 200, "", 2)
    first, second = received(lying)
    assert first["headers"]["webhook-id"] == second["headers"]["webhook-id"] == f"msg_{delivery.event_id.hex}"
    assert (first["body"], second["path"]) == (second["body"], "/hook")
    webhook.refresh_from_db()
    assert (webhook.failures, webhook.failing_since, webhook.last_error) == (0, None, "")


@pytest.mark.parametrize("mood", ["big", "slow", "truncated", "garbage"])
@quiet
def test_answer_that_took_it_counts_whatever_becomes_of_its_body(
    mood: str, made: tuple[Webhook, str], lying: Lying, committed_cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_sending, "SECONDS", 1.5)
    lying.control(mood=mood)
    began = time.monotonic()
    delivery = tried_out(made, committed_cast)
    assert (delivery.state, delivery.status, time.monotonic() - began < 8) == ("delivered", 200, True)
    assert len(WebhookAttempt.objects.get().answer) <= 500


@quiet
def test_answer_is_kept_escaped_and_short(made: tuple[Webhook, str], lying: Lying, committed_cast: Cast) -> None:
    tried_out(made, committed_cast)
    assert WebhookAttempt.objects.get().answer == "thank you⟨U+0000⟩ ⟨U+202E⟩ <b>"


@quiet
def test_receiver_that_is_gone_is_disabled_and_told_as_a_condition(
    made: tuple[Webhook, str], lying: Lying, committed_cast: Cast
) -> None:
    lying.control(mood="410")
    delivery = tried_out(made, committed_cast)
    webhook = Webhook.objects.get()
    assert (delivery.state, delivery.status) == ("failed", 410)
    assert webhook.disabled_why == webhook_sending.GONE
    assert Condition.objects.get().text == f"The webhook Ticketing is disabled: {webhook_sending.GONE}."
    assert LogEntry.objects.get(action="webhook.disabled").actor == "system:webhooks"
    make_lead()
    send_all()
    assert WebhookDelivery.objects.count() == 1  # nothing is told to it
    webhook_sending.send_due()
    assert Condition.objects.exists()
    with pytest.raises(Refused, match="disabled: resume it first"):
        verbs.test_webhook(webhook, actor=committed_cast.admin)
    lying.control(mood="")
    verbs.resume_webhook(webhook, actor=committed_cast.admin, revision=webhook.revision)
    assert not Condition.objects.exists()
    assert tried_out(made, committed_cast).state == "delivered"


@quiet
def test_pauses_are_those_of_the_specification_and_the_last_failure_ends_the_webhook(
    made: tuple[Webhook, str], lying: Lying, committed_cast: Cast
) -> None:
    lying.control(mood="500")
    delivery = tried_out(made, committed_cast)
    waits = []
    for _ in range(webhook_sending.MOST_TRIES - 1):
        waits.append((delivery.next_at - timezone.now()).total_seconds())
        past = timedelta(seconds=waits[-1])
        Webhook.objects.update(failing_since=Webhook.objects.get().failing_since - past)  # type: ignore[operator]
        hurry()
        webhook_sending.send_due()
        send_all()
        delivery.refresh_from_db()
    suggested = [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]
    assert all(0.85 * want - 3 < got < 1.11 * want for want, got in zip(suggested, waits, strict=True)), waits
    assert (delivery.state, delivery.attempts, WebhookAttempt.objects.count()) == ("failed", 10, 10)
    assert Webhook.objects.get().disabled_why.startswith("it has taken nothing since ")


@quiet
def test_webhook_that_fails_for_an_hour_is_a_condition_that_ends_with_the_next_success(
    made: tuple[Webhook, str], lying: Lying, committed_cast: Cast
) -> None:
    lying.control(mood="500", times=1)
    tried_out(made, committed_cast)
    webhook_sending.send_due()
    assert not Condition.objects.exists()
    Webhook.objects.update(failing_since=timezone.now() - timedelta(minutes=61))
    webhook_sending.send_due()
    assert "The webhook Ticketing has taken nothing since" in Condition.objects.get().text
    hurry()
    webhook_sending.send_due()
    send_all()
    assert not Condition.objects.exists()


@quiet
def test_place_that_left_the_list_is_not_reached(
    made: tuple[Webhook, str], lying: Lying, committed_cast: Cast, settings: Any
) -> None:
    settings.OUTGOING_ALLOWED = []
    delivery = tried_out(made, committed_cast)
    assert "not on the list" in delivery.error
    assert received(lying) == []


def test_worker_that_is_killed_in_the_middle_delivers_again_under_the_same_id(
    worker: Worker, lying: Lying, committed_cast: Cast
) -> None:
    worker.restart(RETORT_OUTGOING_ALLOWED=lying.url)
    lying.control(takes=3)
    webhook, _ = make_webhook(committed_cast.admin, f"{lying.url}/hook")
    delivery = verbs.test_webhook(webhook, actor=committed_cast.admin)
    waited_for(lambda: received(lying))
    worker.kill()  # SIGKILL: the receiver has it, nothing of that is written down
    assert the_delivery().state == "waiting"
    assert WebhookAttempt.objects.get().status is None
    lying.control(takes=0)
    worker.restart()
    waited_for(lambda: webhook_sending.send_due() is None or the_delivery().state == "delivered")
    first, *more = received(lying)
    assert more
    assert {one["headers"]["webhook-id"] for one in (first, *more)} == {f"msg_{delivery.event_id.hex}"}
    assert {one["body"] for one in more} == {first["body"]}


def waited_for(found: Any, seconds: float = 60) -> None:
    ends = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < ends
        time.sleep(0.2)


# Keeping webhooks


@quiet
def test_old_secret_signs_beside_the_new_one_until_its_end(
    made: tuple[Webhook, str], lying: Lying, committed_cast: Cast
) -> None:
    webhook, old = made
    webhook, new = verbs.rotate_secret(webhook, actor=committed_cast.admin, revision=1, hours=2)
    tried_out((webhook, new), committed_cast)
    [message] = received(lying)
    assert len(message["headers"]["webhook-signature"].split(" ")) == 2
    for secret in (old, new):
        standardwebhooks.Webhook(secret).verify(message["body"], message["headers"])
    Webhook.objects.update(old_until=timezone.now() - timedelta(seconds=1))
    tried_out((webhook, new), committed_cast)
    message = received(lying)[-1]
    standardwebhooks.Webhook(new).verify(message["body"], message["headers"])
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(old).verify(message["body"], message["headers"])
    webhook, newest = verbs.rotate_secret(webhook, actor=committed_cast.admin, revision=2, hours=0)
    assert (webhook.old_secret, webhook.old_until) == ("", None)
    assert {old, new, newest}.isdisjoint(
        {webhook.secret, *json.dumps(list(LogEntry.objects.values("data"))).split('"')}
    )


@quiet
def test_what_cannot_be_a_webhook_is_refused_with_its_field(lying: Lying, committed_cast: Cast) -> None:
    good: dict[str, Any] = {"name": "Ticketing", "url": f"{lying.url}/hook", "types": ["lead.raised"]}
    bad: list[tuple[str, Any]] = [
        ("name", "a/b"),
        ("name", ""),
        ("url", "https://elsewhere.example.com/"),
        ("url", f"{lying.url}/#x"),
        ("url", "http://169.254.169.254/"),
        ("types", []),
        ("types", ["lead.lost"]),
        ("types", ["webhook.test"]),
    ]
    for field, value in bad:
        with pytest.raises(Refused) as refused:
            verbs.create_webhook(actor=committed_cast.admin, **{**good, field: value})
        assert refused.value.field == field
    made, _ = verbs.create_webhook(actor=committed_cast.admin, **good)
    with pytest.raises(Refused, match="There is a webhook Ticketing already"):
        verbs.create_webhook(actor=committed_cast.admin, **good)
    with pytest.raises(Conflict):
        verbs.pause_webhook(made, actor=committed_cast.admin, revision=9)
    with pytest.raises(Refused, match="Nothing was changed"):
        verbs.change_webhook(made, actor=committed_cast.admin, revision=1, changes={"types": ["lead.raised"]})


@quiet
def test_paused_webhook_keeps_what_waits_and_is_not_told_what_happens(
    made: tuple[Webhook, str], lying: Lying, committed_cast: Cast
) -> None:
    make_lead()
    relay()
    verbs.pause_webhook(made[0], actor=committed_cast.admin, revision=1)
    make_lead(provider_ids(3, "meanwhile"))
    send_all()
    assert (received(lying), WebhookDelivery.objects.count()) == ([], 2)
    verbs.resume_webhook(made[0], actor=committed_cast.admin, revision=2)
    send_all()
    assert sorted(one["content"]["type"] for one in received(lying)) == ["lead.raised", "run.finished"]


@quiet
def test_deliveries_are_forgotten_after_thirty_days(made: tuple[Webhook, str], committed_cast: Cast) -> None:
    tried_out(made, committed_cast)
    assert webhook_sending.tidy() == 0
    past = timezone.now() - timedelta(days=31)
    WebhookDelivery.objects.update(ended_at=past)
    WebhookEvent.objects.update(at=past)
    assert webhook_sending.tidy() == 2  # and its try
    assert not WebhookEvent.objects.exists()


# What does not begin with an act


@quiet
def test_feed_that_stalls_is_told_once_for_as_long_as_it_lasts(
    made: tuple[Webhook, str], lying: Lying, committed_cast: Cast, settings: Any, tmp_path: Any
) -> None:
    allowed = settings.OUTGOING_ALLOWED
    feed = make_folder_feed(settings, tmp_path)
    settings.OUTGOING_ALLOWED = [*allowed, *settings.OUTGOING_ALLOWED]
    Feed.objects.update(
        created_at=timezone.now() - timedelta(hours=5), next_pull_at=timezone.now() + timedelta(hours=1)
    )
    feed_health.pull_due()
    feed_health.pull_due()
    send_all()
    assert [one["content"]["data"] for one in received(lying)] == [{"feed": str(feed.pk)}]


@quiet
def test_job_that_was_set_aside_is_told_and_sending_itself_is_not(made: tuple[Webhook, str], lying: Lying) -> None:
    for kind in ("detectors.run", "webhook.send"):
        Job.objects.create(
            kind=kind,
            key="k",
            actor="system:test",
            state=JobState.RUNNING,
            attempts=3,
            lease_until=timezone.now() - timedelta(seconds=1),
        )
    jobs.sweep()
    send_all()
    parked = Job.objects.get(kind="detectors.run")
    assert parked.state == JobState.PARKED
    assert [one["content"]["data"] for one in received(lying)] == [{"job": str(parked.pk)}]


@quiet
def test_what_expires_soon_is_told_once_and_never_of_a_restricted_case(
    made: tuple[Webhook, str], lying: Lying, committed_cast: Cast
) -> None:
    shown = make_case(committed_cast)
    hidden = make_case(committed_cast, accounts=provider_ids(3, "hidden"))
    actions.restrict_case(hidden, actor=committed_cast.analyst, reason="Few need to know")
    source = TelemetrySource.objects.get()
    days = (timezone.now() - shown.clusters.get().cluster.first_seen).days + 5
    set_retention(source, actor=committed_cast.admin.principal, data_class="request_logs", days=days)
    assert SourceRetention.objects.exists()
    relay()
    before = len(received(lying))
    webhook_sending.tidy()
    webhook_sending.tidy()
    send_all()
    told = [one["content"] for one in received(lying)[before:] if one["content"]["type"] == "preservation.due"]
    assert [one["data"] for one in told] == [{"case": shown.ref}]
    assert product.JOB_KINDS["webhook.send"] == "cases.tasks.send_to_webhook"
