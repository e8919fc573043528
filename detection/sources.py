"""Telemetry sources: reading a file into a source's dataset, once, with its bad lines counted and kept."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from uuid import UUID

import pyarrow.parquet as pq
from django.conf import settings
from django.db import connection, transaction

from detection import fetching
from detection.models import SIMULATED, BadLine, FileKind, ModelRelease, TelemetryFile, TelemetrySource
from detection.records import BadLine as BadLineRecord
from detection.records import Ingested
from detection.telemetry import adapters
from detection.telemetry.dataset import Dataset, open_dataset
from detection.telemetry.engines import EngineError
from spine import jobs, log
from spine.errors import Refused
from spine.models import Job

KIND = "telemetry.add"
KEPT_BAD_LINES = 1000
MOST_AT_ONCE = 1000
LONGEST_KEY = 200
OnProgress = Callable[[int, int, str], None]


@dataclass
class _BadLines:
    """Counts every bad line and keeps the first thousand."""

    count: int = 0
    kept: list[BadLineRecord] = field(default_factory=list)

    def __call__(self, line: BadLineRecord) -> None:
        self.count += 1
        if len(self.kept) < KEPT_BAD_LINES:
            self.kept.append(line)


@dataclass(frozen=True)
class Read:
    """A file that was read into a dataset: what came of it, and its first bad lines."""

    kind: str
    name: str
    size: int
    sha256: str
    result: Ingested
    bad: tuple[BadLineRecord, ...]


def root_of(source: TelemetrySource) -> Path:
    """The folder of a source's dataset; named by our id, because a source's name is no file name."""
    return Path(settings.TELEMETRY_ROOT) / str(source.id)


@contextmanager
def telemetry_of(source: TelemetrySource) -> Iterator[Dataset]:
    """A source's dataset, opened in the engine that the settings name. Refused when that cannot be used."""
    spark = settings.SPARK_OPTIONS if settings.DETECTION_ENGINE == "spark" else None
    memory = f"{settings.DETECTION_MEMORY_MB}MB"
    try:
        with open_dataset(root_of(source), memory, spark=spark) as dataset:
            yield dataset
    except EngineError as error:
        raise Refused(str(error)) from error


def source_named(name: str, namespace: str = "default") -> TelemetrySource:
    """The source of this name, made when it is new. Refused when it exists in another namespace."""
    if not name or len(name) > 60:
        raise Refused("A source's name has 1 to 60 characters.", field="name")
    if name.strip().lower().startswith(SIMULATED.strip()):
        raise Refused(f"Names that begin with “{SIMULATED.strip()}” are of telemetry made up here.", field="name")
    source, _ = TelemetrySource.objects.get_or_create(name=name, defaults={"namespace": namespace})
    if source.namespace != namespace:
        raise Refused(f"The source {name} belongs to the namespace {source.namespace}.", field="namespace")
    return source


@transaction.atomic
def request_telemetry(*, actor: str, source: TelemetrySource, kind: str, path: Path | str, adapter: str = "") -> Job:
    """Ask a worker to read a file into the source: a path that workers can read, or an s3:// address.

    `adapter` names its format, which is recognised otherwise.
    Side effects: one job, unless the same file of the same source waits or runs already.
    """
    _refuse_simulated(source)
    if kind not in FileKind.values:
        raise Refused(f"No kind of file {kind!r}: accepted are {', '.join(FileKind.values)}.", field="kind")
    if adapter and adapter not in adapters.ADAPTERS:
        raise Refused(f"No such format: accepted are {', '.join(adapters.ADAPTERS)}.", field="format")
    place = str(path)
    if not place.startswith("s3://"):
        if not Path(place).is_file():
            raise Refused(f"{fetching.name_of(place)}: no such file.", field="path")
        place = str(Path(place).resolve())
    args = {"source": str(source.id), "kind": kind, "path": place, "format": adapter}
    told = place if len(place) <= LONGEST_KEY else hashlib.sha256(place.encode()).hexdigest()
    return jobs.enqueue(KIND, actor=actor, key=f"{source.id}:{kind}:{told}", args=args)


def _refuse_simulated(source: TelemetrySource) -> None:
    """Raise Refused where the source's telemetry was made up: nothing real is ever mixed with it."""
    if source.is_simulated:
        raise Refused("This source is simulated: nothing is read into it beside what was made for it.", field="name")


@transaction.atomic
def request_all(*, actor: str, source: TelemetrySource, uri: str, kind: str, adapter: str = "") -> list[Job]:
    """Ask for every file a person in the page or over the API names: a path, folder, pattern or s3:// address.

    Side effects: a job for each. Raises Refused for what is not on the list of destinations, and for too many.
    """
    names = fetching.named(fetching.permitted(uri))
    if len(names) > MOST_AT_ONCE:
        raise Refused(f"{len(names):,} files: at most {MOST_AT_ONCE:,} are asked for at once.", field="path")
    for name in names:
        if not name.startswith("s3://"):
            fetching.permitted(str(Path(name).resolve()))  # a link may lead out of the folder
    return [request_telemetry(actor=actor, source=source, kind=kind, path=name, adapter=adapter) for name in names]


def stop(*, actor: str, source: TelemetrySource, job: UUID) -> None:
    """End the reading of a file that waits or runs; nothing of it is kept.

    Side effects: the job is stopped, with who did it; one log entry. Raises Refused when it has ended.
    """
    found = Job.objects.filter(pk=job, kind=KIND, args__source=str(source.pk)).first()
    with transaction.atomic():
        if found is None or not jobs.stop(found, why=f"stopped by {actor}; nothing of it was kept"):
            raise Refused("This work has ended already.", field="job")
        log.record(actor=actor, action="job.stopped", about=found, data={"kind": KIND, "job": str(found.pk)})


