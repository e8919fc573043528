"""What came in is counted with each batch, as the sender is answered, and with nothing that was rolled back."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from detection import ingest, tally
from detection.models import ReceivedHour
from tests.detection.samples import DETECTOR, line

pytestmark = pytest.mark.django_db
BROKEN = b'{"uid": 1}'


def store(*documents: Any, **options: Any) -> ingest.Counts:
    return ingest.store(documents, actor=f"detector:{DETECTOR}", detector=DETECTOR, **options)


def outcomes() -> tuple[int, ...]:
    [one] = tally.totals()
    return (one.received, *(getattr(one, name) for name in tally.OUTCOMES))


def test_the_tally_is_the_sum_of_all_answers() -> None:
    answered = ingest.Counts()
    for documents in ([line("a"), line("b"), BROKEN], [line("a"), line("a", version=2), line("b", score=0.1)], []):
        answered.add(store(*documents, batch=2))

    found = (answered.received, answered.created, answered.duplicate, answered.superseded, answered.rejected)
    assert outcomes() == found == (6, 2, 1, 1, 2)


def test_what_is_rejected_whole_is_counted_for_a_detector_that_is_not_registered() -> None:
    store(BROKEN, BROKEN)
    assert outcomes() == (2, 0, 0, 0, 2)


def test_a_batch_that_is_rolled_back_is_not_counted() -> None:
    store(line("a"))
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        store(line("b"))
        raise ZeroDivisionError
    assert outcomes() == (1, 1, 0, 0, 0)


def test_hours_are_kept_apart() -> None:
    store(line("a"), line("b"), line("b"))
    row = ReceivedHour.objects.get()
    for hours, created in ((1, 10), (24, 100), (25, 1000)):
        ReceivedHour.objects.create(
            detector=DETECTOR,
            hour=row.hour - timedelta(hours=hours),
            created=created,
            duplicate=0,
            superseded=0,
            rejected=0,
        )

    [one] = tally.tallies()
    assert (one.this_hour, one.last_hour, one.last_day, one.received) == (3, 10, 110, 3)


def test_the_tally_takes_one_statement(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        tally.add(DETECTOR, ingest.Counts(received=1, created=1))
