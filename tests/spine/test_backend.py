"""The database backend: every transaction names its principal, and an unsafe server is refused."""

import copy

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connection, transaction

from config.embedded import postgres
from spine.backend.base import DatabaseWrapper
from spine.principal import acting_as
from tests.database import TEST_PRINCIPAL
from tests.servers import HOME

# Outside of any acting_as the tests themselves act; production has nobody there.
DEFAULT = TEST_PRINCIPAL


def named() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('retort.principal', true)")
        return str(cursor.fetchone()[0] or "")


@pytest.mark.django_db(transaction=True)
def test_transaction_names_its_principal_and_forgets_it_afterwards() -> None:
    with acting_as("user:lead"), transaction.atomic():
        assert named() == "user:lead"
    assert named() == DEFAULT


@pytest.mark.django_db(transaction=True)
def test_session_names_the_principal_where_there_is_no_transaction() -> None:
    with acting_as("user:lead"):
        assert named() == "user:lead"
        with acting_as(""):
            assert named() == ""
        assert named() == "user:lead"


@pytest.mark.django_db(transaction=True)
def test_transaction_of_another_principal_leaves_the_sessions_name_as_it_was() -> None:
    with acting_as("user:analyst"):
        assert named() == "user:analyst"
        with acting_as("user:lead"), transaction.atomic():
            assert named() == "user:lead"
        assert named() == "user:analyst"


@pytest.mark.django_db(transaction=True)
def test_server_that_goes_away_as_a_transaction_begins_is_djangos_error() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    with postgres.connect(HOME) as other:
        other.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
    with pytest.raises(OperationalError), transaction.atomic():
        named()
    connection.close()
    assert named() == DEFAULT


@pytest.mark.django_db(transaction=True)
def test_principal_that_changes_inside_an_open_transaction_is_told() -> None:
    with transaction.atomic():
        with acting_as("detector:api-gateway"):
            assert named() == "detector:api-gateway"
        assert named() == DEFAULT


@pytest.mark.django_db(transaction=True)
def test_server_that_could_lose_acknowledged_writes_is_refused() -> None:
    settings = copy.deepcopy(connection.settings_dict)
    settings["OPTIONS"] = {**settings["OPTIONS"], "options": "-c synchronous_commit=off"}
    unsafe = DatabaseWrapper(settings, "unsafe")

    with pytest.raises(ImproperlyConfigured, match="synchronous_commit = off"):
        unsafe.ensure_connection()
    unsafe.close()