def add_file(
    *,
    actor: str,
    source: TelemetrySource,
    kind: str,
    path: Path,
    name: str = "",
    adapter: str = "",
    on_progress: OnProgress = lambda done, total, note: None,
    confirm: Callable[[], None] = lambda: None,
) -> tuple[TelemetryFile, bool]:
    """Read a file into the source's dataset; gives its record and whether it is new. The same bytes add nothing.

    Raises Refused for one that cannot be read at all; one that breaks off is kept so far, and its record says so.

    Side effects in order: parts of the dataset, then in one transaction the record, its bad lines, new model releases,
    and one log entry. A reader killed before the transaction leaves parts that the next try replaces by the same.
    """
    _refuse_simulated(source)
    name = name or path.name
    with _readable(name):
        sha256 = adapters.file_sha256(path)
    with _one_writer(source), _readable(name):
        known = TelemetryFile.objects.filter(source=source, kind=kind, sha256=sha256).first()
        if known:
            return known, False
        read = _read(root_of(source), kind, path, name, sha256, adapter, on_progress)
        with transaction.atomic():
            confirm()
            return record_file(read, actor=actor, source=source), True


def read_anew(root: Path, kind: str, path: Path, on_progress: OnProgress) -> Read:
    """Read a file into the dataset under `root`, which is no source's yet; nothing is stored of it but that.

    Raises Refused for one that cannot be read.
    """
    with _readable(path.name):
        return _read(root, kind, path, path.name, adapters.file_sha256(path), "", on_progress)


def record_file(read: Read, *, actor: str, source: TelemetrySource) -> TelemetryFile:
    """Write down a file that was read into the source's dataset, in the caller's transaction.

    Side effects: the record, its bad lines, new model releases, and one log entry.
    """
    record = _store(source, read.kind, read.name, read.size, read.sha256, read.result)
    BadLine.objects.bulk_create(BadLine(file=record, line=b.line, reason=b.reason[:300]) for b in read.bad)
    _log(actor, source, record)
    return record


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """Say what cannot be read in words, without where it lies on this machine."""
    try:
        yield
    except OSError as error:
        why = f"{name}: {error.strerror}" if error.errno else str(error)
        raise Refused(f"Nothing was read: {why}.") from error


def _read(root: Path, kind: str, path: Path, name: str, sha256: str, adapter: str, on_progress: OnProgress) -> Read:
    bad = _BadLines()
    if kind == FileKind.EXCHANGES:
        result = adapters.add_telemetry(
            path,
            root,
            sha256=sha256,
            adapter=adapter or None,
            on_bad=bad,
            on_progress=lambda done, total, rows: on_progress(done, total, f"{rows:,} exchanges read"),
        )
    else:
        rows = adapters.add_side_table(kind, path, root, on_bad=bad)
        on_progress(1, 1, f"{rows:,} rows")
        result = Ingested(rows, bad.count, 0, None, None, (), (), {}, {}, (), ())
    return Read(kind, name, path.stat().st_size, sha256, result, tuple(bad.kept))


def _store(source: TelemetrySource, kind: str, name: str, size: int, sha256: str, result: Ingested) -> TelemetryFile:
    return TelemetryFile.objects.create(
        source=source,
        kind=kind,
        name=name[-300:],
        sha256=sha256,
        size=size,
        rows=result.rows,
        bad=result.bad,
        repeated=result.repeated,
        first_ts=result.first_ts,
        last_ts=result.last_ts,
        columns_present=list(result.columns_present),
        columns_absent=list(result.columns_absent),
        unknown_columns=dict(result.unknown_columns),
        truncated=(result.truncated or "")[:300],
    )


def _log(actor: str, source: TelemetrySource, record: TelemetryFile) -> None:
    # Releases are told in charts and timelines of every case: none of them is made up.
    rows = _new_releases(source) if record.kind == FileKind.MODELS and not source.is_simulated else []
    data = {
        "source": source.name,
        "file": record.name,
        "sha256": record.sha256,
        "kind": record.kind,
        "rows": record.rows,
        "bad": record.bad,
        "repeated": record.repeated,
        "releases": len(rows),
    }
    log.record(actor=actor, action="telemetry.added", about=record, data=data, rows=rows)


def _new_releases(source: TelemetrySource) -> list[ModelRelease]:
    known = set(ModelRelease.objects.values_list("model", flat=True))
    table = pq.read_table(root_of(source) / "models.parquet")
    pairs: list[tuple[str, datetime | None]] = list(
        zip(table["model"].to_pylist(), table["released_at"].to_pylist(), strict=True)
    )
    return [ModelRelease(model=m, released_at=at) for m, at in sorted(pairs) if at is not None and m not in known]


def remove_rows(record: TelemetryFile) -> int:
    """Remove the parts of the dataset that came from a file; the record of it stays. Gives how many parts went.

    For `cases.destruction`, which holds a certificate for it. Rows that an earlier file had too are that file's.
    """
    parts = list((root_of(record.source) / "exchanges").glob(f"day=*/{record.sha256[:16]}-*.parquet"))
    with _one_writer(record.source):
        for part in parts:
            part.unlink(missing_ok=True)
    return len(parts)


@contextmanager
def _one_writer(source: TelemetrySource) -> Iterator[None]:
    """A session lock on the source's dataset; a killed writer's connection lets go of it."""
    number = _lock_number(source.id)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [number])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [number])


def _lock_number(source: UUID) -> int:
    return int.from_bytes(source.bytes[-8:], "big", signed=True)
