"""Verbs on archives: have one listed, and what the worker does."""

import platform
import time
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from cases import archives
from cases.actions import base
from cases.actions.custody import note
from cases.models import ArchiveListing, EvidenceItem
from cases.vocabulary import CustodyAction
from people.models import User
from spine import jobs, log, vault
from spine.errors import Refused
from spine.models import Job

LIST = "evidence.list"
TOLD_EVERY = 1.0  # seconds
METHOD = "names, sizes and times read without unpacking anything, by a program of its own under limits"


@transaction.atomic
def request_listing(item: EvidenceItem, *, actor: User) -> Job:
    """Ask for an archive to be listed, anew if it was before. Side effects: a job of its case. Again while it runs is
    the same job. Raises Refused for what is no archive that can be listed.
    """
    base.require(actor, "cases.write")
    if not archives.is_archive(item.media_type):
        raise Refused(f"{item.exhibit} is {item.media_type}: only ZIP, tar, gzip, bzip2, xz and zstd are listed.")
    return enqueue(item, actor=actor.principal)


def enqueue(item: EvidenceItem, *, actor: str) -> Job:
    """The job, in the caller's transaction; also when an archive has just been added."""
    return jobs.enqueue(LIST, actor=actor, key=str(item.id), args={"item": str(item.id)}, scope=item.case_id)


def make(job: jobs.Running) -> dict[str, Any]:
    """The worker's part: compare the stored bytes with their digest, then list. Safe to run twice.

    Side effects: the listing, the custody event analysed, one log entry. An archive that cannot be read to its end has
    a listing that says so. Raises Refused when the stored bytes are gone or others.
    """
    item = EvidenceItem.objects.select_related("case").get(pk=job.args["item"])
    standing = ArchiveListing.objects.filter(job=job.id).first()
    if standing is None:
        standing = _written(item, _read(item, job), job)
    return {"number": item.number, "members": standing.count, "stopped": standing.stopped}


def _read(item: EvidenceItem, job: jobs.Running) -> archives.Listed:
    total, read, told = 2 * item.size, 0, time.monotonic()

    def compared(more: int) -> None:
        nonlocal read, told
        read += more
        if time.monotonic() - told > TOLD_EVERY:
            told = time.monotonic()
            job.progress(read, total, "comparing the stored bytes with their digest")

    found = vault.compare(item.sha256, compared)
    if found.result != "same":
        raise Refused(
            f"{item.exhibit} cannot be listed: its stored bytes are gone, or are not those it was added with."
        )
    return archives.read(
        item.sha256,
        item.media_type,
        lambda done: job.progress(item.size + min(done, item.size), total, "listing without unpacking"),
    )


def _written(item: EvidenceItem, found: archives.Listed, job: jobs.Running) -> ArchiveListing:
    made = ArchiveListing(
        item=item,
        job=job.id,
        members=found.members,
        count=len(found.members),
        flagged=found.flagged,
        produced=found.produced,
        packed=found.packed,
        stopped=found.stopped[:300],
        tool=f"Retort {settings.VERSION}, Python {platform.python_version()}",
        at=timezone.now(),
    )
    data = {"ref": item.case.ref, "number": item.number, "members": made.count, "flagged": made.flagged}
    with transaction.atomic():
        job.confirm()
        event = note(
            item,
            action=CustodyAction.ANALYSED,
            actor=User.objects.get(username=base.name_of(job.actor)),
            why="what is in the archive was listed",
            how=METHOD,
        )
        log.record(
            actor=job.actor, action="evidence.listed", about=item, scope=item.case_id, data=data, rows=[made, event]
        )
    return made
