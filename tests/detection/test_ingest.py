"""Storing findings: counted exactly, never twice, never half, in whatever order and from however many senders."""

import hashlib
import json
import threading
from typing import Any

import pytest
from django.db import connection, transaction

from detection import ingest
from detection.ingest import Counts
from detection.models import (
    Account,
    Attribute,
    Detector,
    DetectorVersion,
    Finding,
    FindingAccount,
    FindingBatch,
    Sighting,
)
from detection.streams import BrokenStream
from spine import copying, log, merkle
from spine.models import LogEntry
from tests.detection.samples import DETECTOR, finding, line

pytestmark = pytest.mark.django_db


def store(*documents: Any, detector: str = DETECTOR, **options: Any) -> Counts:
    return ingest.store(documents, actor=f"detector:{detector}", detector=detector, **options)


def figures(counts: Counts) -> tuple[int, int, int, int, int]:
    return counts.received, counts.created, counts.duplicate, counts.superseded, counts.rejected


def test_finding_is_stored_with_accounts_attributes_and_one_entry() -> None:
    raw = line()
    assert figures(store(raw)) == (1, 1, 0, 0, 0)

    found = Finding.objects.get()
    assert (found.uid, found.signal, found.score, found.account_count) == ("cot-1", "reasoning_elicitation", 0.93, 2)
    assert bytes(found.payload) == raw
    assert found.payload_sha256 == hashlib.sha256(raw).hexdigest()
    assert str(found.detector_version) == f"{DETECTOR} 3.2.0"
    assert list(FindingAccount.objects.order_by("account__provider_id").values_list("exchanges", flat=True)) == [
        412,
        None,
    ]
    assert sorted(Attribute.objects.values_list("type", "value")) == [
        ("ip", "203.0.113.7"),
        ("payment_fingerprint", "pf_1"),
    ]
    assert Sighting.objects.count() == 3
    entry = LogEntry.objects.get(action="findings.received")
    assert (entry.actor, entry.row_count, found.entry_id) == (f"detector:{DETECTOR}", 1, entry.id)
    assert entry.data == {"detector": DETECTOR, "count": 1, "versions": ["3.2.0"]}


def test_rows_made_while_another_batch_is_stored_stand_in_the_log_like_others() -> None:
    store(line("known"))
    newer = {"name": DETECTOR, "version": "4.0.0"}
    sent = [line(f"f-{number}") for number in range(9)]
    sent += [line("f-0"), line("f-9"), line("known")]  # of this batch only part is new
    sent += [line(f"f-{number}") for number in range(10, 19)]
    sent += [line(f"f-{number}", detector=newer) for number in range(19, 28)]
    assert figures(store(*sent, batch=3)) == (30, 28, 2, 0, 0)

    received = dict(FindingBatch.objects.values_list("entry", "received_at"))
    ahead = [found for found in Finding.objects.all() if found.received_at != received[found.entry_id]]
    assert 0 < len(ahead) < 28
    assert all(found.received_at < received[found.entry_id] for found in ahead)
    for found in Finding.objects.select_related("entry", "detector_version"):
        digests = bytes(found.entry.row_digests)
        assert merkle.leaf_hash(log.row_bytes(found)) == digests[32 * found.place : 32 * (found.place + 1)]
        spoken = json.loads(bytes(found.payload))["detector"]["version"]
        assert found.detector_version.version == spoken


def test_same_content_spaced_otherwise_is_a_duplicate_and_leaves_no_entry() -> None:
    store(line())
    entries = LogEntry.objects.count()

    again = json.dumps(finding(), indent=2, sort_keys=True).encode()
    assert figures(store(again, finding())) == (2, 0, 2, 0, 0)
    assert (Finding.objects.count(), LogEntry.objects.count()) == (1, entries)


def test_other_content_under_the_same_key_is_a_conflict() -> None:
    counts = store(line(), line("other"), line(score=0.5))

    assert figures(counts) == (3, 2, 0, 0, 1)
    assert [(error.line, error.pointer) for error in counts.errors] == [(3, "/uid")]
    assert Finding.objects.get(uid="cot-1").score == 0.93


def test_higher_version_supersedes_and_a_late_lower_one_is_history() -> None:
    assert figures(store(line(version=2))) == (1, 1, 0, 0, 0)
    assert figures(store(line(version=3), line(version=1), line(version=3))) == (3, 0, 1, 2, 0)

    assert sorted(Finding.objects.values_list("version", flat=True)) == [1, 2, 3]
    assert [row.version for row in Finding.objects.current()] == [3]


def test_same_uid_of_two_detectors_is_two_findings() -> None:
    store(line())
    other = finding() | {"detector": {"name": "other", "version": "1"}}
    assert figures(store(other, detector="other")) == (1, 1, 0, 0, 0)
    assert Detector.objects.count() == 2


def test_finding_in_another_detectors_name_is_rejected() -> None:
    counts = store(line(), detector="somebody-else")
    assert [(e.line, e.pointer) for e in counts.errors] == [(1, "/detector/name")]
    assert (counts.rejected, Finding.objects.count(), Detector.objects.count()) == (1, 0, 0)


def test_errors_are_capped_and_counts_are_exact() -> None:
    counts = store(*[b"{}"] * 250, line(), batch=40)
    assert figures(counts) == (251, 1, 0, 0, 250)
    assert len(counts.errors) == ingest.KEPT_ERRORS
    assert counts.errors[0].line == 1


