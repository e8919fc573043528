"""Findings in: read, classified by (detector, uid, version), and stored with their accounts and log entry in batches.

Every door comes through `store`: the API, the command, feeds, and the built-in detectors.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import rfc8785
from django.db import transaction
from django.utils import timezone

from detection import detector_health, queries, registry, tally, writing
from detection.finding_schema import Problem
from detection.index import ensure_accounts
from detection.models import Detector
from detection.reading import Form, Read, Unacceptable, read
from detection.registry import version_of
from detection.streams import BrokenStream, Line, Unreadable
from detection.turns import Turn
from detection.writing import NOWHERE, Ahead, Origin, Ready

if TYPE_CHECKING:
    from detection.repeats import Repeats

__all__ = ["Counts", "Form", "Origin", "Rejection", "ensure_accounts", "store", "validate", "version_of"]

KEPT_ERRORS = 100
BATCH = 2000
BATCH_BYTES = 4 * 1024 * 1024
CONFLICT = "a finding with this uid and version was received before with other content; send a higher version"

Lines = list[Read | Unacceptable]


@dataclass
class Batch:
    """Lines that were read, whether more may follow, and their rows where these were made ahead."""

    lines: Lines
    more: bool
    ready: Ready | None = None


NOTHING = Batch([], more=False)


@dataclass(frozen=True)
class Rejection:
    """Why a line was not kept; lines count from 1, blank ones do not count."""

    line: int
    pointer: str
    detail: str


@dataclass
class Counts:
    """What became of lines: received = created + duplicate + superseded + rejected; errors are the first hundred."""

    received: int = 0
    created: int = 0
    duplicate: int = 0
    superseded: int = 0
    rejected: int = 0
    errors: list[Rejection] = field(default_factory=list)

    def add(self, other: "Counts") -> None:
        """Take in what another count has."""
        for name in ("received", "created", "duplicate", "superseded", "rejected"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.errors += other.errors[: KEPT_ERRORS - len(self.errors)]

    def reject(self, line: int, problems: Sequence[Problem]) -> None:
        """One line is not kept."""
        self.rejected += 1
        room = KEPT_ERRORS - len(self.errors)
        self.errors += [Rejection(line, problem.pointer, problem.detail) for problem in problems[:room]]


def store(
    documents: Iterable[Line | Mapping[str, Any]],
    *,
    actor: str,
    detector: str,
    namespace: str = "default",
    batch: int = BATCH,
    counts: Counts | None = None,
    form: Form = "native",
    admit: Callable[[int, int], None] = lambda _lines, _size: None,
    origin: Origin = NOWHERE,
    turn: Turn | None = None,
) -> Counts:
    """Store findings of one detector; what is counted is committed. Documents are JSON bytes or mappings.

    Side effects, a transaction for each `batch` (or 4 MiB): new findings with accounts, attributes and sightings, the
    detector and its versions where they are new, one log entry over the new findings. The same content again adds
    nothing. A stream that breaks is a last line that is not kept. `counts` is brought up to date with each batch, so
    that a caller knows what is kept when the database goes away in the middle. While the database stores a batch,
    the next one is read and checked. `admit` is asked before each batch with its lines and bytes; what it raises ends
    the storing there. `origin` is kept with each batch. With a `turn`, a batch waits for it, and may be stored in
    pieces. Refused for a detector that is a draft or retired.
    """
    counts = counts if counts is not None else Counts()
    for held in _ahead(_batches(documents, batch, detector, form), detector):
        lines = held.lines
        admit(len(lines), sum(len(item.raw) for item in lines if isinstance(item, Read)))
        for part in turn.parts(lines) if turn else [lines] * bool(lines):
            with turn.transaction() if turn else transaction.atomic():
                stored = _store_batch(part, actor, detector, namespace, origin, held.ready)
            counts.add(stored)
    return counts


def validate(
    documents: Iterable[Line | Mapping[str, Any]],
    *,
    detector: str,
    form: Form = "native",
    repeats: "Repeats | None" = None,
) -> Counts:
    """What `store` would reject by a finding's own content; touches no database. Acceptable ones count as created.

    With `repeats`, which keeps what came before, those that repeat, supersede or contradict one of these count as
    `store` would count them if it knew no other.
    """
    counts = Counts()
    for line, document in _numbered(documents):
        counts.received += 1
        outcome = read(line, document, detector=detector, form=form)
        if isinstance(outcome, Unacceptable):
            counts.reject(line, outcome.problems)
            continue
        stated = outcome.finding
        became = repeats.take(stated.uid, stated.version, outcome.content_sha256) if repeats else "created"
        if became == "conflict":
            counts.reject(line, [Problem(outcome.uid_at, CONFLICT)])
        else:
            setattr(counts, became, getattr(counts, became) + 1)
    return counts


def _numbered(documents: Iterable[Line | Mapping[str, Any]]) -> Iterator[tuple[int, Line]]:
    line = 0
    try:
        for line, document in enumerate(documents, 1):
            yield line, rfc8785.dumps(dict(document)) if isinstance(document, Mapping) else document
    except BrokenStream as broken:
        yield line + 1, Unreadable(f"{broken}; nothing from here on was read")


def _batches(documents: Iterable[Line | Mapping[str, Any]], most: int, detector: str, form: Form) -> Iterator[Batch]:
    """Lines that were read, so many at a time."""
    held: Lines = []
    size = 0
    for line, document in _numbered(documents):
        held.append(read(line, document, detector=detector, form=form))
        size += len(document) if isinstance(document, bytes) else 0
        if len(held) >= most or size >= BATCH_BYTES:
            yield Batch(held, more=True)
            held, size = [], 0
    if held:
        yield Batch(held, more=False)


def _ahead(batches: Iterator[Batch], detector: str) -> Iterator[Batch]:
    """Each batch; the one after it is made by another thread in the meantime. A single one needs no thread."""
    held = next(batches, NOTHING)
    if not held.more:
        yield held
        return
    ahead = Ahead(detector)

    def following() -> Batch:
        found = next(batches, NOTHING)
        found.ready = ahead.rows([item for item in found.lines if isinstance(item, Read)])
        return found

    with ThreadPoolExecutor(1, thread_name_prefix="reading") as reader:
        while held.lines:
            coming = reader.submit(following)
            yield held
            ahead.stored(held.ready)
            held = coming.result()


def _store_batch(
    lines: Sequence[Read | Unacceptable],
    actor: str,
    detector: str,
    namespace: str,
    origin: Origin,
    ready: Ready | None = None,
) -> Counts:
    counts = Counts(received=len(lines))
    acceptable = []
    for item in lines:
        if isinstance(item, Read):
            acceptable.append(item)
        else:
            counts.reject(item.line, item.problems)
    registry.hold(detector)  # others that send for this detector wait: what is known cannot change under us
    if acceptable:
        owner = registry.taken_from(detector, actor=actor)
        _keep(owner, _classify(owner, acceptable, counts), actor, namespace, origin, ready)
    tally.add(detector, counts)
    counts.errors.sort(key=lambda rejection: rejection.line)
    return counts


def _keep(
    owner: Detector, fresh: Sequence[Read], actor: str, namespace: str, origin: Origin, ready: Ready | None
) -> None:
    """Write what is new, and let the detector's keeper know that it was heard, and of which accounts."""
    now = timezone.now()
    if fresh:
        ids = writing.write(owner, fresh, actor=actor, namespace=namespace, origin=origin, now=now, ready=ready)
        named = ((pk, (one.id for one in item.finding.accounts)) for pk, item in zip(ids, fresh, strict=True))
        detector_health.came_back(owner, named, namespace=namespace, now=now)
    detector_health.heard(owner, now=now)


def _classify(owner: Detector, lines: Sequence[Read], counts: Counts) -> list[Read]:
    """Those that are new, in order; the rest is counted as duplicate or rejected as conflict."""
    known: dict[str, dict[int, str]] = {}
    for uid, version, content in queries.contents(owner, {item.finding.uid for item in lines}):
        known.setdefault(uid, {})[version] = content
    fresh = []
    for item in lines:
        versions = known.setdefault(item.finding.uid, {})
        before = versions.get(item.finding.version)
        if before == item.content_sha256:
            counts.duplicate += 1
        elif before is not None:
            counts.reject(item.line, [Problem(item.uid_at, CONFLICT)])
        else:
            if versions:
                counts.superseded += 1
            else:
                counts.created += 1
            versions[item.finding.version] = item.content_sha256
            fresh.append(item)
    return fresh
