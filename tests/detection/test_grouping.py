"""Findings that were pushed become clusters and leads by what they share, each join with its reason."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.db import transaction
from django.utils import timezone

from cases.models import Lead, LeadSighting
from detection import detector_verbs, grouping, ingest
from detection.models import Account, Cluster, ClusterLink, Detector, Finding, GroupingDue, Run
from spine import jobs, outbox
from spine.errors import Refused
from spine.models import Job, JobState, LogEntry
from tests.detection.registered import ADMIN, make_canary, make_detector, make_excluded, make_quarantine
from tests.detection.samples import finding
from tests.factories import run_job

pytestmark = pytest.mark.django_db
RULE = {"by": ["payment_fingerprint", "ip"], "window_hours": 24, "least_findings": 2, "least_accounts": 3}


@pytest.fixture
def outside() -> Detector:
    detector = make_detector()[0]
    return detector_verbs.set_grouping(detector, actor=ADMIN, revision=1, grouping=RULE)


def pushed(uid: str, *accounts: str, pf: str = "pf_1", score: float = 0.9, **more: Any) -> dict[str, Any]:
    shown = [{"type": "payment_fingerprint", "value": pf, "count": 2}]
    named = [{"id": account, "exchanges": 10, "attributes": shown} for account in accounts]
    return finding(uid, accounts=named, score=score, detector={"name": "outside", "version": "1.0"}, **more)


def send(*documents: dict[str, Any], **origin: Any) -> None:
    counts = ingest.store(documents, actor="detector:outside", detector="outside", origin=ingest.Origin(**origin))
    assert not counts.rejected, counts.errors


def work() -> None:
    """What a worker does after an ingest: the grouping, then the leads."""
    for job in Job.objects.filter(kind="findings.group", state=JobState.QUEUED):
        assert run_job(job).state == JobState.DONE, job.error
    outbox.relay_all()


def shares() -> list[list[str]]:
    """The accounts of each lead that waits, by the provider's ids."""
    rows = Lead.objects.filter(state="waiting").select_related("cluster").order_by("raised_at", "id")
    return [sorted(lead.cluster.members.values_list("account__provider_id", flat=True)) for lead in rows]


def test_accounts_that_pay_alike_become_a_lead_with_a_reason_for_each_join(outside: Detector) -> None:
    send(pushed("a", "acct_1", "acct_2"), pushed("b", "acct_3"), pushed("c", "acct_9", pf="pf_2"))
    work()
    assert shares() == [["acct_1", "acct_2", "acct_3"]]
    cluster = Cluster.objects.get()
    assert cluster.title == "3 accounts with the same payment fingerprint, by findings of outside"
    assert (cluster.assessment, cluster.exchanges, cluster.findings.count()) == ("cannot_tell", 30, 2)
    reasons = set(ClusterLink.objects.values_list("reason", flat=True))
    assert reasons == {"the same payment fingerprint as 2 other accounts, in 2 findings within 24 h"}
    assert not GroupingDue.objects.exists()
    assert Run.objects.get().source.name == "findings of outside"


def test_thresholds_of_findings_accounts_and_score_hold(outside: Detector) -> None:
    send(pushed("one", "acct_1", "acct_2", "acct_3"))  # one finding
    send(pushed("few-a", "acct_4", pf="pf_2"), pushed("few-b", "acct_5", pf="pf_2"))  # two accounts
    work()
    assert shares() == []
    rule = {**RULE, "least_score": 0.5}
    detector_verbs.set_grouping(outside, actor=ADMIN, revision=outside.revision, grouping=rule)
    send(pushed("weak", "acct_1", score=0.4))
    work()
    assert shares() == []
    send(pushed("strong", "acct_1", score=0.6))
    work()
    assert shares() == [["acct_1", "acct_2", "acct_3"]]


def test_more_of_the_same_is_seen_on_the_same_lead(outside: Detector) -> None:
    send(pushed("a", "acct_1", "acct_2"), pushed("b", "acct_3"))
    work()
    send(pushed("c", "acct_4"))
    work()
    assert shares() == [["acct_1", "acct_2", "acct_3", "acct_4"]]
    assert LeadSighting.objects.filter(lead=Lead.objects.get()).count() == 2


def test_two_values_that_share_an_account_are_one_lead(outside: Detector) -> None:
    send(pushed("a", "acct_1", "acct_2"), pushed("b", "acct_3"))
    send(pushed("c", "acct_3", "acct_4", pf="pf_2"), pushed("d", "acct_5", pf="pf_2"))
    work()
    assert shares() == [[f"acct_{n}" for n in range(1, 6)]]


def test_excluded_value_and_hub_join_nobody_and_the_hub_is_said(outside: Detector) -> None:
    excluded = make_excluded("payment_fingerprint", "pf_1")
    send(pushed("a", "acct_1", "acct_2"), pushed("b", "acct_3"))
    work()
    assert shares() == []
    detector_verbs.readmit_value(excluded, actor=ADMIN)
    rule = {**RULE, "most_accounts": 4}
    detector_verbs.set_grouping(outside, actor=ADMIN, revision=outside.revision, grouping=rule)
    send(pushed("c", *(f"acct_{n}" for n in range(4, 9))))
    send(pushed("d", "acct_20", "acct_21", pf="pf_2"), pushed("e", "acct_22", pf="pf_2"))
    work()
    assert shares() == [["acct_20", "acct_21", "acct_22"]]
    [hub] = Run.objects.latest("finished_at").hubs
    assert (hub["value"], hub["accounts"], hub["reason"]) == ("pf_1", 8, "more than 4 accounts show it")