def test_detector_version_with_other_parameters_is_registered_apart() -> None:
    store(line("a"), line("b", detector={"name": DETECTOR, "version": "3.2.0", "config_sha256": "cd" * 32}), line("c"))
    assert DetectorVersion.objects.count() == 2


def test_account_times_are_widened_by_what_findings_state() -> None:
    store(line("a"))
    account = Account.objects.get(provider_id="acct_1")
    assert (account.first_seen.isoformat(), account.last_seen.isoformat()) == (  # type: ignore[union-attr]
        "2026-04-30T10:00:00+00:00",
        "2026-05-05T00:00:00+00:00",
    )
    store(line("b", accounts=[{"id": "acct_1", "last_seen": "2026-06-01T00:00:00Z"}]))
    account.refresh_from_db()
    assert account.first_seen.day == 30 and account.last_seen.month == 6  # type: ignore[union-attr]


def test_attribute_stated_twice_for_an_account_is_one_sighting_with_added_counts() -> None:
    twice = [{"type": "ip", "value": "203.0.113.7", "count": 2}, {"type": "ip", "value": "203.0.113.7", "count": 3}]
    store(line(accounts=[{"id": "acct_1", "attributes": twice}]))
    assert Sighting.objects.get().count == 5


def test_namespace_keeps_equal_ids_apart() -> None:
    store(line("a"))
    store(line("b"), namespace="eu")
    pseudonyms = Account.objects.filter(provider_id="acct_1").values_list("pseudonym", flat=True)
    assert len(set(pseudonyms)) == 2


def test_broken_stream_keeps_what_came_before_and_names_the_line() -> None:
    def documents() -> Any:
        yield line("a")
        yield line("b")
        raise BrokenStream("it ended")

    counts = ingest.store(documents(), actor="detector:d", detector=DETECTOR)
    assert figures(counts) == (3, 2, 0, 0, 1)
    assert [(e.line, e.detail) for e in counts.errors] == [(3, "it ended; nothing from here on was read")]


def test_failure_in_the_middle_keeps_committed_batches_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    written = copying.copy_joins

    def fail_at_third(model: Any, *args: Any) -> None:
        written(model, *args)
        if model is Sighting and Finding.objects.count() > 4:
            raise RuntimeError("the machine died")

    monkeypatch.setattr(copying, "copy_joins", fail_at_third)
    counts = Counts()
    with pytest.raises(RuntimeError):
        store(*[line(f"f{number}") for number in range(6)], batch=2, counts=counts)
    assert figures(counts) == (4, 4, 0, 0, 0)
    assert (Finding.objects.count(), LogEntry.objects.filter(action="findings.received").count()) == (4, 2)


def test_store_asks_a_fixed_number_of_queries_a_batch(django_assert_num_queries: Any) -> None:
    store(line("first"))
    with django_assert_num_queries(15):
        store(line("one"))
    with django_assert_num_queries(15):
        store(*[line(f"f{number}") for number in range(300)])


def at_once(*acts: Any) -> list[Any]:
    """Run the acts in threads that start together; gives their results in order."""
    barrier, results = threading.Barrier(len(acts)), [None] * len(acts)

    def run(place: int, act: Any) -> None:
        try:
            barrier.wait()
            results[place] = act()
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.django_db(transaction=True)
def test_same_lines_by_two_senders_at_once_are_stored_once() -> None:
    documents = [line(f"f{number}") for number in range(60)]
    counts = at_once(*[lambda: store(*documents, batch=7)] * 2, lambda: store(*documents[::-1], batch=11))

    assert sum(count.created for count in counts) == 60
    assert sum(count.duplicate for count in counts) == 120
    assert (Finding.objects.count(), FindingAccount.objects.count(), Sighting.objects.count()) == (60, 120, 180)


@pytest.mark.django_db(transaction=True)
def test_conflicting_contents_at_once_have_exactly_one_winner() -> None:
    acts = [lambda score=score: store(line(score=score)) for score in (0.1, 0.2, 0.3, 0.4)]
    counts = at_once(*acts)

    assert sorted(figures(count) for count in counts) == [(1, 0, 0, 0, 1)] * 3 + [(1, 1, 0, 0, 0)]
    winner = next(place for place, count in enumerate(counts) if count.created)
    assert Finding.objects.get().score == (0.1, 0.2, 0.3, 0.4)[winner]


@pytest.mark.django_db(transaction=True)
def test_detectors_that_name_the_same_accounts_at_once_do_not_block_each_other() -> None:
    def send(name: str, order: int) -> Counts:
        accounts = [
            {"id": f"acct_{number}", "attributes": [{"type": "org", "value": f"o{number}"}]} for number in range(40)
        ]
        stated = {"name": name, "version": "1"}
        return store(
            *[line(f"{n}", detector=stated, accounts=accounts[::order]) for n in range(20)], detector=name, batch=3
        )

    counts = at_once(*[lambda n=n: send(f"d{n}", -1 if n % 2 else 1) for n in range(4)])
    assert [figures(count) for count in counts] == [(20, 20, 0, 0, 0)] * 4
    assert (Account.objects.count(), Attribute.objects.count(), Sighting.objects.count()) == (40, 40, 3200)


def test_store_needs_no_update_right_on_findings() -> None:
    with transaction.atomic():
        store(line())
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_table_privilege('detection_finding', 'UPDATE')")
        assert cursor.fetchone() == (False,)


def test_validate_touches_no_database_rows() -> None:
    counts = ingest.validate([line(), b"{}"], detector=DETECTOR)
    assert figures(counts) == (2, 1, 0, 0, 1)
    assert Finding.objects.count() == 0
