"""Detectors held to account: lifecycle, canaries and quarantine decide what counts, and change no finding."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from detection import detector_health, detector_verbs, ingest, queries, runs, standing
from detection.models import CanaryReturn, Detector, Finding, FindingBatch, Quarantine
from detection.records import Window
from people.models import DetectorKey
from spine.errors import Conflict, Refused
from spine.models import Condition, LogEntry
from tests.detection.registered import ADMIN, CANARY_ACCOUNT, make_canary, make_detector, make_quarantine
from tests.detection.samples import finding

pytestmark = pytest.mark.django_db


def send(detector: Detector, *documents: dict[str, Any], key: UUID | None = None) -> ingest.Counts:
    said = {"name": detector.name, "version": "1.0"}
    found = [document | {"detector": said} for document in documents]
    return ingest.store(found, actor=f"detector:{detector.name}", detector=detector.name, origin=ingest.Origin(key=key))


def joined() -> set[str]:
    """The accounts that findings tie together, as a run takes them."""
    start, end = timezone.now().replace(year=2026, month=1, day=1), timezone.now() + timedelta(days=1)
    return {edge.account_id for edge in runs._edges("default", Window(start, end))}


def move(detector: Detector, to: str) -> Detector:
    fresh = Detector.objects.get(pk=detector.pk)
    return detector_verbs.move_detector(fresh, actor=ADMIN, revision=fresh.revision, to=to, reason="Measured")


@pytest.fixture
def made() -> tuple[Detector, DetectorKey]:
    return make_detector()


@pytest.fixture
def outside(made: tuple[Detector, DetectorKey]) -> Detector:
    return made[0]


def test_findings_of_a_detector_in_monitor_are_kept_and_join_nothing(outside: Detector) -> None:
    move(outside, "monitor")
    assert send(outside, finding("a")).created == 1
    assert joined() == set()
    move(outside, "active")
    assert joined() == {"acct_1", "acct_2"}


@pytest.mark.parametrize("steps", [["monitor", "draft"], ["retired"]])
def test_findings_of_a_draft_or_retired_detector_are_refused(outside: Detector, steps: list[str]) -> None:
    send(outside, finding("before"))
    for step in steps:
        move(outside, step)
    with pytest.raises(Refused, match="are not taken"):
        send(outside, finding("after"))
    assert [found.uid for found in Finding.objects.all()] == ["before"]


def test_move_to_where_no_way_leads_is_refused_and_names_the_ways(outside: Detector) -> None:
    with pytest.raises(Refused, match="from there it may become monitor, retired"):
        move(outside, "draft")


def test_move_by_two_at_once_is_told_to_the_second(outside: Detector) -> None:
    move(outside, "monitor")
    with pytest.raises(Conflict, match="changed meanwhile"):
        detector_verbs.move_detector(outside, actor=ADMIN, revision=outside.revision, to="retired", reason="Late")


def test_describe_saves_what_changed_and_logs_old_and_new(outside: Detector) -> None:
    changed = detector_verbs.describe_detector(
        outside, actor=ADMIN, revision=1, owner="Trust team", runbook="https://runbook.example.com/x", cadence_minutes=5
    )
    assert (changed.owner, changed.cadence_minutes, changed.revision) == ("Trust team", 5, 2)
    entry = LogEntry.objects.get(action="detector.changed")
    assert entry.data["new"] == {"owner": "Trust team", "runbook": changed.runbook, "cadence_minutes": 5}
    assert entry.data["old"] == {"owner": "", "runbook": "", "cadence_minutes": None}


@pytest.mark.parametrize("runbook", ["javascript:alert(1)", "data:text/html,x", "JavaScript:x", "ftp://a"])
def test_runbook_that_a_browser_would_run_is_refused(outside: Detector, runbook: str) -> None:
    with pytest.raises(Refused, match="https"):
        detector_verbs.describe_detector(outside, actor=ADMIN, revision=1, runbook=runbook)


def test_canary_that_comes_back_is_noted_and_joins_nothing(outside: Detector) -> None:
    canary = make_canary(outside)
    with_it = finding("c", accounts=[*finding()["accounts"], {"id": CANARY_ACCOUNT, **_same_ip()}])
    assert send(outside, finding("a"), with_it).created == 2
    (back,) = CanaryReturn.objects.all()
    assert (back.canary_id, back.finding.uid) == (canary.pk, "c")
    assert joined() == {"acct_1", "acct_2"}
    send(outside, with_it)  # a repeat is no new return
    assert CanaryReturn.objects.count() == 1


def _same_ip() -> dict[str, Any]:
    return {"attributes": [{"type": "ip", "value": "203.0.113.7"}]}


def test_canary_that_stays_away_is_a_condition_until_it_comes_back(outside: Detector) -> None:
    canary = make_canary(outside)
    canary.created_at = timezone.now() - timedelta(minutes=61)
    canary.save(update_fields=["created_at"])
    detector_health.tell()
    assert "has not come back (never yet; every 60 min is expected)" in Condition.objects.get().text
    send(outside, finding("c", accounts=[{"id": CANARY_ACCOUNT}]))
    detector_health.tell()
    assert not Condition.objects.exists()


def test_detector_that_is_silent_longer_than_promised_is_a_condition_until_it_is_heard(outside: Detector) -> None:
    detector_verbs.describe_detector(outside, actor=ADMIN, revision=1, cadence_minutes=30, owner="Trust team")
    send(outside, finding("a"))
    detector_health.tell()
    assert not Condition.objects.exists()
    Detector.objects.update(heard_at=timezone.now() - timedelta(minutes=31))
    detector_health.tell()
    assert "Its owner: Trust team." in Condition.objects.get(name=f"detector:{outside.pk}").text
    assert send(outside, finding("a")).duplicate == 1  # a repeat shows that it lives
    detector_health.tell()
    assert not Condition.objects.exists()


def test_quarantine_sets_aside_what_the_key_sent_and_nothing_else(made: tuple[Detector, DetectorKey]) -> None:
    detector, key = made
    other = make_detector()[1]
    send(detector, finding("mine"), key=key.pk)
    send(detector, finding("others", accounts=[{"id": "acct_9", **_same_ip()}]), key=other.pk)
    found = make_quarantine(key, revoke=True)
    shown = {one.uid: one.is_set_aside for one in queries.findings()}
    assert shown == {"mine": True, "others": False}
    later = make_quarantine(key, since=timezone.now(), until=timezone.now())
    covered = standing.counted(Quarantine.objects.order_by("at"))
    assert [(one.pk, one.covered) for one in covered] == [(found.pk, 1), (later.pk, 0)]
    assert joined() == {"acct_9"}
    assert DetectorKey.objects.get(pk=key.pk).revoked_at is not None
    detector_verbs.lift_quarantine(found, actor=ADMIN, reason="It was another key")
    assert joined() == {"acct_1", "acct_2", "acct_9"}
    assert not any(one.is_set_aside for one in queries.findings())


def test_quarantine_covers_from_its_moment_to_its_end_and_what_comes_later_without_one(
    made: tuple[Detector, DetectorKey],
) -> None:
    detector, key = made
    send(detector, finding("before"), key=key.pk)
    moment = timezone.now()
    send(detector, finding("within"), key=key.pk)
    until = timezone.now()
    make_quarantine(key, since=moment, until=until)
    send(detector, finding("after"), key=key.pk)
    assert [one.uid for one in queries.findings(set_aside=True)] == ["within"]
    make_quarantine(key, since=until)
    send(detector, finding("later"), key=key.pk)
    assert {one.uid for one in queries.findings(set_aside=True)} == {"within", "after", "later"}
    assert {one.uid for one in queries.findings(set_aside=False)} == {"before"}


def test_quarantine_twice_or_lifted_twice_is_told(made: tuple[Detector, DetectorKey]) -> None:
    since = timezone.now()
    found = make_quarantine(made[1], since=since)
    with pytest.raises(Conflict, match="already"):
        make_quarantine(made[1], since=since)
    detector_verbs.lift_quarantine(found, actor=ADMIN, reason="A mistake")
    with pytest.raises(Conflict, match="already"):
        detector_verbs.lift_quarantine(found, actor=ADMIN, reason="Again")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reason": " "}, "Say why"),
        ({"since": timezone.now() + timedelta(days=1)}, "future"),
        ({"until": timezone.now() - timedelta(days=9)}, "ends before it begins"),
    ],
)
def test_quarantine_that_says_nothing_is_refused(
    made: tuple[Detector, DetectorKey], changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(Refused, match=words):
        make_quarantine(made[1], **changes)


@pytest.mark.parametrize("table", ["detection_findingbatch", "detection_canaryreturn"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {}"])
def test_what_a_key_sent_cannot_be_made_to_be_somebody_elses(outside: Detector, table: str, statement: str) -> None:
    column = "key_id" if table.endswith("batch") else "at"
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.format(table, column, column))


def test_batches_say_by_which_key_findings_came(made: tuple[Detector, DetectorKey]) -> None:
    send(made[0], finding("a"), finding("b"), key=made[1].pk)
    send(made[0], finding("c"))
    assert list(FindingBatch.objects.order_by("received_at").values_list("key_id", "count")) == [
        (made[1].pk, 2),
        (None, 1),
    ]
