"""Mail addresses: given by oneself, confirmed by a link that was mailed there and opened as oneself, cleared."""

import email
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core import signing
from django.test import Client

from people import actions, mail
from people.mail import address_of, proof_of
from people.models import MailAddress
from spine import jobs
from spine.errors import Refused
from spine.models import Job, JobState, LogEntry
from tests.cases.api import client_of as token_of
from tests.cases.pages import client_of, text_of
from tests.factories import Cast
from tests.spine.test_departures import MailServer
from tests.spine.test_departures import mail as mail_server  # noqa: F401 - a fixture

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker")]


@pytest.fixture
def server(request: pytest.FixtureRequest) -> MailServer:
    found: MailServer = request.getfixturevalue("mail_server")
    return found


def do_jobs() -> None:
    for job in Job.objects.filter(kind="mail.confirm", state=JobState.QUEUED):
        jobs.run(job.pk)


def letters(server: MailServer) -> list[tuple[list[str], Any, str]]:
    """(to, message, text) of what the server was given."""
    found = []
    for people, body in server.received:
        message = email.message_from_bytes(body)
        payload = message.get_payload(decode=True)
        assert isinstance(payload, bytes)
        found.append((people, message, payload.decode()))
    return found


def link_in(text: str) -> str:
    found = re.search(r"http\S+/me/mail/\?proof=\S+", text)
    assert found is not None
    return found.group()


def test_address_counts_once_its_mailed_link_was_opened_as_oneself(server: MailServer, committed_cast: Cast) -> None:
    analyst = client_of(committed_cast.analyst)
    assert analyst.post("/me/mail/", {"do": "set", "address": "mira@example.com"}).status_code == 302
    do_jobs()
    [(to, message, text)] = letters(server)
    assert (to, message["Subject"]) == (["mira@example.com"], "Retort: confirm this address")
    assert address_of(committed_cast.analyst) == ""
    parts = urlsplit(link_in(text))
    proof = parse_qs(parts.query)["proof"][0]
    assert Client().get(f"{parts.path}?{parts.query}").status_code == 302  # to sign in
    other = client_of(committed_cast.lead)
    other.post("/me/mail/", {"do": "confirm", "proof": proof})
    assert address_of(committed_cast.lead) == address_of(committed_cast.analyst) == ""
    page = text_of(analyst.get(f"{parts.path}?{parts.query}"))
    assert "Confirm the address" in page
    assert address_of(committed_cast.analyst) == ""  # looking confirms nothing
    analyst.post("/me/mail/", {"do": "confirm", "proof": proof})
    assert address_of(committed_cast.analyst) == "mira@example.com"
    assert "mira@example.com" in text_of(analyst.get("/me/"))
    analyst.post("/me/mail/", {"do": "clear"})
    assert address_of(committed_cast.analyst) == ""
    acts = list(LogEntry.objects.filter(action__startswith="person.mail").order_by("at").values_list("action", "data"))
    assert [action for action, _ in acts] == ["person.mail_set", "person.mail_confirmed", "person.mail_cleared"]
    assert "mira@" not in str(acts)


def test_another_address_has_to_be_confirmed_anew(committed_cast: Cast) -> None:
    analyst = committed_cast.analyst
    first = actions.set_mail_address(actor=analyst, address="a@example.com")
    proof = proof_of(first)
    actions.confirm_mail_address(actor=analyst, proof=proof)
    MailAddress.objects.update(asked_at="2026-01-01T00:00:00Z")
    actions.set_mail_address(actor=analyst, address="b@example.com")
    assert address_of(analyst) == ""
    with pytest.raises(Refused, match="not good any more"):
        actions.confirm_mail_address(actor=analyst, proof=proof)
    with pytest.raises(Refused, match="wait a moment"):
        actions.set_mail_address(actor=analyst, address="c@example.com")


def test_old_and_forged_links_confirm_nothing(committed_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    analyst = committed_cast.analyst
    row = actions.set_mail_address(actor=analyst, address="a@example.com")
    good = proof_of(row)
    for bad in (good[:-2], "", signing.dumps([str(analyst.pk), row.address], salt="another")):
        with pytest.raises(Refused):
            actions.confirm_mail_address(actor=analyst, proof=bad)
    monkeypatch.setattr(mail, "HOURS", 0)
    with pytest.raises(Refused):
        actions.confirm_mail_address(actor=analyst, proof=good)


@pytest.mark.parametrize("address", ["", "a", "a@b", "a b@example.com", "a@example.com\nBcc: b@example.com", "<a@b.c>"])
def test_what_is_no_address_is_refused(address: str, committed_cast: Cast) -> None:
    with pytest.raises(Refused) as refused:
        actions.set_mail_address(actor=committed_cast.analyst, address=address)
    assert refused.value.field == "address"
    assert client_of(committed_cast.analyst).post("/me/mail/", {"do": "set", "address": address}).status_code == 422


def test_same_over_the_api_and_an_administrator_clears_it(server: MailServer, committed_cast: Cast) -> None:
    api, admin = token_of(committed_cast.reader), token_of(committed_cast.admin)
    assert api.put("/api/v1/people/me/mail/", {"address": "r@example.com"}, format="json").status_code == 202
    do_jobs()
    [(_, _, text)] = letters(server)
    proof = parse_qs(urlsplit(link_in(text)).query)["proof"][0]
    done = api.post("/api/v1/people/me/mail/confirm/", {"proof": proof}, format="json")
    assert done.json()["confirmed_at"] is not None
    at = f"/api/v1/people/{committed_cast.reader.pk}/mail/"
    assert admin.get(at).json()["address"] == "r@example.com"
    assert token_of(committed_cast.lead).get(at).status_code == 403
    page = client_of(committed_cast.admin)
    assert "r@example.com" in text_of(page.get(f"/people/{committed_cast.reader.pk}/"))
    page.post(f"/people/{committed_cast.reader.pk}/mail/clear/")
    assert (admin.get(at).status_code, address_of(committed_cast.reader)) == (404, "")
    assert api.get("/api/v1/people/me/mail/").status_code == 404


def test_link_that_cannot_be_mailed_is_a_failed_job_without_the_address(
    server: MailServer, committed_cast: Cast
) -> None:
    server.refuses = True
    actions.set_mail_address(actor=committed_cast.analyst, address="gone@example.com")
    do_jobs()
    job = Job.objects.get(kind="mail.confirm")
    assert job.state == JobState.FAILED
    assert "SMTPRecipientsRefused" in job.error
    assert "gone@" not in f"{job.error}{job.args}{job.key}"
