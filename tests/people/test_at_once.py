"""Verbs on people and keys, twice and from two threads at once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from people import actions
from people.models import ApiToken, DetectorKey, User
from spine.errors import Refused
from spine.models import LogEntry
from tests.factories import Cast

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "a-long-enough-pass-phrase"


def create(username: str) -> str:
    try:
        actions.create_user(actor="user:admin", username=username, role="analyst", password=PASSWORD)
    except Refused as refused:
        return refused.message
    return "created"


def test_create_user_twice_is_one_person_and_one_entry() -> None:
    assert [create("mira"), create("mira")] == ["created", "The name mira is taken."]
    assert User.objects.count() == LogEntry.objects.filter(action="person.created").count() == 1


def test_create_user_from_two_threads_is_one_person_and_the_other_is_told() -> None:
    start = Barrier(2)

    def one(username: str) -> str:
        try:
            start.wait(10)
            return create(username)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        said = sorted(pool.map(one, ["mira", "mira"]))
    assert said == ["The name mira is taken.", "created"]
    assert User.objects.count() == LogEntry.objects.filter(action="person.created").count() == 1


def test_set_password_twice_is_two_acts_and_the_last_one_counts(committed_cast: Cast) -> None:
    for number in (1, 2):
        actions.set_password(actor="user:admin", username="lead", password=f"{PASSWORD}-{number}")
    person = User.objects.get(username="lead")
    assert (person.check_password(f"{PASSWORD}-1"), person.check_password(f"{PASSWORD}-2")) == (False, True)
    assert LogEntry.objects.filter(action="person.password_set").count() == 2


def test_keys_made_twice_are_two_keys_each_in_the_log(committed_cast: Cast) -> None:
    tokens = {actions.create_token(actor="user:admin", username="lead") for _ in range(2)}
    keys = {actions.create_detector_key(actor="user:admin", detector="api-gateway") for _ in range(2)}
    assert (len(tokens), ApiToken.objects.count(), len(keys), DetectorKey.objects.count()) == (2, 2, 2, 2)
    assert LogEntry.objects.filter(action__in=["token.created", "detector_key.created"]).count() == 4
