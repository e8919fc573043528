"""Freezing: one version for one cut, whoever asks and however often."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.utils import timezone

from cases import history
from cases.actions import dossiers
from cases.dossier import snapshot
from cases.dossier.freeze import one_state
from cases.models import DossierVersion
from spine import vault
from spine.canonical import canonical_json
from spine.errors import Refused
from spine.models import Job, LogEntry
from tests.cases.dossier.story import Story
from tests.factories import run_job


def test_freeze_twice_is_one_version(story: Story) -> None:
    first = story.freeze()
    assert story.freeze(actor=story.cast.lead) == first
    assert (first.number, first.preparer) == (1, story.cast.analyst)
    assert LogEntry.objects.filter(action="dossier.frozen").count() == 1


def test_freeze_at_once_is_one_version(story: Story) -> None:
    start = Barrier(3)

    def freeze() -> Any:
        try:
            start.wait(10)
            return story.freeze().pk
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        found = {future.result() for future in [pool.submit(freeze) for _ in range(3)]}
    assert found == set(DossierVersion.objects.values_list("pk", flat=True))
    assert len(found) == 1


def test_freeze_after_a_verdict_is_the_next_version(story: Story) -> None:
    first = story.freeze()
    story.decide(4)
    second = story.freeze()
    assert [first.number, second.number] == [1, 2]
    assert story.freeze(as_of=first.cut_at) == first


def test_snapshot_is_canonical_and_lies_under_its_digest(story: Story) -> None:
    version = story.freeze()
    content = vault.read(version.snapshot_sha256)
    assert hashlib.sha256(content).hexdigest() == version.snapshot_sha256
    assert canonical_json(json.loads(content)) == content


def test_freeze_again_after_losing_the_row_would_give_the_same_snapshot(story: Story) -> None:
    version = story.freeze()
    story.decide(5)
    asked = {"edition": "counsel", "recipient": "", "basis": ""}
    with one_state():
        again = snapshot.build(story.case, history.cut(story.case, version.cut_at), **asked)
    assert hashlib.sha256(canonical_json(again)).hexdigest() == version.snapshot_sha256


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"recipient": "Example Court"}, "basis"),
        ({"basis": "order 7"}, "recipient"),
        ({"edition": "novel"}, "edition"),
        ({"as_of": timezone.now() + timedelta(days=1)}, "as_of"),
        ({"as_of": timezone.now() - timedelta(days=9999)}, "as_of"),
    ],
)
def test_freeze_refuses_what_cannot_be_frozen(story: Story, asked: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as refused:
        story.freeze(**asked)
    assert refused.value.field == field
    assert DossierVersion.objects.count() == 0


def test_freeze_by_a_reader_is_not_allowed(story: Story) -> None:
    with pytest.raises(PermissionDenied):
        story.freeze(actor=story.cast.reader)


def test_one_state_is_repeatable_read_and_ends(story: Story) -> None:
    def isolation() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SHOW transaction_isolation")
            return str(cursor.fetchone()[0])

    with one_state():
        inside = isolation()
    assert (inside, isolation()) == ("repeatable read", "read committed")


def test_prepare_twice_is_one_job_that_freezes_and_asks_for_the_draft(story: Story) -> None:
    job, same = (dossiers.prepare(story.case, actor=story.cast.analyst, edition="counsel") for _ in range(2))
    assert job == same
    done = run_job(job)
    version = DossierVersion.objects.get()
    assert (done.state, done.result and done.result["version"]) == ("done", str(version.pk))
    assert Job.objects.get(kind="dossier.render").key == f"{version.pk}:draft"
