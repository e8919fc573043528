"""How often each detector errs on a benign reference: measured, kept with the version, printed with findings.

A reference is a telemetry source all of whose accounts are taken to be benign; nothing that is found in it is stored.
The share of its active accounts that a version names is what that version gets wrong among such customers, with
Wilson's interval at 95 %. Of a version that looks at pools it is the share of groups of these accounts, drawn at random
with a fixed seed, that it makes a finding of, among those it could compare. Such groups are no pools and no look-alikes
either: the rate says nothing of classes, harnesses or gateways, and what a run would join into clusters of the
reference is not in it. No rate says anything of customers of another kind, and the reference's name is printed with it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from detection import naming, registry
from detection.facts import account_facts
from detection.measures import in_words
from detection.models import Cluster, DetectorMeasure, Run, TelemetrySource
from detection.naming import Tally
from detection.records import Window
from detection.sources import telemetry_of
from detection.stopping import unless_wanted
from spine import jobs, log
from spine.errors import Refused
from spine.models import Job

KIND = "detectors.measure"
OnProgress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Measured:
    """What a measuring came to: the rows that were written, and the answers of detectors that could not tell."""

    rows: tuple[DetectorMeasure, ...]
    untold: dict[str, str]


@transaction.atomic
def request_measure(*, actor: str, source: TelemetrySource) -> Job:
    """Ask a worker to measure on this source. Side effects: one job, unless the same waits or goes on already."""
    return jobs.enqueue(KIND, actor=actor, key=str(source.id), args={"source": str(source.id)})


def doubt(source: TelemetrySource) -> str:
    """What speaks against taking all accounts of the source to be benign, in a sentence; empty for nothing known."""
    newest = Run.objects.filter(source=source).order_by("-id")[:1]
    count = Cluster.objects.filter(run__in=newest.values("pk"), worth_a_look=True).count()
    if not count:
        return ""
    held = "1 cluster that is" if count == 1 else f"{count:,} clusters that are"
    return (
        f"The newest run found {held} worth a look here: unless all of that is innocent, the rates come out too high."
    )


def jobs_of(source: TelemetrySource) -> QuerySet[Job]:
    """Every measuring that was asked for on the source, as the work it is."""
    return Job.objects.filter(kind=KIND, key=str(source.pk))


def measure(
    *,
    actor: str,
    source: TelemetrySource,
    job_id: UUID,
    on_progress: OnProgress = lambda done, total, note: None,
    confirm: Callable[[], None] = lambda: None,
    is_held: Callable[[], bool] = lambda: True,
) -> Measured:
    """Run every detector over the source and count what each names; the same job measures once.

    Side effects: the measures under one log entry, in one transaction; no finding, no cluster.
    `on_progress` is told before every detector, and of those of pools before every draw of groups. Refused when the
    source has no exchanges. Raises LeaseLost, in the middle of a query too, once `is_held` says so.
    """
    done = DetectorMeasure.objects.filter(job_id=job_id).select_related("detector_version__detector")
    if done:
        return Measured(tuple(done), {})
    with telemetry_of(source) as dataset, unless_wanted(is_held, dataset.engine.interrupt):
        window = dataset.span()
        if window is None:
            raise Refused(f"The source {source.name} has no exchanges yet.")
        accounts = account_facts(dataset, window)
        asked = registry.running_detectors()
        found = list(naming.tallies(dataset, window, accounts, *asked, on_progress))
    told = [tally for tally in found if not tally.untold]
    digest = reference_sha256(source)
    with transaction.atomic():
        confirm()
        rows = [_row(tally, source, digest, window, job_id) for tally in told]
        data = {"source": source.name, "detectors": len(rows), "accounts": len(accounts), "reference_sha256": digest}
        log.record(actor=actor, action="detectors.measured", about=source, data=data, rows=rows)
    return Measured(tuple(rows), {tally.detector: tally.untold for tally in found if tally.untold})


def _row(tally: Tally, source: TelemetrySource, digest: str, window: Window, job_id: UUID) -> DetectorMeasure:
    low, high = tally.interval
    return DetectorMeasure(
        detector_version=registry.version_of(tally.detector, tally.version, tally.config_sha256),
        job_id=job_id,
        reference=source.name,
        reference_sha256=digest,
        window_start=window.start,
        window_end=window.end,
        unit=tally.unit.value,
        active=tally.of,
        named=tally.named,
        low=low,
        high=high,
    )


def reference_sha256(source: TelemetrySource) -> str:
    """Digest of the reference: of the digests of its files with their kinds, in order, a line each."""
    files = sorted(source.files.values_list("kind", "sha256"))
    return sha256("".join(f"{kind} {digest}\n" for kind, digest in files).encode()).hexdigest()


def lines(measured: Measured) -> Sequence[str]:
    """A line for each detector: what was measured, or why it could not tell."""
    told = [f"{row.detector_version}: {in_words(row)}" for row in measured.rows]
    return [*told, *(f"{name}: could not tell; {reason}" for name, reason in measured.untold.items())]
