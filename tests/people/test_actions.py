"""Verbs on people and keys: what they check, what is stored of a secret, what the log says."""

import hashlib
from datetime import timedelta

import pytest
from django.utils import timezone

from people import actions
from people.models import ApiToken, DetectorKey, User
from people.rights import RIGHTS
from spine.errors import Refused
from spine.models import LogEntry
from tests.factories import PASSWORD, Cast

pytestmark = pytest.mark.django_db
ACTOR = "system:command"


def create(**changed: str) -> User:
    given = {"username": "nina", "role": "analyst", "password": PASSWORD, **changed}
    return actions.create_user(actor=ACTOR, **given)


def entries() -> list[tuple[str, str, object]]:
    return [(entry.actor, entry.action, entry.data) for entry in LogEntry.objects.order_by("at")]


def test_a_new_person_can_sign_in_and_stands_in_the_log_without_the_password() -> None:
    person = create(display_name="Nina")
    assert (person.check_password(PASSWORD), str(person), person.role) == (True, "Nina", "analyst")
    assert entries() == [(ACTOR, "person.created", {"username": "nina", "role": "analyst"})]
    assert PASSWORD not in person.password


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"role": "owner"}, "role"),
        ({"username": "Nina"}, "username"),
        ({"username": "a b"}, "username"),
        ({"username": ""}, "username"),
        ({"username": "n" * 61}, "username"),
        ({"username": "nina\x00"}, "username"),
        ({"password": "too short"}, "password"),
        ({"password": "administrator"}, "password"),
        ({"password": "nina-nina-nina", "username": "nina-nina-nina"}, "password"),
    ],
)
def test_what_cannot_be_stored_is_refused_by_field(changed: dict[str, str], field: str) -> None:
    with pytest.raises(Refused) as refused:
        create(**changed)
    assert (refused.value.field, User.objects.count(), entries()) == (field, 0, [])


def test_a_name_is_taken_once() -> None:
    create()
    with pytest.raises(Refused, match=r"The name nina is taken\."):
        create(role="reader")
    assert (User.objects.count(), len(entries())) == (1, 1)


def test_a_new_password_replaces_the_old_one(cast: Cast) -> None:
    actions.set_password(actor=ACTOR, username="lead", password="another long passphrase")
    cast.lead.refresh_from_db()
    assert (cast.lead.check_password(PASSWORD), cast.lead.check_password("another long passphrase")) == (False, True)
    assert entries() == [(ACTOR, "person.password_set", {"username": "lead"})]


def test_a_password_is_set_for_nobody_unknown_and_never_a_weak_one(cast: Cast) -> None:
    for username, password, field in (("ghost", PASSWORD, "username"), ("lead", "short", "password")):
        with pytest.raises(Refused) as refused:
            actions.set_password(actor=ACTOR, username=username, password=password)
        assert refused.value.field == field
    assert entries() == []


def test_of_a_token_only_its_digest_and_prefix_are_stored(cast: Cast) -> None:
    value = actions.create_token(actor=ACTOR, username="lead", name="notebook")
    token = ApiToken.objects.get()
    assert value.startswith(f"rt_tok_{token.prefix}_")
    assert (token.sha256, token.user) == (hashlib.sha256(value.encode()).hexdigest(), cast.lead)
    assert entries() == [
        (
            ACTOR,
            "token.created",
            {
                "username": "lead",
                "prefix": token.prefix,
                "scopes": sorted(RIGHTS["case_lead"]),
                "until": (timezone.now() + timedelta(days=90)).date().isoformat(),
            },
        )
    ]
    stored = " ".join(str(column) for column in ApiToken.objects.values_list().get())
    assert value.rpartition("_")[2] not in stored


def test_of_a_detector_key_only_its_digest_and_prefix_are_stored() -> None:
    value = actions.create_detector_key(actor=ACTOR, detector="outside")
    key = DetectorKey.objects.get()
    assert (key.sha256, value.split("_")[:3]) == (hashlib.sha256(value.encode()).hexdigest(), ["rt", "det", key.prefix])


def test_keys_are_never_alike() -> None:
    assert len({ApiToken.fresh_secret()[0] for _ in range(50)}) == 50


def test_a_token_needs_somebody_active(cast: Cast) -> None:
    User.objects.filter(pk=cast.lead.pk).update(is_active=False)
    for username in ("lead", "ghost"):
        with pytest.raises(Refused, match=rf"Nobody active is called {username}\."):
            actions.create_token(actor=ACTOR, username=username)
    assert ApiToken.objects.count() == 0
