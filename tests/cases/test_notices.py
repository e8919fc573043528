"""Notices: who is told what, as each wants it; mails that name no restricted case; one digest a day, through kills."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from cases import actions, notice_mail, notices, telling
from cases.actions import dossiers
from cases.models import Case, CaseMember, Digest, Lead, Notice
from cases.notice_kinds import KINDS, Kind, Mailing
from detection import feed_health
from detection.models import Feed, TelemetrySource
from detection.retention import set_retention
from people.models import MailAddress, User
from spine import jobs
from spine.errors import Refused
from spine.models import Condition, Job, JobState
from tests.cases.api import client_of as token_of
from tests.cases.pages import client_of, text_of
from tests.cases.webhooks import relay
from tests.detection.feeds.made import make_folder_feed
from tests.factories import Cast, make_case, make_lead, provider_ids
from tests.people.test_mail import letters, server  # noqa: F401 - a fixture
from tests.servers import Worker
from tests.spine.test_departures import MailServer
from tests.spine.test_departures import mail as mail_server  # noqa: F401 - a fixture

pytestmark = [pytest.mark.django_db(transaction=True)]
quiet = pytest.mark.usefixtures("no_broker")
MAILS = ("notice.mail", "notice.digest")


def with_mail(*people: User) -> None:
    """Confirmed addresses for them."""
    for one in people:
        address = f"{one.username}@example.com"
        MailAddress.objects.create(user=one, address=address, confirmed_at=timezone.now())


def told(person: User) -> list[tuple[str, str]]:
    """(kind, text) of what somebody has not seen, oldest first."""
    return [(one.kind, one.text) for one in notices.unseen(person).order_by("at", "id")]


def send_mails() -> None:
    """Do every job of mailing that waits."""
    for job in Job.objects.filter(kind__in=MAILS, state=JobState.QUEUED):
        jobs.run(job.pk)


def at_hour(hour: int) -> datetime:
    return datetime.now(UTC).replace(hour=hour, minute=30)


def only(person: User, **ways: str) -> None:
    """The person wants these kinds so and nothing else."""
    held = notices.settings_of(person).ways
    off = {kind: "in_app" if KINDS[kind].stays else "off" for kind in held}
    notices.choose(person, ways={**off, **ways}, digest_hour=7)


# Who is told what


@quiet
def test_people_are_told_of_what_is_theirs_and_not_of_what_they_did(committed_cast: Cast) -> None:
    cast = committed_cast
    case = make_case(cast)
    actions.assign_case(case, actor=cast.analyst, to=cast.lead, expected=cast.analyst)
    actions.move_case(case, actor=cast.analyst, to="investigating", expected_from="open")
    lead = make_lead(provider_ids(3, "other"))
    actions.assign_lead(lead, actor=cast.lead, to=cast.analyst, expected=None)
    relay()
    assert told(cast.lead) == [
        ("assigned", f"analyst gave you {case.ref}."),
        ("moved", f"analyst moved {case.ref} from open to investigating."),
    ]
    assert told(cast.analyst) == [("assigned", "lead gave you a lead: it waits in the queue.")]
    assert told(cast.reader) == told(cast.counsel) == told(cast.admin) == []
    relay()
    assert Notice.objects.count() == 3


@quiet
def test_second_person_is_asked_and_asked_no_more_when_somebody_answered(
    committed_cast: Cast, checkpoints_apart: Any
) -> None:
    cast = committed_cast
    case = make_case(cast, stage="judged")
    version = dossiers.freeze(case, actor=cast.lead, edition="counsel")
    relay()
    text = f"lead froze version 1 of the counsel dossier of {case.ref}: a second person has to answer."
    assert told(cast.counsel) == [("review", text)]
    assert "review" not in {kind for one in (cast.lead, cast.analyst, cast.reader) for kind, _ in told(one)}
    dossiers.approve(version, actor=cast.counsel, snapshot_sha256=version.snapshot_sha256)
    relay()
    assert told(cast.counsel) == []
    hold = actions.place_hold(
        case, actor=cast.counsel, matter="m", trigger="t", triggered_at=timezone.now(), scope="case"
    )
    ask = actions.ask_release(hold, actor=cast.counsel, reason="r")
    relay()
    assert ("review", f"counsel asked to release hold 1 of {case.ref}: a second person has to answer.") in told(
        cast.lead
    )
    actions.release_hold(hold, actor=cast.lead, ask=ask.pk)
    relay()
    assert "review" not in {kind for kind, _ in told(cast.lead)}


@quiet
def test_evidence_that_expires_and_leads_that_wait_are_told_once_a_day(committed_cast: Cast) -> None:
    cast = committed_cast
    case = make_case(cast)
    source = TelemetrySource.objects.get()
    days = (timezone.now() - case.clusters.get().cluster.first_seen).days + 5
    set_retention(source, actor="user:admin", data_class="request_logs", days=days)
    make_lead(provider_ids(3, "waits"))
    telling.look_at_clocks()
    assert [kind for kind, _ in told(cast.analyst)] == ["expiring"]
    assert told(cast.lead) == []
    Lead.objects.update(changed_at=timezone.now() - timedelta(hours=25))
    telling.look_at_clocks()
    telling.look_at_clocks()
    assert told(cast.lead) == [("waiting", "1 lead has waited for more than 24 hours for somebody.")]
    assert [kind for kind, _ in told(cast.analyst)] == ["expiring"]
    assert case.ref in told(cast.analyst)[0][1]


@quiet
def test_administrators_are_told_of_a_feed_that_stalls(committed_cast: Cast, settings: Any, tmp_path: Any) -> None:
    make_folder_feed(settings, tmp_path)
    past = timezone.now() - timedelta(hours=5)
    Feed.objects.update(created_at=past, next_pull_at=timezone.now() + timedelta(hours=1))
    feed_health.pull_due()
    feed_health.pull_due()
    relay()
    assert [kind for kind, _ in told(committed_cast.admin)] == ["stalled"]
    page = text_of(client_of(committed_cast.admin).get("/notices/"))
    assert "The feed Drop is stalled" in page
    assert token_of(committed_cast.admin).get("/api/v1/notices/").json()["results"][0]["case"] is None
    assert told(committed_cast.lead) == []


def test_every_kind_says_what_it_is() -> None:
    assert set(KINDS) == set(Kind)
    assert set(telling.TELL) < telling.FOLLOWED


# What somebody may not know of


@quiet
def test_notice_of_a_restricted_case_goes_to_members_alone_and_goes_with_the_membership(committed_cast: Cast) -> None:
    cast = committed_cast
    case = make_case(cast)
    actions.assign_case(case, actor=cast.analyst, to=cast.lead, expected=cast.analyst)
    actions.restrict_case(case, actor=cast.analyst, reason="Few", people=[cast.counsel])
    actions.move_case(case, actor=cast.analyst, to="investigating", expected_from="open")
    relay()
    assert [kind for kind, _ in told(cast.counsel)] == ["moved"]
    assert told(cast.reader) == []
    CaseMember.objects.filter(person=cast.counsel).delete()
    assert told(cast.counsel) == []
    assert case.ref not in text_of(client_of(cast.counsel).get("/notices/"))


@quiet
@pytest.mark.parametrize("way", ["at_once", "digest"])
def test_mail_about_a_restricted_case_names_nothing(way: str, server: MailServer, committed_cast: Cast) -> None:  # noqa: F811
    cast = committed_cast
    with_mail(cast.lead)
    only(cast.lead, assigned=way)
    case = make_case(cast)
    actions.restrict_case(case, actor=cast.analyst, reason="Few", people=[cast.lead])
    actions.assign_case(case, actor=cast.analyst, to=cast.lead, expected=cast.analyst)
    relay()
    notice_mail.send_due(at_hour(8))
    send_mails()
    [(to, message, text)] = letters(server)
    assert to == ["lead@example.com"]
    assert message["Subject"] in {"Retort: a notice", "Retort: your daily notices"}
    whole = f"{message.as_string()}{text}"
    assert all(secret not in whole for secret in (case.ref, case.title, "analyst", str(case.pk)))
    assert "/notices/" in text
    assert "/me/notices/" in text


@quiet
@pytest.mark.parametrize("way", ["at_once", "digest"])
def test_mail_is_not_sent_to_who_may_not_know_any_more(way: str, server: MailServer, committed_cast: Cast) -> None:  # noqa: F811
    cast = committed_cast
    with_mail(cast.lead)
    only(cast.lead, assigned=way)
    case = make_case(cast)
    actions.assign_case(case, actor=cast.analyst, to=cast.lead, expected=cast.analyst)
    relay()
    Case.objects.filter(pk=case.pk).update(restricted=True)
    notice_mail.send_due(at_hour(8))
    send_mails()
    notice_mail.send_due(at_hour(8))
    send_mails()
    assert letters(server) == []
    assert not Notice.objects.exclude(mail=Mailing.NONE).exists()
    assert not Digest.objects.exists()


# Ways


@quiet
def test_mail_at_once_has_the_reference_and_no_word_of_the_notice(server: MailServer, committed_cast: Cast) -> None:  # noqa: F811
    cast = committed_cast
    with_mail(cast.lead, cast.analyst)
    case = make_case(cast)
    actions.assign_case(case, actor=cast.analyst, to=cast.lead, expected=cast.analyst)
    relay()
    send_mails()
    notice_mail.send_due()
    send_mails()
    [(to, message, text)] = letters(server)
    assert (to, message["Subject"]) == (["lead@example.com"], f"Retort: {case.ref}")
    assert (message.get_content_type(), message["Auto-Submitted"]) == ("text/plain", "auto-generated")
    assert text.splitlines()[0] == f"{case.ref}: Something was assigned to you."
    assert "analyst" not in text
    assert message["Message-ID"] == f"<notice-{Notice.objects.get().pk}@127.0.0.1>"


@quiet
def test_who_saw_it_turned_it_off_or_has_no_confirmed_address_gets_no_mail(
    server: MailServer,  # noqa: F811
    committed_cast: Cast,
) -> None:
    cast = committed_cast
    with_mail(cast.lead)
    case = make_case(cast)

    def assigned(back: bool = False) -> None:
        people = (cast.lead, cast.analyst) if back else (cast.analyst, cast.lead)
        actions.assign_case(case, actor=cast.analyst, to=people[1], expected=people[0])
        relay()

    assigned()
    notices.see(cast.lead, Notice.objects.get(recipient=cast.lead).pk)
    send_mails()
    assigned(back=True)
    assigned()
    notices.choose(cast.lead, ways={"assigned": "in_app"})
    send_mails()
    assigned(back=True)
    notices.choose(cast.lead, ways={"assigned": "off"})
    assigned()
    assert Notice.objects.filter(recipient=cast.lead).count() == 2
    notices.choose(cast.lead, ways={"assigned": "at_once"})
    MailAddress.objects.update(confirmed_at=None)
    assigned(back=True)
    assigned()
    send_mails()
    assert letters(server) == []


@quiet
def test_digest_comes_once_a_day_at_its_hour_and_not_when_empty(server: MailServer, committed_cast: Cast) -> None:  # noqa: F811
    cast = committed_cast
    with_mail(cast.lead, cast.analyst)
    only(cast.lead, assigned="digest", moved="digest")
    case = make_case(cast)
    actions.assign_case(case, actor=cast.analyst, to=cast.lead, expected=cast.analyst)
    actions.move_case(case, actor=cast.analyst, to="investigating", expected_from="open")
    relay()
    assert notice_mail.send_due(at_hour(6)) == 0
    for _ in range(3):
        notice_mail.send_due(at_hour(7))
        send_mails()
    [(to, message, text)] = letters(server)
    assert (to, message["Subject"]) == (["lead@example.com"], "Retort: your daily notices")
    assert [line.partition(" (")[0] for line in text.splitlines()[:2]] == [
        f"- {case.ref}: Something was assigned to you.",
        f"- {case.ref}: A case of yours moved on.",
    ]
    actions.assign_case(case, actor=cast.analyst, to=cast.analyst, expected=cast.lead)
    actions.assign_case(case, actor=cast.analyst, to=cast.lead, expected=cast.analyst)
    relay()
    notice_mail.send_due(at_hour(9))
    send_mails()
    assert len(letters(server)) == 1  # today's was sent
    Digest.objects.update(day=timezone.now().date() - timedelta(days=1))
    notice_mail.send_due(at_hour(9))
    send_mails()
    assert len(letters(server)) == 2
    Digest.objects.all().delete()
    assert notice_mail.send_due(at_hour(9)) == 0  # nothing to say


@quiet
def test_mail_server_that_refuses_is_asked_again_and_told_as_a_condition(
    server: MailServer,  # noqa: F811
    committed_cast: Cast,
) -> None:
    cast = committed_cast
    with_mail(cast.lead)
    case = make_case(cast)
    actions.assign_case(case, actor=cast.analyst, to=cast.lead, expected=cast.analyst)
    relay()
    server.refuses = True
    send_mails()
    assert notice_mail.send_due() == 0  # not at once
    Notice.objects.update(mail_after=timezone.now(), at=timezone.now() - timedelta(hours=2))
    assert notice_mail.send_due() == 1
    send_mails()
    assert Condition.objects.get().text.startswith("Notices cannot be mailed: the mail server did not take it")
    assert "example.com" not in Condition.objects.get().text
    server.refuses = False
    Notice.objects.update(mail_after=timezone.now())
    notice_mail.send_due()
    send_mails()
    assert len(letters(server)) == 1
    assert not Condition.objects.exists()
    assert not Job.objects.filter(kind="notice.mail").exclude(state=JobState.DONE).exists()


@quiet
def test_digest_that_the_server_refused_is_tried_again_the_same_day(server: MailServer, committed_cast: Cast) -> None:  # noqa: F811
    cast = committed_cast
    with_mail(cast.lead)
    only(cast.lead, assigned="digest")
    case = make_case(cast)
    actions.assign_case(case, actor=cast.analyst, to=cast.lead, expected=cast.analyst)
    relay()
    server.refuses = True
    notice_mail.send_due(at_hour(8))
    send_mails()
    assert Digest.objects.get().state == "failed"
    server.refuses = False
    notice_mail.send_due(at_hour(8))
    send_mails()
    assert (Digest.objects.get().state, len(letters(server))) == ("sent", 1)


def test_worker_killed_over_a_digest_sends_one_a_day_and_loses_nothing(
    worker: Worker,
    server: MailServer,  # noqa: F811
    committed_cast: Cast,
) -> None:
    cast = committed_cast
    with_mail(cast.lead)
    only(cast.lead, assigned="digest")
    notices.choose(cast.lead, ways={}, digest_hour=0)
    worker.restart(RETORT_EMAIL_URL=f"smtp://127.0.0.1:{server.server_address[1]}")
    server.slow = 3
    case = make_case(cast)
    actions.assign_case(case, actor=cast.analyst, to=cast.lead, expected=cast.analyst)
    waited_for(lambda: Notice.objects.filter(mail=Mailing.DIGEST).exists())
    notice_mail.send_due()
    waited_for(lambda: server.met)
    worker.kill()  # the server takes its time, the worker is gone
    server.slow = 0
    worker.restart()
    notice_mail.send_due()
    waited_for(lambda: not Job.objects.filter(kind="notice.digest", state__in=["queued", "running"]).exists())
    time.sleep(3.5)  # whatever the server was still at
    assert len(letters(server)) <= 1
    assert Digest.objects.get().state == "begun"
    Digest.objects.update(day=timezone.now().date() - timedelta(days=1))
    before = len(letters(server))
    notice_mail.send_due()
    waited_for(lambda: len(letters(server)) == before + 1)


def waited_for(found: Any, seconds: float = 60) -> None:
    ends = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < ends
        time.sleep(0.1)


# Doors


@quiet
def test_preferences_are_kept_by_page_and_api(committed_cast: Cast) -> None:
    analyst, api = client_of(committed_cast.analyst), token_of(committed_cast.analyst)
    page = analyst.get("/me/notices/")
    assert "Nothing is mailed to you" in text_of(page)
    form = page.context["form"]
    kinds = ("assigned", "review", "hold", "member", "recall", "newer", "match", "moved", "snoozed", "expiring")
    assert set(form.fields) == {*kinds, "digest_hour"}
    assert "off" not in dict(form.fields["hold"].choices)
    given = {name: field.initial for name, field in form.fields.items()} | {"moved": "off", "digest_hour": 5}
    assert analyst.post("/me/notices/", given).status_code == 302
    assert api.get("/api/v1/notices/settings/").json()["digest_hour"] == 5
    changed = api.patch("/api/v1/notices/settings/", {"ways": {"review": "digest"}}, format="json").json()
    assert (changed["ways"]["review"], changed["ways"]["moved"], changed["digest_hour"]) == ("digest", "off", 5)
    for bad, pointer in (
        ({"ways": {"hold": "off"}}, "/ways/hold"),
        ({"ways": {"stalled": "in_app"}}, "/ways"),
        ({"ways": {"x": "off"}}, "/ways"),
        ({"ways": {"": "off"}}, "/ways"),
        ({"digest_hour": 24}, "/digest_hour"),
    ):
        answer = api.patch("/api/v1/notices/settings/", bad, format="json")
        assert (answer.status_code, [one["pointer"] for one in answer.json()["errors"]]) == (400, [pointer]), bad
    with pytest.raises(Refused):
        notices.choose(committed_cast.analyst, ways={"moved": "sometimes"})
    admin = token_of(committed_cast.admin).get("/api/v1/notices/settings/").json()
    assert set(admin["ways"]) == {"stalled"}


@quiet
def test_notices_are_seen_one_by_one_or_all_and_banners_stay(committed_cast: Cast) -> None:
    cast = committed_cast
    case = make_case(cast)
    actions.assign_case(case, actor=cast.analyst, to=cast.lead, expected=cast.analyst)
    actions.move_case(case, actor=cast.analyst, to="investigating", expected_from="open")
    relay()
    client = client_of(cast.lead)
    anywhere = text_of(client.get("/cases/"))
    assert "analyst gave you" in anywhere
    assert "analyst moved" not in anywhere
    assert "Notices (2)" in anywhere
    page = client.get("/notices/")
    assert {one.kind for one in page.context["unseen"]} == {"assigned", "moved"}
    client.post("/notices/seen/")
    assert told(cast.lead) == [("assigned", f"analyst gave you {case.ref}.")]
    client.post(f"/notices/{Notice.objects.get(kind='assigned').pk}/seen/")
    assert told(cast.lead) == []
    assert len(client.get("/notices/").context["seen"]) == 2
