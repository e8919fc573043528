"""Approval: a second person, this snapshot, once. The database says so too."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, connection, transaction

from cases.actions import dossiers
from cases.models import DossierApproval, DossierVersion
from people.models import User
from spine.errors import Conflict, Refused
from spine.ids import new_id
from spine.models import Job, LogEntry
from tests.cases.dossier.story import Story


def test_approve_by_a_second_person_is_recorded_and_asks_for_the_package(story: Story) -> None:
    version = story.freeze()
    approval = story.approve(version)
    entry = LogEntry.objects.get(action="dossier.approved")
    assert (approval.approver, approval.preparer, entry.actor) == (
        story.cast.counsel,
        story.cast.analyst,
        "user:counsel",
    )
    assert Job.objects.filter(kind="dossier.render", key=f"{version.pk}:sealed").count() == 1


def test_approve_by_the_preparer_is_refused(story: Story) -> None:
    version = story.freeze(actor=story.cast.counsel)
    with pytest.raises(Refused, match="second person"):
        story.approve(version)


def test_approve_of_another_hash_is_refused(story: Story) -> None:
    version = story.freeze()
    other = hashlib.sha256(b"other").hexdigest()
    with pytest.raises(Refused) as refused:
        dossiers.approve(version, actor=story.cast.counsel, snapshot_sha256=other)
    assert refused.value.field == "snapshot_sha256"


def test_approve_twice_says_who_was_first(story: Story) -> None:
    version = story.freeze()
    story.approve(version)
    with pytest.raises(Conflict, match="was approved by counsel already"):
        dossiers.approve(version, actor=story.cast.lead, snapshot_sha256=version.snapshot_sha256)


def test_approve_by_two_people_at_once_is_one_approval_and_the_other_is_told(story: Story) -> None:
    version = story.freeze()
    start = Barrier(2)

    def approve(actor: User) -> str:
        try:
            start.wait(10)
            dossiers.approve(version, actor=actor, snapshot_sha256=version.snapshot_sha256)
        except Conflict as conflict:
            return conflict.message
        finally:
            connection.close()
        return "approved"

    with ThreadPoolExecutor(2) as pool:
        said = sorted(pool.map(approve, [story.cast.counsel, story.cast.lead]))
    winner = DossierApproval.objects.get().approver
    assert said == sorted(["approved", f"{version.case.ref} version 1 was approved by {winner} already."])
    assert LogEntry.objects.filter(action="dossier.approved").count() == 1


@pytest.mark.parametrize("name", ["admin", "analyst", "reader"])
def test_approve_without_the_right_is_not_allowed(story: Story, name: str) -> None:
    version = story.freeze(actor=story.cast.lead)
    with pytest.raises(PermissionDenied):
        dossiers.approve(version, actor=getattr(story.cast, name), snapshot_sha256=version.snapshot_sha256)


def insert(version: DossierVersion, preparer: User, approver: User) -> None:
    """An approval past the verbs, as the application's role."""
    row = {
        "id": new_id(),
        "place": 0,
        "snapshot": version.snapshot_sha256,
        "entry": LogEntry.objects.earliest("at").pk,
        "version": version.pk,
        "preparer": preparer.pk,
        "approver": approver.pk,
    }
    statement = """
        INSERT INTO cases_dossierapproval
            (id, place, snapshot_sha256, note, at, approver_id, entry_id, preparer_id, version_id)
        VALUES (%(id)s, %(place)s, %(snapshot)s, '', now(), %(approver)s, %(entry)s, %(preparer)s, %(version)s)
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == ("retort_app",)
        cursor.execute(statement, row)


def test_database_refuses_the_preparer_as_approver(story: Story) -> None:
    version = story.freeze()
    with pytest.raises(IntegrityError, match="preparer_and_approver_are_two_people"):
        insert(version, story.cast.analyst, story.cast.analyst)


def test_database_refuses_a_false_preparer(story: Story) -> None:
    version = story.freeze()
    with pytest.raises(IntegrityError, match="the_preparer_is_the_versions_own"):
        insert(version, story.cast.lead, story.cast.analyst)
    assert DossierApproval.objects.count() == 0
