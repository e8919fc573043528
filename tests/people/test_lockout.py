"""Guessing is stopped: for a name, real or not, and from an address; what a guesser sees and what it costs."""

import re
import statistics
import time
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from people import lockout
from people.models import Attempts, User
from spine.models import LogEntry
from tests.factories import PASSWORD, Cast
from tests.people.signing import is_in, post

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def quick_hashes(settings: Any, cast: Cast) -> None:
    """Attempts by the dozen, without the price that a password's hash is made to have."""
    settings.PASSWORD_HASHERS = ["tests.people.hashing.Quick", *settings.PASSWORD_HASHERS]
    User.objects.update(password=make_password(PASSWORD))


def page_of(response: Any) -> tuple[int, str]:
    """Status and text, without what differs by chance or by what was typed."""
    return response.status_code, re.sub(r'value="[^"]*"', "", response.content.decode())


def fail(username: str, times: int, **about: str) -> Any:
    client = Client(**about)
    for _ in range(times):
        response = post(client, username, "wrong")
    return response


def test_ten_failures_close_a_name_also_to_the_right_password(cast: Cast) -> None:
    fail("lead", 10)
    client = Client()
    assert "Too many attempts failed" in post(client, "lead").content.decode()
    assert not is_in(client)
    assert is_in_as(client, "analyst")


def is_in_as(client: Client, username: str) -> bool:
    post(client, username)
    return is_in(client)


def test_nine_failures_close_nothing_and_a_success_forgets_them(cast: Cast) -> None:
    fail("lead", 9)
    assert is_in_as(Client(), "lead")
    fail("lead", 9)
    assert is_in_as(Client(), "lead")


def test_a_name_nobody_has_is_closed_alike(cast: Cast) -> None:
    pages = {page_of(fail(name, 11)) for name in ("lead", "ghost")}
    assert len(pages) == 1
    acts = LogEntry.objects.filter(action="person.locked_out").order_by("at")
    assert [(one.actor, one.data["username"]) for one in acts] == [
        ("system:sign-in", "lead"),
        ("system:sign-in", "nobody here"),
    ]
    assert not LogEntry.objects.filter(data__icontains="ghost").exists()


def test_the_table_tells_nobody_which_names_were_tried(cast: Cast) -> None:
    fail("lead", 1)
    assert {row.key.partition(":")[0] for row in Attempts.objects.all()} == {"account", "address"}
    assert not Attempts.objects.filter(key__contains="lead").exists()


def test_the_window_ends_and_is_not_prolonged_by_further_attempts(cast: Cast) -> None:
    fail("lead", 12)
    began = Attempts.objects.get(key__startswith="account").since
    Attempts.objects.update(since=timezone.now() - lockout.window() - timedelta(seconds=1))
    assert is_in_as(Client(), "lead")
    assert began > timezone.now() - timedelta(minutes=1)


def test_one_address_guessing_many_names_is_closed_and_others_are_not(cast: Cast, settings: Any) -> None:
    settings.SIGN_IN_LIMITS = {**settings.SIGN_IN_LIMITS, "address": 5}
    for number in range(5):
        fail(f"name{number}", 1, REMOTE_ADDR="198.51.100.7")
    guesser, other = Client(REMOTE_ADDR="198.51.100.7"), Client(REMOTE_ADDR="198.51.100.8")
    assert (is_in_as(guesser, "lead"), is_in_as(other, "lead")) == (False, True)


def test_all_of_an_ipv6_network_is_one_address(cast: Cast, settings: Any) -> None:
    settings.SIGN_IN_LIMITS = {**settings.SIGN_IN_LIMITS, "address": 3}
    for number in range(3):
        fail(f"name{number}", 1, REMOTE_ADDR=f"2001:db8:1:2::{number}")
    assert not is_in_as(Client(REMOTE_ADDR="2001:db8:1:2:ffff::1"), "lead")


def test_what_a_proxy_is_told_counts_only_behind_one(cast: Cast, settings: Any) -> None:
    settings.SIGN_IN_LIMITS = {**settings.SIGN_IN_LIMITS, "address": 2}
    for number in range(3):
        fail(f"name{number}", 1, HTTP_X_FORWARDED_FOR=f"192.0.2.{number}")
    assert not is_in_as(Client(HTTP_X_FORWARDED_FOR="192.0.2.9"), "lead")  # our own, not to be made up
    settings.BEHIND_PROXY = True
    assert is_in_as(Client(HTTP_X_FORWARDED_FOR="192.0.2.66, 192.0.2.9"), "lead")


def test_an_unknown_name_and_a_wrong_password_take_the_same_questions_to_the_database(cast: Cast) -> None:
    asked = []
    for name in ("lead", "ghost"):
        with CaptureQueriesContext(connection) as queries:
            fail(name, 1)
        asked.append([re.sub(r"'[^']*'|\d+", "?", one["sql"]) for one in queries])
    assert asked[0] == asked[1]


def test_old_counts_are_forgotten(cast: Cast) -> None:
    fail("ghost", 1)
    Attempts.objects.update(since=timezone.now() - 3 * lockout.window())
    fail("lead", 1)
    assert Attempts.objects.filter(key__startswith="account").count() == 1


@pytest.mark.usefixtures("cast")
class TestTime:
    """With the real hash: what it takes tells nobody which names there are."""

    @pytest.fixture(autouse=True)
    def quick_hashes(self) -> None:
        """None here."""

    def test_unknown_name_wrong_password_and_switched_off_take_the_same_time(self, settings: Any) -> None:
        settings.SIGN_IN_LIMITS = dict.fromkeys(settings.SIGN_IN_LIMITS, 1000)
        User.objects.filter(username="reader").update(is_active=False)
        tried = {"ghost": "wrong", "lead": "wrong", "reader": PASSWORD}
        took: dict[str, list[float]] = {name: [] for name in tried}
        client = Client()
        for _ in range(9):
            for name, password in tried.items():
                begin = time.process_time()
                post(client, name, password)
                took[name].append(time.process_time() - begin)
        medians = sorted(statistics.median(values) for values in took.values())
        assert medians[-1] / medians[0] < 1.25, took
