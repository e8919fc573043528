"""What retention policies would destroy, found anew each time: candidates by kind of data and age. Never the log."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from cases.destruction import Preview, Target, destroyed, named_digests, preview
from cases.dossier.build import folder_of
from cases.models import Case, DossierVersion, EvidenceItem, RetentionPolicy
from cases.models.case import CaseStatus
from cases.models.destruction import Kept
from detection.models import FileKind, TelemetryFile
from spine import vault
from spine.models import Destruction
from spine.principal import acting_as

SYSTEM = "system:retention"
MOST = 20_000  # targets in one order: what a second person can be asked to answer for


def current() -> QuerySet[RetentionPolicy]:
    """The newest policy of each kind of data, and of each source."""
    rows = RetentionPolicy.objects.filter(superseded_by=None).select_related("source", "set_by")
    return rows.order_by("data_class", "source__name")


def preview_of(policy: RetentionPolicy, now: datetime | None = None) -> Preview:
    """What the policy would destroy now and what holds keep back; at most MOST targets, the rest another time.

    Read as the system: age does not depend on who looks. Who may not read a case learns counts alone.
    """
    if not policy.active:
        return Preview()
    edge = (now or timezone.now()) - timedelta(days=policy.days)
    with acting_as(SYSTEM):
        found = []
        for one in CANDIDATES[Kept(policy.data_class)](policy, edge):
            found.append(one)
            if len(found) == MOST:
                break
        return preview(found)


def _telemetry(policy: RetentionPolicy, edge: datetime) -> Iterator[Target]:
    files = TelemetryFile.objects.filter(source=policy.source_id, kind=FileKind.EXCHANGES, last_ts__lt=edge)
    gone = Destruction.objects.filter(kind=Destruction.Kind.TELEMETRY_FILE).values_list("key", flat=True)
    for file in files.exclude(pk__in=list(gone)).order_by("last_ts", "pk"):
        yield Target(Destruction.Kind.TELEMETRY_FILE, str(file.pk), file.sha256, file.size)


def _unreferenced(policy: RetentionPolicy, edge: datetime) -> Iterator[Target]:
    """Files of a vault folder that no column of any table names. A bucket tells no age here and has none."""
    named = named_digests()
    for sha256, size in vault.stored():
        if sha256 not in named and (at := _stored_at(sha256)) is not None and at < edge:
            yield Target(Destruction.Kind.BLOB, sha256, sha256, size)


def _stored_at(sha256: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(vault.path_of(sha256).stat().st_mtime, UTC)
    except (LookupError, FileNotFoundError):
        return None


def _closed_exhibits(policy: RetentionPolicy, edge: datetime) -> Iterator[Target]:
    """Bytes all of whose exhibits are in cases that are closed and were not touched since the edge."""
    others = EvidenceItem.objects.filter(sha256=OuterRef("sha256")).exclude(
        case__in=Case.objects.filter(status=CaseStatus.CLOSED, updated_at__lt=edge).values("pk")
    )
    items = EvidenceItem.objects.filter(~Exists(others)).order_by("sha256")
    rows = list(items.values_list("sha256", "size").distinct())
    gone = destroyed(Destruction.Kind.BLOB, (sha256 for sha256, _ in rows))
    for sha256, size in rows:
        if sha256 not in gone or vault.has(sha256):  # the same bytes may have come again
            yield Target(Destruction.Kind.BLOB, sha256, sha256, size)


def _packages(policy: RetentionPolicy, edge: datetime) -> Iterator[Target]:
    """Rendered packages; the snapshot stays, so a version can be rendered again to the same bytes."""
    for version in DossierVersion.objects.order_by("frozen_at", "pk"):
        folder = folder_of(version)
        files = [one for one in folder.glob("*") if one.is_file()] if folder.is_dir() else []
        if files and max(datetime.fromtimestamp(one.stat().st_mtime, UTC) for one in files) < edge:
            yield Target(Destruction.Kind.PACKAGE, str(version.pk), "", sum(one.stat().st_size for one in files))


CANDIDATES: dict[Kept, Callable[[RetentionPolicy, datetime], Iterator[Target]]] = {
    Kept.TELEMETRY: _telemetry,
    Kept.UNREFERENCED: _unreferenced,
    Kept.CLOSED_EXHIBITS: _closed_exhibits,
    Kept.PACKAGES: _packages,
}
