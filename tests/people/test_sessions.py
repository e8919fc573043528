"""Sessions: what the list says, that an ended one opens nothing, and that none lasts for ever."""

import time

import pytest
from allauth.usersessions.models import UserSession
from django.conf import settings as configured
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from people import actions, sessions
from spine.models import LogEntry
from tests.cases.pages import client_of, text_of
from tests.factories import PASSWORD, Cast
from tests.people.signing import is_in, post

pytestmark = pytest.mark.django_db
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def signed_in(username: str, **about: str) -> Client:
    client = Client(**about)
    post(client, username)
    return client


def aged(client: Client, name: str, seconds: float) -> None:
    """Set a time of the session back."""
    session = client.session
    session[name] = int(time.time() - seconds)
    session.save()


def test_the_list_says_device_address_since_and_last_seen(cast: Cast) -> None:
    client = signed_in("lead", HTTP_USER_AGENT=FIREFOX, REMOTE_ADDR="192.0.2.7")
    page = text_of(client.get("/me/"))
    listed = UserSession.objects.get()
    assert ("Firefox on Linux" in page, "192.0.2.7" in page, "this one" in page) == (True, True, True)
    assert (listed.ip, listed.user_agent, listed.user) == ("192.0.2.7", FIREFOX, cast.lead)
    assert client.session.session_key not in page


def test_one_ends_one_session_and_the_others_stay(cast: Cast) -> None:
    here, there, elsewhere = (signed_in("lead") for _ in range(3))
    known = UserSession.objects.get(session_key=there.session.session_key)
    here.post("/me/sessions/end/", {"session": str(sessions.id_of(known))})
    assert [is_in(client) for client in (here, there, elsewhere)] == [True, False, True]
    here.post("/me/sessions/end/", {"session": "others"})
    assert [is_in(client) for client in (here, elsewhere)] == [True, False]
    assert LogEntry.objects.filter(action="person.sessions_ended", actor="user:lead").count() == 2


def test_nobody_ends_anybody_elses(cast: Cast) -> None:
    mine, theirs = signed_in("lead"), signed_in("analyst")
    known = UserSession.objects.get(session_key=theirs.session.session_key)
    mine.post("/me/sessions/end/", {"session": str(sessions.id_of(known))})
    assert is_in(theirs)


def test_an_administrator_sees_and_ends_sessions_of_others(cast: Cast) -> None:
    admin, theirs = client_of(cast.admin), signed_in("lead", REMOTE_ADDR="192.0.2.9")
    assert "192.0.2.9" in text_of(admin.get(f"/people/{cast.lead.pk}/"))
    listed = admin.get(f"/api/v1/people/{cast.lead.pk}/sessions/").json()
    assert [one["address"] for one in listed] == ["192.0.2.9"]
    assert "session_key" not in listed[0]
    admin.post(f"/people/{cast.lead.pk}/sessions/end/", {"session": "all"})
    assert not is_in(theirs)


def test_switching_off_ends_sessions_and_tokens_at_once(cast: Cast) -> None:
    theirs = signed_in("lead")
    value = actions.create_token(actor="system:test", username="lead")
    actions.disable(cast.lead, actor="user:admin")
    assert not is_in(theirs)
    assert not Session.objects.filter(session_key=theirs.session.session_key).exists()
    answer = Client().get("/api/v1/people/me/", headers={"Authorization": f"Bearer {value}"})
    assert answer.status_code == 401
    actions.enable(cast.lead, actor="user:admin")
    assert not is_in(theirs)


def test_changing_ones_password_ends_the_others_and_keeps_this_one_under_a_new_key(cast: Cast) -> None:
    here, there = signed_in("lead"), signed_in("lead")
    key = here.session.session_key
    fresh = "seven unlikely herons at noon"
    here.post("/me/password/", {"old": PASSWORD, "new": fresh, "again": fresh})
    assert (is_in(here), is_in(there), here.session.session_key == key) == (True, False, False)
    assert [one.session_key for one in UserSession.objects.all()] == [here.session.session_key]
    assert post(Client(), "lead", fresh).status_code == 302


def test_a_session_ends_after_its_longest_time_and_after_idling(cast: Cast) -> None:
    client = signed_in("lead")
    aged(client, sessions.SINCE, configured.SESSION_COOKIE_AGE + 1)
    assert not is_in(client)
    idle = signed_in("lead")
    aged(idle, sessions.SEEN, configured.SESSION_IDLE_SECONDS + 1)
    assert not is_in(idle)
    assert idle.session.session_key is None


def test_an_active_session_writes_once_a_minute(cast: Cast) -> None:
    client = signed_in("reader")
    client.get("/me/password/")
    with CaptureQueriesContext(connection) as quiet:
        client.get("/me/password/")
    assert not [one for one in quiet if one["sql"].startswith(("INSERT", "UPDATE"))]
    aged(client, sessions.SEEN, 61)
    client.get("/me/password/")
    assert time.time() - client.session[sessions.SEEN] < 5


def test_signing_in_gives_the_session_a_new_key(cast: Cast) -> None:
    client = Client()
    session = client.session
    session["planted"] = True
    session.save()
    planted = session.session_key
    client.cookies[configured.SESSION_COOKIE_NAME] = planted
    post(client, "lead")
    assert is_in(client)
    assert client.session.session_key != planted
    stolen = Client()
    stolen.cookies[configured.SESSION_COOKIE_NAME] = planted
    assert not is_in(stolen)


def test_a_sign_in_takes_out_what_is_over(cast: Cast) -> None:
    over, kept = signed_in("lead"), signed_in("lead")
    Session.objects.filter(session_key=over.session.session_key).update(expire_date=timezone.now())
    signed_in("lead")
    assert Session.objects.count() == UserSession.objects.count() == 2
    assert is_in(kept)


def test_a_session_without_a_beginning_is_over(cast: Cast) -> None:
    client = client_of(cast.lead)
    session = client.session
    del session[sessions.SINCE]
    session.save()
    assert not is_in(client)
