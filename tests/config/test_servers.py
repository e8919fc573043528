"""The test plugin itself: roles behind the aliases, cleaning after committed tests, the real worker and web server."""

import os
import urllib.request

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connections

from config.embedded import processes
from tests.database import clean

ALL = ["default", "owner", "audit"]


@pytest.mark.django_db(databases=ALL)
def test_aliases_sign_in_as_three_roles():
    found = []
    for alias in ALL:
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT current_user")
            found.append(cursor.fetchone()[0])
    assert found == ["retort_app", "retort_owner", "retort_audit"]


@pytest.mark.django_db(transaction=True)
def test_clean_takes_committed_rows_away_and_keeps_migrated_ones():
    before = ContentType.objects.count()
    ContentType.objects.create(app_label="made", model="up")
    clean()
    assert (ContentType.objects.count(), before > 0) == (before, True)


@pytest.mark.django_db(transaction=True)
def test_worker_is_a_process_group_that_dies_at_once(worker):
    assert os.getpgid(worker.pid) == worker.pid
    first = worker.pid
    worker.kill()
    assert processes.group(first) == []
    worker.restart()
    assert first not in processes.group(worker.pid)


@pytest.mark.django_db(transaction=True)
def test_live_site_answers(live_site):
    with urllib.request.urlopen(f"{live_site}/healthz") as response:
        assert response.status == 200
