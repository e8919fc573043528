"""What the worker does for cases: each handler takes a job, calls one function and is safe to run twice."""

from datetime import datetime
from typing import Any

from celery import shared_task

from cases import destruction, leads, notice_mail, precision, recalls, telling, webhook_sending
from cases.access import visible_cases
from cases.actions import (
    base,
    bulk,
    deconfliction,
    dossiers,
    exchange_checks,
    exchange_sets,
    listings,
    redactions,
    sampling,
    uploads,
    verifying,
)
from cases.dossier import build
from cases.models import Case, DestructionOrder, DossierVersion
from detection.models import VersionRecall
from people.models import User
from spine import jobs
from spine.errors import Refused
from spine.principal import acting_as


def still_open_to(job: jobs.Running) -> tuple[Case, User]:
    """The job's case and who asked, when they may still know of it; asked again here because time has passed.

    Raises Refused otherwise.
    """
    actor = User.objects.get(username=base.name_of(job.actor))
    case = visible_cases(actor).filter(pk=job.scope).first() if job.scope else None
    if case is None:
        raise Refused("Who asked for this may not read the case any more: nothing was done.")
    return case, actor


def set_verdicts(job: jobs.Running) -> dict[str, Any]:
    """Carry out or take back a decision about many accounts (`cases.actions.bulk`)."""
    still_open_to(job)
    return bulk.carry_out(job)


def take_in_upload(job: jobs.Running) -> dict[str, Any]:
    """Make a complete upload an exhibit (`cases.actions.uploads.take_in`)."""
    return uploads.take_in(job)


def redact(job: jobs.Running) -> dict[str, Any]:
    """Make the derivative of an approved redaction (`cases.actions.redactions.make`)."""
    still_open_to(job)
    return redactions.make(job)


def list_archive(job: jobs.Running) -> dict[str, Any]:
    """List what is in an archive (`cases.actions.listings.make`)."""
    still_open_to(job)
    return listings.make(job)


def compare_vault(job: jobs.Running) -> dict[str, Any]:
    """Compare stored files with their digests (`cases.actions.verifying.compare`)."""
    return verifying.compare(job)


def flag_recalled(job: jobs.Running) -> dict[str, Any]:
    """Flag what leans on a recalled detector version (`cases.recalls.flag`)."""
    recall = VersionRecall.objects.select_related("detector_version__detector").get(pk=job.args["recall"])
    return recalls.flag(recall, on_progress=job.progress)


@shared_task
def wake_leads() -> int:
    """Bring back snoozed leads whose time has come."""
    return leads.wake_due()


@shared_task
def measure_precision() -> int:
    """Compute how often each detector version was right."""
    return precision.measure()


@shared_task
def verify_due() -> None:
    """Have compared what is due."""
    verifying.verify_due()


@shared_task
def sweep_uploads() -> int:
    """End uploads nobody went on with."""
    with acting_as("system:sweeper"):
        return uploads.sweep_uploads()


def make_exchange_set(job: jobs.Running) -> dict[str, Any]:
    """Make an exchange set in one pass over its source (`cases.actions.exchange_sets.make`)."""
    still_open_to(job)
    return exchange_sets.make(job)


def rerun_exchange_set(job: jobs.Running) -> dict[str, Any]:
    """Ask an exchange set's source again and keep the difference (`cases.actions.exchange_checks.rerun`)."""
    still_open_to(job)
    return exchange_checks.rerun(job)


def sample_exchange_set(job: jobs.Running) -> dict[str, Any]:
    """Draw a sample from an exchange set by its plan (`cases.actions.sampling.draw`)."""
    still_open_to(job)
    return sampling.draw(job)


def compare_question(job: jobs.Running) -> dict[str, Any]:
    """Compare a question of deconfliction, as the system (`cases.actions.deconfliction`)."""
    return {**deconfliction.compare(job)}


def freeze_dossier(job: jobs.Running) -> dict[str, Any]:
    """Freeze a case, or find the version that was frozen at the same cut (`cases.actions.dossiers.freeze`)."""
    case, actor = still_open_to(job)
    job.progress(0, 1, f"reading {case.ref} at the cut")
    as_of = job.args["as_of"]
    version = dossiers.freeze(
        case,
        actor=actor,
        edition=job.args["edition"],
        recipient=job.args["recipient"],
        basis=job.args["basis"],
        as_of=datetime.fromisoformat(as_of) if as_of else None,
        confirm=job.confirm,
    )
    job.progress(1, 1, f"froze version {version.number}")
    return {"version": str(version.id), "number": version.number, "snapshot_sha256": version.snapshot_sha256}


def render_dossier(job: jobs.Running) -> dict[str, Any]:
    """Build a version's package where the pages find it: a draft, or sealed and proved (`cases.dossier.build`)."""
    if job.actor.startswith("user:"):
        still_open_to(job)
    version = DossierVersion.objects.select_related("case", "preparer").get(pk=job.args["version"])
    package = build.build(version, build.folder_of(version), actor=job.actor, report=job.progress, confirm=job.confirm)
    job.progress(build.STEPS, build.STEPS, "the package lies ready")
    return {"version": str(version.id), "package": package.path.name, "sha256": package.sha256, "size": package.size}


def carry_out_destruction(job: jobs.Running) -> dict[str, Any]:
    """Destroy what a granted order names (`cases.destruction`); two people answered for it, so the system acts."""
    order = DestructionOrder.objects.get(pk=job.args["order"])
    return dict(destruction.carry_out(order, confirm=job.confirm, report=job.progress))


def send_to_webhook(job: jobs.Running) -> dict[str, Any]:
    """Send what is due to one webhook (`cases.webhook_sending.send`)."""
    return webhook_sending.send(job)


def mail_notice(job: jobs.Running) -> dict[str, Any]:
    """Mail a notice (`cases.notice_mail.send_one`)."""
    return notice_mail.send_one(job)


def mail_digest(job: jobs.Running) -> dict[str, Any]:
    """Mail a person the digest of a day (`cases.notice_mail.send_digest`)."""
    return notice_mail.send_digest(job)


@shared_task
def mail_due_notices() -> Any:
    """Ask for the mails that are due."""
    return notice_mail.send_due()


@shared_task
def look_at_clocks() -> None:
    """Tell people what expires and what waits."""
    telling.look_at_clocks()


@shared_task
def send_due_webhooks() -> Any:
    """Ask for the sending of what is due to webhooks."""
    return webhook_sending.send_due()


@shared_task
def tidy_webhooks() -> Any:
    """Tell of what expires, and forget old deliveries."""
    return webhook_sending.tidy()
