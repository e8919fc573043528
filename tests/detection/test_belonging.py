"""The index over findings: the database takes rows for what exists, and never changes or loses one."""

from uuid import UUID

import pytest
from django.db import DatabaseError, IntegrityError, connection, connections, transaction

from detection import ingest
from detection.models import Account, Attribute, Finding, FindingAccount, Sighting
from spine import copying
from spine.ids import new_id
from tests.detection.samples import DETECTOR, line

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])
NAMED = ("finding_id", "account_id")
SEEN = ("finding_id", "account_id", "attribute_id")


@pytest.fixture
def known() -> tuple[bytes, bytes, bytes]:
    """A finding, an account and an attribute that it does not join."""
    ingest.store([line()], actor=f"detector:{DETECTOR}", detector=DETECTOR)
    ingest.ensure_accounts("default", ["another"])
    account, attribute = Account.objects.get(provider_id="another"), Attribute.objects.earliest("id")
    return Finding.objects.get().pk.bytes, account.pk.bytes, attribute.pk.bytes


@pytest.mark.parametrize("wrong", [0, 1])
def test_account_of_a_finding_must_exist_on_both_sides(known: tuple[bytes, bytes, bytes], wrong: int) -> None:
    row = [new_id().bytes if place == wrong else value for place, value in enumerate(known[:2])]
    with pytest.raises(IntegrityError, match="points to no row of"), transaction.atomic():
        copying.copy(FindingAccount, NAMED, [known[:2], row])
    assert not FindingAccount.objects.filter(account__id=UUID(bytes=known[1])).exists()


@pytest.mark.parametrize("wrong", [0, 1, 2])
def test_sighting_must_point_to_what_exists(known: tuple[bytes, bytes, bytes], wrong: int) -> None:
    row = [new_id().bytes if place == wrong else value for place, value in enumerate(known)]
    with pytest.raises(IntegrityError, match="points to no row of"), transaction.atomic():
        copying.copy(Sighting, SEEN, [row])


@pytest.mark.parametrize("wrong", ["entry_id", "detector_id", "detector_version_id"])
def test_finding_must_point_to_what_exists(known: tuple[bytes, bytes, bytes], wrong: str) -> None:
    columns = [field.column for field in Finding._meta.concrete_fields]
    row = dict(Finding.objects.values(*columns).get()) | {"id": new_id(), "uid": "another", wrong: new_id()}
    with pytest.raises(IntegrityError, match="detection_finding points to no row of"), transaction.atomic():
        copying.copy(Finding, columns, [copying.sent(row[name] for name in columns)])
    assert Finding.objects.count() == 1


def test_rows_for_what_exists_are_taken_once(known: tuple[bytes, bytes, bytes]) -> None:
    copying.copy(Sighting, SEEN, [known])
    with pytest.raises(IntegrityError), transaction.atomic():
        copying.copy(Sighting, SEEN, [known])


@pytest.mark.parametrize("alias", ["default", "owner"])
@pytest.mark.parametrize("table", ["detection_findingaccount", "detection_sighting"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "UPDATE {} SET account_id = account_id", "TRUNCATE {}"])
def test_nobody_changes_or_removes_rows(
    known: tuple[bytes, bytes, bytes], alias: str, table: str, statement: str
) -> None:
    with pytest.raises(DatabaseError), transaction.atomic(alias), connections[alias].cursor() as cursor:
        cursor.execute(statement.format(table))


@pytest.mark.parametrize(
    "table", ["detection_account", "detection_attribute", "detection_detector", "detection_detectorversion"]
)
def test_what_rows_point_to_is_not_deleted_by_the_owner_either(known: tuple[bytes, bytes, bytes], table: str) -> None:
    with pytest.raises(DatabaseError, match="only ever added"), connections["owner"].cursor() as cursor:
        cursor.execute(f"DELETE FROM {table}")
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_table_privilege(%s, 'DELETE')", [table])
        assert cursor.fetchone() == (False,)
