"""Limits of a detector's key: off until set, told with the time until there is room, and nothing sent is lost."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.test import Client

from detection import registry
from detection.models import Finding
from people import actions
from people.models import DetectorKey, KeyUse
from people.quotas import OverLimit, charge
from spine.errors import Refused
from spine.models import LogEntry
from tests.cases.pages import client_of
from tests.detection.samples import DETECTOR, line
from tests.factories import Cast

pytestmark = pytest.mark.django_db
NDJSON = "application/x-ndjson"


@pytest.fixture
def sender() -> Any:
    """Sends lines with a key that has the given limits."""

    def make(**limits: int | None) -> Any:
        _, value = registry.create_detector(actor="system:test", name=DETECTOR, limits=limits)

        def send(*lines: bytes) -> Any:
            headers = {"Authorization": f"Bearer {value}"}
            return Client().post("/api/v1/findings/bulk/", b"\n".join(lines), content_type=NDJSON, headers=headers)

        return send

    return make


def test_key_without_limits_is_not_counted(sender: Any) -> None:
    send = sender()
    assert [send(line(f"f{number}")).status_code for number in range(5)] == [201] * 5
    assert not KeyUse.objects.exists()


def test_one_request_too_many_is_told_when_to_come_again(sender: Any) -> None:
    send = sender(requests_per_minute=2)
    answers = [send(line(f"f{number}")) for number in range(3)]
    assert [answer.status_code for answer in answers] in ([201, 201, 429], [201, 201, 201])  # a minute may end between
    if answers[2].status_code == 429:
        assert 1 <= int(answers[2].headers["Retry-After"]) <= 60
        assert answers[2].headers["Content-Type"] == "application/problem+json"
        assert answers[2].json()["received"] == 0
        KeyUse.objects.update(since=F("since") - timedelta(minutes=1))
        assert send(line("f2")).status_code == 201
    assert Finding.objects.count() == 3


def test_stream_that_reaches_a_limit_keeps_what_came_before(sender: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detection.ingest.BATCH_BYTES", 1)  # each line a batch
    send = sender(findings_per_minute=3)
    answer = send(*[line(f"f{number}") for number in range(6)])
    if answer.status_code == 429:
        assert answer.json()["created"] == Finding.objects.count() == 3
        KeyUse.objects.update(since=F("since") - timedelta(minutes=1))
        answer = send(*[line(f"f{number}") for number in range(3, 6)])
    assert answer.status_code == 201
    assert Finding.objects.count() == 6


def test_bytes_are_counted_after_decompression_and_by_the_day(sender: Any) -> None:
    send = sender(mebibytes_per_day=1)
    big = line("big", summary="x" * 700_000)
    send(big)
    use = KeyUse.objects.get(limit="mebibytes_per_day")
    assert (use.used, use.since.hour, use.since.minute) == (len(big), 0, 0)
    send(line("more", summary="x" * 700_000))
    refused = send(line("third"))
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) <= 86_400


def test_limit_holds_for_each_key_by_itself(sender: Any) -> None:
    keys = [DetectorKey.objects.create(detector="d", prefix=str(n), sha256=str(n), name="") for n in range(2)]
    for _ in range(2):
        charge(str(keys[0].pk), {"requests_per_minute": 2}, requests_per_minute=1)
    with pytest.raises(OverLimit):
        charge(str(keys[0].pk), {"requests_per_minute": 2}, requests_per_minute=1)
    charge(str(keys[1].pk), {"requests_per_minute": 2}, requests_per_minute=1)


def test_limits_are_set_and_taken_off_on_the_page_and_by_the_api(cast: Cast) -> None:
    registry.create_detector(actor="system:test", name="watch")
    key = DetectorKey.objects.get(detector="watch")
    page = client_of(cast.admin)
    assert page.get(f"/people/detector-keys/{key.pk}/limits/").status_code == 200
    given = {"requests_per_minute": "600", "findings_per_minute": "", "mebibytes_per_day": "50"}
    assert page.post(f"/people/detector-keys/{key.pk}/limits/", given).status_code == 302
    key.refresh_from_db()
    assert key.limits == {"requests_per_minute": 600, "mebibytes_per_day": 50}
    assert "600 requests a minute" in page.get("/people/detector-keys/").content.decode()
    assert page.post(f"/people/detector-keys/{key.pk}/limits/", {"requests_per_minute": "0"}).status_code == 422

    token = actions.create_token(actor="system:test", username=cast.admin.username)
    headers = {"Authorization": f"Bearer {token}"}
    changed = {"mebibytes_per_day": None, "findings_per_minute": 9}
    answer = Client().patch(
        f"/api/v1/detector-keys/{key.pk}/", changed, content_type="application/json", headers=headers
    )
    assert answer.status_code == 200
    assert [answer.json()[name] for name in ("requests_per_minute", "findings_per_minute", "mebibytes_per_day")] == [
        *(600, 9, None),
    ]
    actions.limit_detector_key(key, actor="system:test", limits=changed)
    assert LogEntry.objects.filter(action="detector_key.limited").count() == 2  # the same again is no act


@pytest.mark.parametrize("limits", [{"requests_per_minute": 0}, {"requests_per_minute": 2**40}, {"words_per_hour": 1}])
def test_limit_that_is_none_is_refused(limits: dict[str, int]) -> None:
    with pytest.raises(Refused):
        registry.create_detector(actor="system:test", name="watch", limits=limits)
