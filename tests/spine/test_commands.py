"""What every command says when the database is not as it needs it."""

import pytest
from django.core.management import CommandError, call_command
from django.db import connection


@pytest.mark.django_db(transaction=True)
def test_command_on_a_database_without_its_tables_says_what_to_do() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET search_path TO nowhere")
    try:
        with pytest.raises(CommandError, match=r"lacks tables of this version: run manage\.py migrate"):
            call_command("run_detectors")
    finally:
        connection.close()
