"""Rows by binary COPY come back as they were, for every kind of column."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.db import models
from hypothesis import given
from hypothesis import strategies as st

from detection import ingest
from detection.models import Account, Finding, FindingAccount
from spine import copying
from spine.ids import new_id
from tests.detection.samples import DETECTOR, line

# Times come with an offset (RFC 3339); an hour that a zone has twice is told apart by nothing but its name.
OFFSETS = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone)
MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=OFFSETS | st.just(UTC))  # noqa: DTZ001


def copied(model: type[models.Model], row: models.Model, **changes: object) -> None:
    """The same row again by COPY, with changes."""
    columns = [field.column for field in model._meta.concrete_fields if field.column]
    values = {name: getattr(row, name) for name in columns} | changes
    copying.copy(model, columns, [copying.sent(values.values())])


@pytest.mark.django_db
def test_every_value_of_a_row_comes_back() -> None:
    ingest.store([line(title="Zoë \U0001f600\n", summary="")], actor=f"detector:{DETECTOR}", detector=DETECTOR)
    first, pk = Finding.objects.get(), new_id()
    seen = datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
    payload = bytes(range(256))
    copied(Finding, first, id=pk, uid="again", score=1e-300, observed_at=seen, payload=payload)

    found = Finding.objects.get(pk=pk)
    assert (found.uid, found.score, found.observed_at, bytes(found.payload)) == ("again", 1e-300, seen, payload)
    same = [field.attname for field in Finding._meta.concrete_fields]
    for name in set(same) - {"id", "uid", "score", "observed_at", "payload"}:
        was, now = getattr(first, name), getattr(found, name)
        assert (bytes(was), bytes(now)) == (bytes(now),) * 2 if isinstance(was, memoryview) else was == now


@pytest.mark.django_db
@pytest.mark.parametrize("joins", [False, True])
def test_nothing_and_large_numbers_come_back(joins: bool) -> None:
    ingest.store([line()], actor=f"detector:{DETECTOR}", detector=DETECTOR)
    ingest.ensure_accounts("default", ["another"])
    finding, account = Finding.objects.get().pk, Account.objects.get(provider_id="another").pk
    ids, numbers = ("finding_id", "account_id"), ("exchanges", "input_tokens", "output_tokens")
    row = (finding.bytes, account.bytes), (2**63 - 1, None, 0)
    if joins:
        copying.copy_joins(FindingAccount, ids, numbers, [row])
    else:
        copying.copy(FindingAccount, ids + numbers, [row[0] + row[1]])
    found = FindingAccount.objects.get(account=account)
    assert (found.exchanges, found.input_tokens, found.output_tokens) == (2**63 - 1, None, 0)


@given(MOMENTS)
def test_every_moment_has_its_microseconds(moment: datetime) -> None:
    assert copying.moment(copying.micros(moment)) == moment


def test_microseconds_are_counted_from_2000() -> None:
    assert copying.micros(datetime(2000, 1, 1, 2, 0, 0, 5, tzinfo=timezone(timedelta(hours=2)))) == 5
