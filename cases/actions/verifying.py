"""Verbs on the vault: compare one exhibit or everything with its digest, and write down what came of it."""

import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from cases import verifying
from cases.actions import base
from cases.actions.custody import note
from cases.models import EvidenceItem, VaultCheck
from cases.models.vaultcheck import CheckResult
from cases.vocabulary import CustodyAction
from people.models import User
from people.rights import may
from spine import jobs, log, vault
from spine.models import Job
from spine.principal import acting_as

COMPARE = "vault.compare"
KEEPER = "system:vault"
BATCH, BATCH_SECONDS = 200, 20.0
MOST_A_TURN, MOST_BYTES_A_TURN = 500, 8 * 1024**3
METHOD = "the stored bytes read to their end and their SHA-256 compared with the one taken on receipt"


@transaction.atomic
def verify_item(item: EvidenceItem, *, actor: User) -> Job:
    """Ask for one exhibit, and what is kept beside it, to be compared now.

    Side effects: a job of its case. Again while it runs is the same job.
    """
    base.require(actor, "cases.read")
    args = {"digests": sorted({item.sha256, *verifying.beside(item)})}
    return jobs.enqueue(COMPARE, actor=actor.principal, key=f"one:{item.id}", args=args, scope=item.case_id)


@transaction.atomic
def verify_vault(*, actor: User) -> Job:
    """Ask for everything in the vault to be compared now. Side effects: a job of no case."""
    if not actor.is_active or not may_verify(actor):
        raise PermissionDenied("Your role does not let you start a comparison of the whole vault.")
    return jobs.enqueue(COMPARE, actor=actor.principal, key="whole", args={"all": True})


def may_verify(person: object) -> bool:
    """Whether this person may have the whole vault compared."""
    return may(person, "detectors.write") or may(person, "cases.write")


@transaction.atomic
def verify_due() -> Job | None:
    """Ask for what is due by the schedule, oldest first; None when nothing is. Called by the clock."""
    with acting_as(KEEPER):
        if not verifying.due(_bound()):
            return None
        return jobs.enqueue(COMPARE, actor=KEEPER, key="due", args={"due": True})


def compare(job: jobs.Running) -> dict[str, Any]:
    """The worker's part. What is done is written down every few seconds, so a killed job goes on where it was."""
    with acting_as(KEEPER):  # the digests of every case, told to nobody
        waiting = _asked(job)
        compared = failed = read = 0
        for batch in _batches(waiting, job, most=MOST_BYTES_A_TURN if job.args.get("due") else None):
            record_checks(batch, actor=job.actor, job=job)
            compared += len(batch)
            failed += sum(found.result != CheckResult.SAME for _, found in batch)
            read += sum(found.size for _, found in batch)
    return {"compared": compared, "failed": failed, "bytes": read}


@transaction.atomic
def record_checks(
    found: Sequence[tuple[str, vault.Compared]], *, actor: str, job: jobs.Running | None = None
) -> list[VaultCheck]:
    """Write comparisons down: one log entry of no case with a row each; for a file that fails anew, the custody event
    `verification_failed` of each exhibit it is or is kept beside, with an entry of its case.
    """
    if job is not None:
        job.confirm()
    before = verifying.newest(sha256 for sha256, _ in found)
    store = vault.about().kind
    rows = [
        VaultCheck(
            sha256=sha256,
            result=one.result,
            found_sha256=one.sha256 or None,
            size=one.size,
            at=timezone.now(),
            store=store,
        )
        for sha256, one in found
    ]
    failed = [row for row in rows if row.result != CheckResult.SAME]
    log.record(actor=actor, action="vault.compared", data={"objects": len(rows), "failed": len(failed)}, rows=rows)
    for row in failed:
        was = before.get(row.sha256)
        if was is None or was.result == CheckResult.SAME:
            _fail(row, actor)
    return rows


def _fail(row: VaultCheck, actor: str) -> None:
    told = CheckResult(row.result).label
    kept_beside = verifying.exhibits_beside([row.sha256])[row.sha256]
    items = EvidenceItem.objects.select_related("case").filter(Q(sha256=row.sha256) | Q(pk__in=kept_beside))
    for item in items.order_by("id"):
        own = item.sha256 == row.sha256
        what = "" if own else f" of {kept_beside[item.pk]}, kept beside it"
        event = note(
            item,
            action=CustodyAction.VERIFICATION_FAILED,
            actor=actor,
            why=f"comparison of the vault{what}: {told}",
            how=METHOD,
            sha256=(row.found_sha256 or "") if own else "",
        )
        data = {"ref": item.case.ref, "number": item.number, "result": row.result}
        entry: dict[str, Any] = {"actor": actor, "about": item, "scope": item.case_id, "rows": [event]}
        if own:
            log.record(action="evidence.verification_failed", data=data, **entry)
        else:
            log.record(action="evidence.beside_failed", data={**data, "beside": kept_beside[item.pk]}, **entry)


def _asked(job: jobs.Running) -> list[str]:
    """The digests the job is about, less what an earlier attempt of it has done."""
    if job.args.get("due"):
        return verifying.due(_bound())[:MOST_A_TURN]
    wanted = sorted(verifying.digests()) if job.args.get("all") else list(job.args["digests"])
    since = Job.objects.values_list("created_at", flat=True).get(pk=job.id)
    done = verifying.last_compared(wanted)
    return [sha256 for sha256 in wanted if sha256 not in done or done[sha256] < since]


def _batches(waiting: Sequence[str], job: jobs.Running, most: int | None) -> Iterator[list[tuple[str, vault.Compared]]]:
    batch: list[tuple[str, vault.Compared]] = []
    started, read = time.monotonic(), 0
    for done, sha256 in enumerate(waiting):
        job.progress(done, len(waiting), f"compared {done:,} of {len(waiting):,} files")
        batch.append((sha256, vault.compare(sha256)))
        read += batch[-1][1].size
        if len(batch) >= BATCH or time.monotonic() - started > BATCH_SECONDS:
            yield batch
            batch, started = [], time.monotonic()
        if most is not None and read >= most:
            break
    if batch:
        yield batch
    job.progress(len(waiting), len(waiting), f"{len(waiting):,} compared.")


def _bound() -> datetime:
    return timezone.now() - timedelta(days=settings.VERIFY_DAYS)
