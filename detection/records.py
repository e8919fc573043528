"""The frozen records that pass between the steps of detection: telemetry, findings, clusters, assessments.

Nothing here touches a database or a framework; times are aware UTC, token counts and exchanges are whole numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

Number = int | float
Figures = Mapping[str, Number | str | bool | None]


class Status(StrEnum):
    """The three answers a detector can give."""

    FOUND = "found"
    NOTHING_FOUND = "nothing_found"
    COULD_NOT_TELL = "could_not_tell"


class Unit(StrEnum):
    """What a measure on a benign reference counts: active accounts, or groups of them drawn at random."""

    ACCOUNTS = "accounts"
    GROUPS = "groups"


class Label(StrEnum):
    """What a cluster is consistent with; only the first is a suspicion of extraction."""

    COORDINATED_EXTRACTION = "coordinated_extraction"
    RESELLER_POOL = "reseller_pool"
    BENIGN_AUTOMATION = "benign_automation"
    SHARED_EGRESS = "shared_egress"
    CANNOT_TELL = "cannot_tell"


# What is suspected or open; the other labels are ordinary explanations.
SUSPICIONS = frozenset({Label.COORDINATED_EXTRACTION, Label.CANNOT_TELL})


@dataclass(frozen=True)
class Window:
    """Half-open span of time, `start` included and `end` not."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("window times must carry a time zone")
        if self.end <= self.start:
            raise ValueError(f"window ends at {self.end.isoformat()}, not after its start {self.start.isoformat()}")

    @property
    def days(self) -> float:
        return (self.end - self.start).total_seconds() / 86400


@dataclass(frozen=True)
class BadLine:
    """A line of input that was not kept: where and why, never what it said."""

    line: int
    reason: str


@dataclass(frozen=True)
class Ingested:
    """What one telemetry file came to. `rows` + `repeated` + `bad` = lines that were not blank."""

    rows: int
    bad: int
    repeated: int
    first_ts: datetime | None
    last_ts: datetime | None
    columns_present: tuple[str, ...]
    columns_absent: tuple[str, ...]
    unknown_columns: Mapping[str, int]
    rows_per_day: Mapping[str, int]
    models: tuple[str, ...]
    parts: tuple[str, ...]
    truncated: str | None = None


@dataclass(frozen=True)
class AttributeSeen:
    """A typed value an account has shown, with how often and when."""

    type: str
    value: str
    count: int
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True)
class AccountSeen:
    """One account inside a finding: its volume in the window and the attributes the finding rests on."""

    account_id: str
    exchanges: int
    input_tokens: int
    output_tokens: int
    first_seen: datetime
    last_seen: datetime
    attributes: tuple[AttributeSeen, ...] = ()


@dataclass(frozen=True)
class FindingDraft:
    """A detector's statement, ready to be stored; the same input always makes the same `uid` and content."""

    uid: str
    detector: str
    detector_version: str
    config_sha256: str
    signal: str
    title: str
    summary: str
    score: float
    confidence: str
    window: Window
    accounts: tuple[AccountSeen, ...]
    support: Figures
    reproduction: Figures
    innocent_explanations: tuple[str, ...]
    techniques: tuple[str, ...] = ()
    version: int = 1


@dataclass(frozen=True)
class Hub:
    """An attribute value that ties too many or too ordinary accounts to mean anything, and why it was set aside."""

    type: str
    value: str
    accounts: int
    reason: str


@dataclass(frozen=True)
class Outcome:
    """A detector's whole answer. `findings` is empty unless `status` is found; it may be iterated once or more."""

    detector: str
    version: str
    config_sha256: str
    status: Status
    reason: str
    counts: Mapping[str, int]
    hubs: tuple[Hub, ...] = ()
    findings: Iterable[FindingDraft] = ()


@dataclass(frozen=True)
class Edge:
    """One account has shown one attribute value; the input of clustering. `findings` are uids that say so."""

    account_id: str
    type: str
    value: str
    count: int
    first_seen: datetime
    last_seen: datetime
    signal: str
    weight: float
    label: str = ""
    findings: tuple[str, ...] = ()


