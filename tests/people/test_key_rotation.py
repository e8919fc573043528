"""A detector's key is replaced: what the new one takes over, how long the old one works, and who is told in time."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from detection.tasks import look_at_keys
from people import actions, key_health
from people.models import DetectorKey
from spine.errors import Conflict, Refused
from spine.models import Condition, LogEntry
from tests.cases.api import client_of as token_of
from tests.cases.pages import client_of, text_of
from tests.detection.registered import ADMIN, make_detector
from tests.factories import PASSWORD, Cast
from tests.people.test_keys import opens
from tests.people.test_reauth import stale

pytestmark = pytest.mark.django_db
PLACES = ["192.0.2.0/24"]
ASKED = {"name": "edge", "expires_in_days": "30", "overlap_days": "3"}


@pytest.fixture
def value() -> str:
    """What a key opens with that has a name, a network and a limit."""
    return actions.create_detector_key(
        actor=ADMIN, detector="gateway", name="edge", networks=PLACES, limits={"findings_per_minute": 600}
    )


@pytest.fixture
def old(value: str) -> DetectorKey:
    """Its row."""
    return DetectorKey.objects.get(prefix=value.split("_")[2])


def replaced(key: DetectorKey, **asked: Any) -> tuple[DetectorKey, str]:
    return actions.replace_detector_key(key, actor=ADMIN, **asked)


def set_key(key: DetectorKey, **changed: datetime | None) -> DetectorKey:
    DetectorKey.objects.filter(pk=key.pk).update(**changed)
    key.refresh_from_db()
    return key


def days_left(key: DetectorKey) -> float:
    key.refresh_from_db()
    assert key.expires_at is not None
    return round((key.expires_at - timezone.now()) / timedelta(days=1), 2)


def secret_in(page: Any) -> str:
    return text_of(page).partition("<code>")[2].partition("</code>")[0]


def test_the_new_key_takes_everything_over_and_both_work_for_a_week(old: DetectorKey, value: str) -> None:
    new, opening = replaced(old, days=90)
    assert (new.detector, new.name, new.networks, new.limits) == ("gateway", "edge", PLACES, old.limits)
    assert (days_left(new), days_left(old)) == (90, 7)
    assert (opens(value), opens(opening)) == (True, True)


def test_the_log_says_which_key_took_whose_place(old: DetectorKey) -> None:
    new, _ = replaced(old, overlap=2)
    created, over = LogEntry.objects.order_by("at", "id")[1:]
    assert (created.action, created.about) == ("detector_key.created", f"people.detectorkey:{new.pk}")
    assert created.data["replaces"] == old.prefix
    assert (over.action, over.about, over.actor) == ("detector_key.replaced", f"people.detectorkey:{old.pk}", ADMIN)
    until = (timezone.now() + timedelta(days=2)).date().isoformat()
    assert over.data == {
        "detector": "gateway",
        "prefix": old.prefix,
        "by": new.prefix,
        "successor": str(new.pk),
        "until": until,
    }


def test_without_an_overlap_the_old_key_ends_at_once(old: DetectorKey, value: str) -> None:
    _, opening = replaced(old, overlap=0)
    assert (opens(value), opens(opening)) == (False, True)


def test_the_old_key_works_no_longer_than_it_would_have(old: DetectorKey) -> None:
    set_key(old, expires_at=timezone.now() + timedelta(days=2))
    replaced(old, overlap=30)
    assert days_left(old) == 2


def test_a_key_without_an_end_gets_one(old: DetectorKey) -> None:
    set_key(old, expires_at=None)
    replaced(old, overlap=30)
    assert days_left(old) == 30


def test_the_new_key_may_have_another_name(old: DetectorKey) -> None:
    assert [replaced(old, name="  inner   edge ")[0].name, DetectorKey.objects.get(pk=old.pk).name] == [
        *("inner edge", "edge"),
    ]


@pytest.mark.parametrize(
    ("ended", "why"),
    [({"revoked_at": timezone.now()}, "was revoked"), ({"expires_at": timezone.now()}, "has run out")],
)
def test_a_key_that_opens_nothing_is_not_replaced(old: DetectorKey, ended: dict[str, datetime], why: str) -> None:
    with pytest.raises(Refused, match=why):
        replaced(set_key(old, **ended))
    assert DetectorKey.objects.count() == 1


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        *(({"overlap": -1}, "overlap_days"), ({"overlap": 367}, "overlap_days")),
        *(({"days": 0}, "expires_in_days"), ({"days": 367}, "expires_in_days"), ({"name": "n" * 121}, "name")),
    ],
)
def test_what_is_not_accepted_changes_nothing(old: DetectorKey, asked: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as refused:
        replaced(old, **asked)
    assert (refused.value.field, DetectorKey.objects.count(), days_left(old)) == (field, 1, 365)


def test_replaced_twice_the_second_is_told_until_the_first_is_revoked(old: DetectorKey) -> None:
    first, _ = replaced(old)
    with pytest.raises(Conflict, match=rf"replaced by rt_det_{first.prefix}_… already"):
        replaced(old)
    assert (DetectorKey.objects.count(), LogEntry.objects.filter(action="detector_key.replaced").count()) == (2, 1)
    actions.revoke_detector_key(first, actor=ADMIN)
    second, _ = replaced(old)
    [known] = key_health.with_successors([old])
    assert known.successor == second
    assert replaced(second)[0].detector == "gateway"  # a successor may be replaced itself


@pytest.mark.django_db(transaction=True)
def test_replaced_from_two_threads_is_one_new_key_and_the_other_is_told(old: DetectorKey) -> None:
    start = Barrier(2)

    def one(_: int) -> str:
        try:
            start.wait(10)
            return replaced(old)[0].detector
        except Conflict:
            return "told"
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(one, range(2))) == ["gateway", "told"]
    assert DetectorKey.objects.count() == 2


def test_the_page_replaces_a_key_shows_the_new_one_once_and_lists_who_replaced_whom(
    cast: Cast, old: DetectorKey, value: str
) -> None:
    page, place = client_of(cast.admin), f"/people/detector-keys/{old.pk}/replace/"
    assert "192.0.2.0/24" in text_of(page.get(place))
    assert f'href="{place}"' in text_of(page.get("/people/detector-keys/"))
    shown = page.post(place, ASKED)
    new = secret_in(shown)
    assert ("no-store" in shown["Cache-Control"], opens(new), opens(value)) == (True, True, True)
    assert f"The old one, rt_det_{old.prefix}_…, works until" in text_of(shown)
    listed = text_of(page.get("/people/detector-keys/"))
    prefix = new.split("_")[2]
    assert (new in listed, f'replaced by <span class="mono">rt_det_{prefix}_…' in listed) == (False, True)
    again = page.post(place, ASKED)
    assert (again.status_code, f"replaced by rt_det_{prefix}_… already" in text_of(again)) == (409, True)


def test_the_page_says_that_the_old_key_has_ended_and_refuses_what_is_none(cast: Cast, old: DetectorKey) -> None:
    page, place = client_of(cast.admin), f"/people/detector-keys/{old.pk}/replace/"
    assert page.post(place, {**ASKED, "overlap_days": "-1"}).status_code == 422
    assert "has ended." in text_of(page.post(place, {**ASKED, "overlap_days": "0"}))
    refused = page.post(place, ASKED)
    assert (refused.status_code, "has run out" in text_of(refused)) == (422, True)
    actions.revoke_detector_key(old, actor=ADMIN)
    assert page.get(place).status_code == 404
    assert f'href="{place}"' not in text_of(page.get("/people/detector-keys/"))


def test_page_and_session_of_the_api_ask_who_it_is_first(cast: Cast, old: DetectorKey) -> None:
    client = stale(client_of(cast.admin))
    asked = client.post(f"/people/detector-keys/{old.pk}/replace/", ASKED)
    by_api = client.post(f"/api/v1/detector-keys/{old.pk}/replace/", {}, content_type="application/json")
    assert (asked.templates[0].name, by_api.status_code, DetectorKey.objects.count()) == ("people/confirm.html", 403, 1)
    confirmed = client.post(f"/people/detector-keys/{old.pk}/replace/", {**ASKED, "confirm_password": PASSWORD})
    assert opens(secret_in(confirmed))


def test_the_api_replaces_a_key_as_one_is_made(cast: Cast, old: DetectorKey, value: str) -> None:
    api = token_of(cast.admin)
    answer = api.post(f"/api/v1/detector-keys/{old.pk}/replace/", {"expires_in_days": 30, "overlap_days": 0})
    assert (answer.status_code, answer["Cache-Control"]) == (201, "no-store")
    made = answer.json()
    new = DetectorKey.objects.exclude(pk=old.pk).get()
    assert (made["key"]["id"], made["key"]["replaced_by"]) == (str(new.pk), None)
    assert (made["replaced"]["id"], made["replaced"]["replaced_by"]) == (str(old.pk), str(new.pk))
    assert (opens(made["value"]), opens(value), made["key"]["findings_per_minute"]) == (True, False, 600)
    listed = {one["id"]: one["replaced_by"] for one in api.get("/api/v1/detector-keys/").json()["results"]}
    assert listed == {str(old.pk): str(new.pk), str(new.pk): None}
    again = api.post(f"/api/v1/detector-keys/{old.pk}/replace/", {})
    assert (again.status_code, "has run out" in again.json()["detail"]) == (409, True)
    assert api.post(f"/api/v1/detector-keys/{new.pk}/replace/", {"overlap_days": 400}).status_code == 400


@pytest.mark.parametrize("count", [1, 3])
def test_who_replaced_whom_is_asked_in_two_queries_for_one_and_for_three(
    count: int, django_assert_num_queries: Any
) -> None:
    for number in range(count):
        replaced(make_detector(f"d{number}")[1])
    keys = list(DetectorKey.objects.all())
    with django_assert_num_queries(2):
        known = key_health.with_successors(keys)
    assert sum(key.successor is not None for key in known) == count


def test_the_command_replaces_a_key_by_its_beginning(old: DetectorKey, capsys: Any) -> None:
    call_command("replace_key", "gateway", old.prefix, "--expires-in", "30", "--overlap", "0", "--name", "inner")
    said = capsys.readouterr()
    new = DetectorKey.objects.exclude(pk=old.pk).get()
    assert (opens(said.out.strip()), new.name, days_left(new)) == (True, "inner", 30)
    assert "The old key has ended." in said.err
    call_command("replace_key", "gateway", new.prefix)
    assert "The old key works until" in capsys.readouterr().err
    for prefix, why in (("00000000", "has no key that begins rt_det_00000000_"), (old.prefix, "has run out")):
        with pytest.raises(CommandError, match=why):
            call_command("replace_key", "gateway", prefix)


def used(key: DetectorKey, *, ago: int, left: float, made: int = 300) -> DetectorKey:
    """A key last used some days ago, with so many days left, made some days ago."""
    now = timezone.now()
    return set_key(
        key,
        last_used_at=now - timedelta(days=ago),
        expires_at=now + timedelta(days=left),
        created_at=now - timedelta(days=made),
    )


def told() -> list[str]:
    key_health.tell()
    return list(Condition.objects.order_by("name").values_list("text", flat=True))


def test_a_key_in_use_that_ends_within_a_fortnight_is_told_until_it_is_replaced(old: DetectorKey, cast: Cast) -> None:
    used(old, ago=1, left=15)
    assert told() == []
    used(old, ago=1, left=13)
    ends = f"The key rt_det_{old.prefix}_… of the detector gateway ends on {old.expires_at:%Y-%m-%d %H:%M} UTC"
    assert told() == [f"{ends} and is in use: replace it, or what it sends is refused from then on."]
    assert Client().get("/readyz").json()["conditions"] == [f"key:{old.pk}"]
    banner = text_of(client_of(cast.admin).get("/people/"))
    assert ("ends on" in banner, 'href="/people/detector-keys/">See the keys' in banner) == (True, True)
    replaced(old)
    assert not Condition.objects.exists()
    assert told() == []


@pytest.mark.parametrize(
    ("ago", "left", "made", "expected"),
    [
        pytest.param(40, 3, 300, 0, id="nobody uses it"),
        pytest.param(1, -1, 300, 0, id="it is over"),
        pytest.param(0, 6, 1, 0, id="made for a week"),
        pytest.param(0, 1, 6, 1, id="its last quarter"),
    ],
)
def test_who_is_told_of(old: DetectorKey, ago: int, left: float, made: int, expected: int) -> None:
    used(old, ago=ago, left=left, made=made)
    assert len(told()) == expected


def test_a_condition_goes_when_the_key_is_revoked_or_over(old: DetectorKey) -> None:
    used(old, ago=1, left=3)
    assert len(told()) == 1
    actions.revoke_detector_key(old, actor=ADMIN)
    assert not Condition.objects.exists()
    assert told() == []
    other = used(make_detector("other")[1], ago=1, left=3)
    assert look_at_keys() == 1
    set_key(other, expires_at=timezone.now())
    assert look_at_keys() == 0
    assert not Condition.objects.exists()


def test_an_overlap_that_nears_its_end_is_told_while_a_sender_has_not_moved(old: DetectorKey) -> None:
    used(old, ago=0, left=100)
    new, _ = replaced(old, overlap=4)
    late = timezone.now() + timedelta(days=3, hours=12)
    assert told() == []
    assert waits(new, late) == "was never used."
    set_key(new, last_used_at=timezone.now())
    assert key_health.ending(late) == {}
    set_key(old, last_used_at=late)  # by a second sender
    assert waits(new, late) == "is used beside it."


def waits(new: DetectorKey, now: datetime) -> str:
    """How what is told of a key ends that this one replaces."""
    [text] = key_health.ending(now).values()
    return text.partition(f"is still in use; rt_det_{new.prefix}_…, which replaces it, ")[2]
