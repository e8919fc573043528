"""Administering people by the pages and the API: one-time passwords, roles, switching off, and who may never be."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from people import actions
from people.models import User
from spine.errors import Conflict, Refused
from spine.models import LogEntry
from tests.cases.pages import client_of, text_of
from tests.factories import Cast, make_person
from tests.people.signing import is_in, post, with_app

pytestmark = pytest.mark.django_db
FRESH = "seven unlikely herons at noon"


def shown(response: Any) -> str:
    """The secret that a page shows once."""
    return text_of(response).partition("<code>")[2].partition("</code>")[0]


def test_a_new_person_comes_with_a_one_time_password_and_changes_it_first(cast: Cast) -> None:
    admin = client_of(cast.admin)
    page = admin.post("/people/", {"username": "nina", "display_name": "Nina", "role": "analyst"})
    password = shown(page)
    assert ("no-store" in page["Cache-Control"], len(password)) == (True, 20)
    assert password not in text_of(admin.get("/people/"))
    nina = Client()
    post(nina, "nina", password)
    assert nina.get("/")["Location"] == "/me/password/?next=/"
    assert nina.get("/api/v1/cases/").status_code == 403
    weak = nina.post("/me/password/", {"old": password, "new": "password1234", "again": "password1234"})
    assert weak.status_code == 422
    assert nina.post("/me/password/", {"old": password, "new": FRESH, "again": FRESH}).status_code == 302
    assert nina.get("/").status_code == 200
    assert post(Client(), "nina", password).status_code == 200  # good once
    entries = LogEntry.objects.order_by("at")
    assert [(one.actor, one.action) for one in entries] == [
        *(("user:admin", "person.created"), ("user:nina", "person.signed_in")),
        ("user:nina", "person.password_changed"),
    ]
    assert not any(password in str(one.data) or FRESH in str(one.data) for one in entries)


def test_a_one_time_password_runs_out(cast: Cast) -> None:
    password = actions.give_one_time_password(cast.lead, actor="user:admin")
    User.objects.filter(pk=cast.lead.pk).update(one_time_until=timezone.now() - timedelta(seconds=1))
    client = Client()
    assert "has run out" in text_of(post(client, "lead", password))
    assert not is_in(client)


def test_the_list_says_role_state_second_factor_and_sessions(cast: Cast) -> None:
    with_app(cast.lead)
    actions.disable(cast.reader, actor="user:admin")
    post(Client(), "analyst")
    rows = {one["person"].username: one for one in client_of(cast.admin).get("/people/").context["rows"]}
    assert (rows["lead"]["factor"], rows["analyst"]["sessions"], rows["reader"]["person"].is_active) == (
        "app",
        1,
        False,
    )


def test_the_list_costs_the_same_for_any_number_of_people(cast: Cast) -> None:
    client = client_of(cast.admin)
    client.get("/people/")
    with CaptureQueriesContext(connection) as few:
        client.get("/people/")
    for number in range(6):
        with_app(make_person(f"more{number}", "reader"))
    with CaptureQueriesContext(connection) as many:
        client.get("/people/")
    assert len(few) == len(many)


def test_a_role_is_changed_from_the_one_it_was_seen_to_be(cast: Cast) -> None:
    theirs, admin = Client(), client_of(cast.admin)
    post(theirs, "reader")
    address = f"/people/{cast.reader.pk}/role/"
    assert admin.post(address, {"role": "analyst", "expected": "reader"}).status_code == 302
    again = admin.post(address, {"role": "counsel", "expected": "reader"})
    assert (again.status_code, "analyst by now" in text_of(again)) == (409, True)
    assert not is_in(theirs)
    entry = LogEntry.objects.get(action="person.role_set")
    assert entry.data == {"username": "reader", "old": "reader", "new": "analyst"}


def test_nobody_changes_their_own_role_password_factor_or_state(cast: Cast) -> None:
    make_person("second", "administrator")
    actor = cast.admin.principal
    tries = (
        lambda: actions.set_role(cast.admin, actor=actor, role="counsel", expected="administrator"),
        lambda: actions.disable(cast.admin, actor=actor),
        lambda: actions.give_one_time_password(cast.admin, actor=actor),
        lambda: actions.reset_second_factor(cast.admin, actor=actor),
    )
    for one in tries:
        with pytest.raises(Refused, match=r"^You cannot .* another administrator can\.$"):
            one()
    assert not LogEntry.objects.exists()


def test_the_last_active_administrator_stays_one(cast: Cast) -> None:
    second = make_person("second", "administrator")
    actions.disable(second, actor="user:admin")
    for verb, more in ((actions.disable, {}), (actions.set_role, {"role": "reader", "expected": "administrator"})):
        with pytest.raises(Refused, match="last active administrator"):
            verb(cast.admin, actor="user:second", **more)


def test_resetting_a_second_factor_lets_the_person_in_by_password(cast: Cast) -> None:
    with_app(cast.lead)
    client_of(cast.admin).post(f"/people/{cast.lead.pk}/second-factor/reset/")
    client = Client()
    post(client, "lead")
    assert is_in(client)


def test_no_case_content_is_on_the_pages_of_administration(cast: Cast) -> None:
    from tests.factories import make_case

    case = make_case(cast)
    admin = client_of(cast.admin)
    for place in ("/people/", f"/people/{cast.analyst.pk}/", "/people/roles/", "/people/detector-keys/", "/me/"):
        page = text_of(admin.get(place))
        assert not any(word in page for word in (case.ref, case.title))


class TestApi:
    """The same by the API."""

    def client(self, cast: Cast) -> Client:
        return client_of(cast.admin)

    def send(self, cast: Cast, method: str, address: str, body: Any = None) -> Any:
        client = self.client(cast)
        return getattr(client, method)(f"/api/v1/{address}", body or {}, content_type="application/json")

    def test_creating_gives_the_one_time_password_once(self, cast: Cast) -> None:
        answer = self.send(cast, "post", "people/", {"username": "nina", "role": "analyst"})
        assert (answer.status_code, answer["Cache-Control"]) == (201, "no-store")
        nina = Client()
        post(nina, "nina", answer.json()["one_time_password"])
        assert nina.get("/")["Location"].startswith("/me/password/")
        listed = self.client(cast).get("/api/v1/people/").content.decode()
        assert answer.json()["one_time_password"] not in listed
        assert "scrypt" not in listed

    def test_changing_a_role_needs_the_one_it_takes_the_place_of(self, cast: Cast) -> None:
        address = f"people/{cast.reader.pk}/"
        assert self.send(cast, "patch", address, {"role": "analyst"}).status_code == 400
        changed = self.send(cast, "patch", address, {"role": "analyst", "expected_role": "reader"})
        assert (changed.status_code, changed.json()["role"]) == (200, "analyst")
        late = self.send(cast, "patch", address, {"role": "counsel", "expected_role": "reader"})
        assert late.status_code == 409

    def test_what_is_not_offered_is_not_taken(self, cast: Cast) -> None:
        self.send(
            cast, "patch", f"people/{cast.reader.pk}/", {"username": "root", "password": "x", "is_superuser": True}
        )
        cast.reader.refresh_from_db()
        assert cast.reader.username == "reader"
        answer = self.send(cast, "patch", f"people/{cast.admin.pk}/", {"is_active": False})
        assert answer.status_code == 409

    def test_everybody_reads_who_they_are_and_what_they_may(self, cast: Cast) -> None:
        me = client_of(cast.reader).get("/api/v1/people/me/").json()
        assert (me["username"], "cases.read" in me["rights"], "cases.write" in me["rights"]) == ("reader", True, False)


@pytest.mark.django_db(transaction=True)
def test_two_administrators_who_switch_each_other_off_at_once_leave_one(committed_cast: Cast) -> None:
    second = make_person("second", "administrator")
    start = Barrier(2)

    def one(pair: tuple[User, User]) -> str:
        who, by = pair
        try:
            start.wait(10)
            actions.disable(who, actor=by.principal)
        except Refused as refusal:
            return "refused" if not isinstance(refusal, Conflict) else "conflict"
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(2) as pool:
        said = sorted(pool.map(one, [(second, committed_cast.admin), (committed_cast.admin, second)]))
    assert said == ["done", "refused"]
    assert User.objects.filter(role="administrator", is_active=True).count() == 1