@dataclass(frozen=True)
class AccountFacts:
    """What is known of an account apart from its links: registration facts, volume and shape of its use in the window.

    `networks` counts distinct AS numbers, `prompts` and `fillings` exchanges with a
    prompt and distinct masked prompts; `home` is the AS number most used and its kind, `new_model_share` the share on
    models released in the window. `crowding` is the share of exchanges that stand in the same ten minutes as an earlier
    one beyond what an even use of the same hours would show: near 0 for software, busy or not, 0.2 and more for people
    who sit down and ask.
    """

    account_id: str
    exchanges: int
    input_tokens: int
    output_tokens: int
    first_seen: datetime
    last_seen: datetime
    org_id: str | None = None
    payment_fingerprint: str | None = None
    email_domain: str | None = None
    country: str | None = None
    plan: str | None = None
    programme: str | None = None
    created_at: datetime | None = None
    networks: int = 0
    clients: tuple[str, ...] = ()
    home_asn: int | None = None
    home_kind: str | None = None
    prompts: int = 0
    fillings: int = 0
    end_users: int = 0
    new_model_share: float = 0.0
    crowding: float = 0.0


@dataclass(frozen=True)
class Link:
    """Why an account stands in a cluster: the attribute it shares, how rare that is, in words and as strength 0–1."""

    account_id: str
    type: str
    value: str
    count: int
    first_seen: datetime
    last_seen: datetime
    holders: int
    population: int
    strength: float
    signal: str
    reason: str


@dataclass(frozen=True)
class Member:
    """An account in a cluster, how firmly it is tied to the rest (0–1), why, and its volume in the window."""

    account_id: str
    strength: float
    reasons: tuple[str, ...]
    exchanges: int
    input_tokens: int
    output_tokens: int
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True)
class Reason:
    """One ranked argument: a plain sentence, the figure it rests on, and a weight that ranks it among the others."""

    text: str
    weight: float
    feature: str
    value: float


@dataclass(frozen=True)
class LookAlike:
    """An innocent explanation that was considered, whether it fits (None: could not be checked), on what ground."""

    name: str
    fits: bool | None
    text: str


@dataclass(frozen=True)
class Assessment:
    """What a cluster is consistent with. `score` is 0–1 for the label given; reasons are ranked, weightiest first."""

    label: Label
    score: float
    reasons_for: tuple[Reason, ...]
    reasons_against: tuple[Reason, ...]
    look_alikes: tuple[LookAlike, ...]
    would_settle: tuple[str, ...]
    features: Figures
    worth_a_look: bool
    version: str


@dataclass(frozen=True)
class Cluster:
    """Accounts joined by links. `key` is a hash of the members, the same in any run that finds the same accounts."""

    key: str
    title: str
    members: tuple[Member, ...]
    links: tuple[Link, ...]
    signals: tuple[str, ...]
    findings: tuple[str, ...]
    exchanges: int
    input_tokens: int
    output_tokens: int
    first_seen: datetime
    last_seen: datetime
    assessment: Assessment


@dataclass(frozen=True)
class Clustering:
    """One clustering run: clusters in a fixed order, what was set aside, and all that is needed to repeat it."""

    algorithm: str
    version: str
    parameters: Figures
    input_sha256: str
    accounts: int
    edges: int
    clusters: tuple[Cluster, ...]
    hubs: tuple[Hub, ...] = field(default=())


def finding_document(draft: FindingDraft) -> dict[str, Any]:
    """Give the draft as a native finding document, version 1 (docs: contracts, "Finding")."""
    return {
        "uid": draft.uid,
        "version": draft.version,
        "detector": {
            "name": draft.detector,
            "version": draft.detector_version,
            "config_sha256": draft.config_sha256,
        },
        "signal": draft.signal,
        "title": draft.title,
        "summary": draft.summary,
        "score": draft.score,
        "confidence": draft.confidence,
        "window": {"start": rfc3339(draft.window.start), "end": rfc3339(draft.window.end)},
        "accounts": [_account_document(account) for account in draft.accounts],
        "support": dict(draft.support),
        "reproduction": dict(draft.reproduction),
        "techniques": list(draft.techniques),
        "innocent_explanations": list(draft.innocent_explanations),
    }


def rfc3339(moment: datetime) -> str:
    """Write an aware UTC time the way every document of ours carries it: microseconds and a Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _account_document(account: AccountSeen) -> dict[str, Any]:
    return {
        "id": account.account_id,
        "exchanges": account.exchanges,
        "input_tokens": account.input_tokens,
        "output_tokens": account.output_tokens,
        "first_seen": rfc3339(account.first_seen),
        "last_seen": rfc3339(account.last_seen),
        "attributes": [
            {
                "type": attribute.type,
                "value": attribute.value,
                "count": attribute.count,
                "first_seen": rfc3339(attribute.first_seen),
                "last_seen": rfc3339(attribute.last_seen),
            }
            for attribute in account.attributes
        ],
    }
