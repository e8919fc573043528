"""New findings into the database, set by set: the log entry over them, accounts, attributes, and what joins them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from operator import itemgetter
from uuid import UUID

from django.utils import timezone

from detection import grouping, index
from detection.models import Detector, DetectorVersion, Finding, FindingAccount, FindingBatch, Sighting
from detection.reading import Read
from detection.registry import version_of
from detection.stated import Account, Stated
from spine import copying, log

NAMED = ("finding_id", "account_id"), ("exchanges", "input_tokens", "output_tokens")
SEEN = ("finding_id", "account_id", "attribute_id"), ("count", "first_seen", "last_seen")


@dataclass(frozen=True)
class Origin:
    """By which key or feed findings came; neither for those of a run or a command."""

    key: UUID | None = None
    feed: UUID | None = None


NOWHERE = Origin()


@dataclass
class Ready:
    """Findings whose rows were made before their turn came; `used` once they were written."""

    findings: list[Read]
    made: log.Made
    used: bool = False


class Ahead:
    """Makes the rows of a batch in the reading thread while the one before is stored.

    It needs the ids of the detector and of the versions that speak, which the storing thread looks up.
    """

    def __init__(self, detector: str) -> None:
        self.name = detector
        self.useful = True
        self.learn()

    def learn(self) -> None:
        """Look up what is known of the detector now; two queries."""
        known = DetectorVersion.objects.filter(detector__name=self.name).values_list("version", "config_sha256", "id")
        self.versions = {(version, config): pk for version, config, pk in known}
        self.detector = Detector.objects.filter(name=self.name).values_list("id", flat=True).first()
        self.lacking = False

    def rows(self, findings: list[Read]) -> Ready | None:
        """Their rows; None where a version is not known yet, or where such rows were of no use a moment ago."""
        detector, versions = self.detector, self.versions
        if detector is None or not all(one.finding.speaker in versions for one in findings):
            self.lacking = True
            return None
        if not self.useful:
            return None
        return Ready(findings, log.make(Finding, _values(detector, versions, findings, timezone.now())))

    def stored(self, ready: Ready | None) -> None:
        """A batch is stored; where part of it was known, its rows were made in vain, and so may be the next."""
        self.useful = ready is None or ready.used
        if self.lacking:
            self.learn()


def write(
    owner: Detector,
    fresh: Sequence[Read],
    *,
    actor: str,
    namespace: str,
    origin: Origin,
    now: datetime,
    ready: Ready | None = None,
) -> list[UUID]:
    """Store findings of which none is known, within the caller's transaction; a fixed number of queries. Gives ids.

    `ready` is used where it is of just these findings; their time of receipt is then that of their making.
    """
    versions = _versions(owner, fresh)
    data = {"detector": owner.name, "count": len(fresh), "versions": sorted({v for v, _ in versions})}
    if ready is not None and ready.findings == fresh:
        made, ready.used = ready.made, True
    else:
        made = log.make(Finding, _values(owner.pk, {by: one.pk for by, one in versions.items()}, fresh, now))
    ids = made.ids
    entry = log.record_made(actor=actor, action="findings.received", about=owner, data=data, model=Finding, made=made)
    batch = FindingBatch.objects.create(
        entry=entry, detector=owner, key_id=origin.key, feed_id=origin.feed, received_at=now, count=len(fresh)
    )
    stated = [(pk.bytes, account) for pk, item in zip(ids, fresh, strict=True) for account in item.finding.accounts]
    accounts = index.accounts(namespace, _seen(account for _, account in stated))
    attributes = index.attributes({seen.key for _, account in stated for seen in account.attributes})
    copying.copy_joins(
        FindingAccount,
        *NAMED,
        (((row, accounts[one.id]), (one.exchanges, one.input_tokens, one.output_tokens)) for row, one in stated),
    )
    copying.copy_joins(
        Sighting,
        *SEEN,
        (
            ((row, accounts[one.id], attributes[seen.key]), (seen.count, seen.first, seen.last))
            for row, one in stated
            for seen in one.attributes
        ),
    )
    grouping.due(owner, batch)
    return ids


def _versions(owner: Detector, fresh: Sequence[Read]) -> dict[tuple[str, str], DetectorVersion]:
    """Rows of the detector versions that speak in these findings, by version and digest of their parameters."""
    spoken = {item.finding.speaker for item in fresh}
    known = {(v.version, v.config_sha256): v for v in owner.versions.filter(version__in={v for v, _ in spoken})}
    for version, config in sorted(spoken - known.keys()):
        known[version, config] = version_of(owner.name, version, config)
    return {key: known[key] for key in spoken}


def _values(
    detector: UUID, versions: Mapping[tuple[str, str], UUID], fresh: Sequence[Read], now: datetime
) -> list[tuple[object, ...]]:
    """What the findings' rows hold, in the order of the model's columns."""
    in_order = _in_order()
    return [in_order(_row(item, item.finding, detector, versions, now)) for item in fresh]


COLUMNS = (
    *("detector_id", "detector_version_id", "uid", "version", "signal", "title", "summary", "score", "confidence"),
    *("window_start", "window_end", "observed_at", "received_at", "account_count"),
    *("payload", "payload_sha256", "content_sha256"),
)


def _row(
    item: Read, finding: Stated, detector: UUID, versions: Mapping[tuple[str, str], UUID], now: datetime
) -> tuple[object, ...]:
    """The values of COLUMNS."""
    return (
        *(detector, versions[finding.speaker], finding.uid, finding.version, finding.signal, finding.title),
        *(finding.summary, finding.score, finding.confidence),
        *(finding.start, finding.end, finding.observed_at, now, len(finding.accounts)),
        *(item.raw, item.payload_sha256, item.content_sha256),
    )


@cache
def _in_order() -> Callable[[tuple[object, ...]], tuple[object, ...]]:
    """Brings the values of COLUMNS into the order of the model's columns."""
    return itemgetter(*[COLUMNS.index(name) for name, _ in log.columns(Finding)])


def _seen(accounts: Iterable[Account]) -> dict[str, index.Seen]:
    """When each account was seen, by all that findings state of it."""
    found: dict[str, index.Seen] = {}
    for one in accounts:
        before = found.get(one.id)
        if before is None:
            found[one.id] = index.Seen(one.first, one.last)
        elif one.first < before.first or one.last > before.last:
            found[one.id] = index.Seen(min(one.first, before.first), max(one.last, before.last))
    return found