def test_window_old_versions_and_quarantine_are_left_out(outside: Detector) -> None:
    key = make_detector()[1]
    send(pushed("bad", "acct_1", "acct_2"), key=key.pk)
    make_quarantine(key)
    send(pushed("b", "acct_3"))
    work()
    assert shares() == []
    send(pushed("c", "acct_4", "acct_5", "acct_6", pf="pf_3"), pushed("d", "acct_7", pf="pf_3"))
    send(pushed("d", "acct_7", pf="pf_other", version=2))  # the corrected one shows something else
    work()
    assert all("acct_7" not in accounts for accounts in shares())


def test_detector_in_monitor_or_without_a_grouping_opens_nothing(outside: Detector) -> None:
    moved = detector_verbs.move_detector(
        outside, actor=ADMIN, revision=outside.revision, to="monitor", reason="New version"
    )
    send(pushed("a", "acct_1", "acct_2"), pushed("b", "acct_3"))
    assert not Job.objects.filter(kind="findings.group").exists()
    back = detector_verbs.move_detector(moved, actor=ADMIN, revision=moved.revision, to="active", reason="Measured")
    detector_verbs.set_grouping(back, actor=ADMIN, revision=back.revision, grouping=None)
    send(pushed("c", "acct_1", "acct_2"), pushed("d", "acct_3"))
    assert not GroupingDue.objects.exists()
    assert LogEntry.objects.filter(action="detector.grouped").count() == 2


def test_what_came_while_a_job_was_ending_is_asked_for_by_the_sweep(outside: Detector) -> None:
    send(pushed("a", "acct_1", "acct_2"), pushed("b", "acct_3"))
    Job.objects.filter(kind="findings.group").update(state=JobState.DONE)  # it read before this batch was there
    assert grouping.sweep() == 1
    assert grouping.sweep() == 0
    work()
    assert len(shares()) == 1


def test_group_again_after_its_worker_died_makes_one_run(outside: Detector) -> None:
    send(pushed("a", "acct_1", "acct_2"), pushed("b", "acct_3"))
    waiting = list(GroupingDue.objects.all())
    with pytest.raises(RuntimeError), transaction.atomic():
        grouping._group(outside, waiting)
        raise RuntimeError("killed before its transaction ended")
    work()
    assert (Run.objects.count(), len(shares())) == (1, 1)


def test_findings_from_before_the_window_join_no_more(outside: Detector) -> None:
    send(pushed("a", "acct_1", "acct_2"), pushed("b", "acct_3"))
    batches = list(GroupingDue.objects.values_list("batch", flat=True))
    received = Finding.objects.latest("received_at").received_at

    def joined(since: datetime) -> list[str]:
        rows = grouping._rows(outside, grouping.understood(RULE), batches, since, received)
        named = Account.objects.filter(pk__in=[row.account_id for row in rows])
        return sorted(named.values_list("provider_id", flat=True))

    assert joined(received - timedelta(hours=24)) == ["acct_1", "acct_2", "acct_3"]
    assert joined(received) == ["acct_1", "acct_2", "acct_3"]
    assert joined(received + timedelta(microseconds=1)) == []


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    """Let what is sent be received then."""
    with patch("django.utils.timezone.now", lambda: moment):
        yield


def test_what_waited_longer_than_the_window_is_joined_within_the_window_of_when_it_came(outside: Detector) -> None:
    received = [timezone.now() - timedelta(hours=hours) for hours in (60, 59.5, 20)]
    for moment, accounts in zip(received, (["acct_1", "acct_2"], ["acct_3"], ["acct_4"]), strict=True):
        with at(moment):
            send(pushed(accounts[0], *accounts))
    work()
    assert shares() == [["acct_1", "acct_2", "acct_3"]]
    windows = Run.objects.values_list("window_start", "window_end")
    assert list(windows) == [(received[0] - timedelta(hours=24), received[1] + timedelta(hours=24))]
    assert not GroupingDue.objects.exists()


def test_sums_of_absurd_volumes_end_where_numbers_do_and_keep_nothing_from_being_grouped(outside: Detector) -> None:
    accounts = [f"acct_{number}" for number in range(1100)]
    absurd = [pushed(uid, *accounts[:900], pf="pf_absurd") for uid in ("a", "b")]
    for document in absurd:
        for account in document["accounts"]:
            account["exchanges"] = account["attributes"][0]["count"] = 2**53 - 1
    send(*absurd, pushed("c", "acct_1001", "acct_1002"), pushed("d", "acct_1003"))
    work()
    assert sorted(map(len, shares())) == [3, 900]
    assert Cluster.objects.get(account_count=900).exchanges == 2**53 - 1
    assert set(ClusterLink.objects.filter(cluster__account_count=900).values_list("count", flat=True)) == {2**53 - 1}


def test_removed_canary_joins_again(outside: Detector) -> None:
    planted = make_canary(outside, account_id="acct_1")
    send(pushed("a", "acct_1", "acct_2", "acct_3"), pushed("b", "acct_4"))
    work()
    assert shares() == [["acct_2", "acct_3", "acct_4"]]
    detector_verbs.remove_canary(planted, actor=ADMIN)
    send(pushed("c", "acct_4"))
    work()
    assert shares() == [["acct_1", "acct_2", "acct_3", "acct_4"]]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"by": []}, "by"),
        ({"by": ["nonsense"]}, "by"),
        ({"by": ["x-"]}, "by"),
        ({"window_hours": 0}, "window_hours"),
        ({"least_accounts": 1}, "least_accounts"),
        ({"least_score": 2}, "least_score"),
        ({"most": 1}, "grouping"),
    ],
)
def test_grouping_that_makes_no_sense_is_refused_with_its_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as refused:
        grouping.understood({**RULE, **changes})
    assert refused.value.field == field


def test_job_of_a_grouping_is_known_to_workers() -> None:
    assert jobs.enqueue("findings.group", actor="system:grouping", key="x").kind == "findings.group"
