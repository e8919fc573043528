"""The database backend: every transaction names its principal, and an unsafe server is refused."""

import copy

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction

from spine.backend.base import DatabaseWrapper
from spine.principal import acting_as


def named() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('retort.principal', true)")
        return str(cursor.fetchone()[0] or "")


@pytest.mark.django_db(transaction=True)
def test_transaction_names_its_principal_and_forgets_it_afterwards() -> None:
    with acting_as("user:lead"), transaction.atomic():
        assert named() == "user:lead"
    assert named() == ""


@pytest.mark.django_db(transaction=True)
def test_principal_that_changes_inside_an_open_transaction_is_told() -> None:
    with transaction.atomic():
        with acting_as("detector:api-gateway"):
            assert named() == "detector:api-gateway"
        assert named() == ""


@pytest.mark.django_db(transaction=True)
def test_server_that_could_lose_acknowledged_writes_is_refused() -> None:
    settings = copy.deepcopy(connection.settings_dict)
    settings["OPTIONS"] = {**settings["OPTIONS"], "options": "-c synchronous_commit=off"}
    unsafe = DatabaseWrapper(settings, "unsafe")

    with pytest.raises(ImproperlyConfigured, match="synchronous_commit = off"):
        unsafe.ensure_connection()
    unsafe.close()
