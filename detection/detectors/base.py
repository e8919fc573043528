"""What every detector states about itself, and the helpers that keep drafts deterministic."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, ClassVar

import rfc8785

from detection.records import (
    AccountSeen,
    AttributeSeen,
    Figures,
    FindingDraft,
    Hub,
    Number,
    Outcome,
    Status,
    Window,
    rfc3339,
)
from detection.telemetry.dataset import Dataset

MOST_ACCOUNTS = 10_000  # a finding carries no more (contracts, "Finding")


class Detector(ABC):
    """One idea, pure: rows in, drafts out, the same for the same rows in any order.

    `requires` names exchange or account columns without which the answer is "could not tell"; of `requires_any` one
    column is enough. `uses` are read when present. `minimum_support` counts what `support_unit` names.
    """

    name: ClassVar[str]
    signal: ClassVar[str]
    version: ClassVar[str]
    title: ClassVar[str]
    idea: ClassVar[str]
    requires: ClassVar[tuple[str, ...]] = ()
    requires_any: ClassVar[tuple[str, ...]] = ()
    uses: ClassVar[tuple[str, ...]] = ()
    parameters: ClassVar[Mapping[str, Number]] = {}
    minimum_support: ClassVar[int] = 1
    support_unit: ClassVar[str] = "accounts"
    innocent_explanations: ClassVar[tuple[str, ...]] = ()
    source: ClassVar[str] = ""
    techniques: ClassVar[tuple[str, ...]] = ()

    @property
    def config_sha256(self) -> str:
        """Hash the parameters in canonical JSON (RFC 8785): two runs with one hash and version are comparable."""
        return sha256(rfc8785.dumps(dict(self.parameters))).hexdigest()

    @abstractmethod
    def detect(self, dataset: Dataset, window: Window, background: Dataset | None = None) -> Outcome:
        """Look at the window. Rarity is measured against `background` when given, else against the window itself."""

    def missing(self, dataset: Dataset) -> str | None:
        """Say which needed column is absent, in words for a page; None when all are there."""
        here = dataset.columns | dataset.account_columns
        absent = [column for column in self.requires if column not in here]
        if absent:
            return f"The telemetry has no {' and no '.join(absent)}, which this detector needs."
        if self.requires_any and not any(column in here for column in self.requires_any):
            return f"The telemetry has none of the columns this detector can work with: {', '.join(self.requires_any)}."
        return None

    def could_not_tell(self, reason: str, counts: Mapping[str, int] | None = None) -> Outcome:
        return Outcome(self.name, self.version, self.config_sha256, Status.COULD_NOT_TELL, reason, counts or {})

    def outcome(
        self, findings: Sequence[FindingDraft], counts: Mapping[str, int], hubs: Iterable[Hub], nothing: str
    ) -> Outcome:
        """Wrap up: found when there is any finding, nothing found (with the reason given) otherwise."""
        status = Status.FOUND if findings else Status.NOTHING_FOUND
        named = {account.account_id for finding in findings for account in finding.accounts}
        verb = "names" if len(findings) == 1 else "name"
        said = f"{plural(len(findings), 'findings')} {verb} {plural(len(named), 'accounts')}."
        reason = said if findings else nothing
        ordered = tuple(sorted(hubs, key=lambda hub: (-hub.accounts, hub.type, hub.value)))
        counts = {**counts, "hubs_set_aside": len(ordered)}
        return Outcome(self.name, self.version, self.config_sha256, status, reason, counts, ordered, tuple(findings))

    def uid(self, window: Window, *parts: str) -> str:
        """Derive a finding's uid from what it is about, never from when it was made."""
        text = "\x1f".join(
            [self.name, self.version, self.config_sha256, rfc3339(window.start), rfc3339(window.end), *parts]
        )
        return f"{self.name}-{sha256(text.encode()).hexdigest()[:24]}"

    def drafts(
        self,
        window: Window,
        key: tuple[str, ...],
        accounts: Sequence[AccountSeen],
        *,
        title: str,
        summary: str,
        score: float,
        confidence: str,
        support: Figures,
    ) -> Iterator[FindingDraft]:
        """Make the finding, in parts of 10,000 accounts when there are more."""
        ordered = sorted(accounts, key=lambda account: account.account_id)
        for start in range(0, len(ordered), MOST_ACCOUNTS):
            part = (str(start // MOST_ACCOUNTS),) if start else ()
            yield FindingDraft(
                uid=self.uid(window, *key, *part),
                detector=self.name,
                detector_version=self.version,
                config_sha256=self.config_sha256,
                signal=self.signal,
                title=title,
                summary=summary,
                score=round(min(max(score, 0.0), 1.0), 4),
                confidence=confidence,
                window=window,
                accounts=tuple(ordered[start : start + MOST_ACCOUNTS]),
                support=support,
                reproduction={
                    "detector": self.name,
                    "version": self.version,
                    "config_sha256": self.config_sha256,
                    "key": " ".join(key),
                },
                innocent_explanations=self.innocent_explanations,
                techniques=self.techniques,
            )


def rarity(holders: int, population: int) -> float:
    """Give the weight of a value that `holders` of `population` accounts show: 1 for a single holder, 0 for all.

    The logarithm of the inverse share, as in inverse document frequency, scaled to 0–1.
    """
    if population <= 1:
        return 0.0
    return max(0.0, min(1.0, math.log(population / max(holders, 1)) / math.log(population)))


def overlap(spans: Sequence[tuple[datetime, datetime]]) -> float:
    """Give the share of holders active at one moment, at the moment when most are: 1 when all overlap."""
    if not spans:
        return 0.0
    moves = sorted([(start, 0) for start, _ in spans] + [(end, 1) for _, end in spans])
    here = most = 0
    for _, leaving in moves:
        here += -1 if leaving else 1
        most = max(most, here)
    return most / len(spans)


def confidence_word(score: float, accounts: int) -> str:
    """Give the confidence of a single finding: it rests on the number of accounts as much as on the score."""
    if score >= 0.7 and accounts >= 5:
        return "high"
    return "moderate" if score >= 0.4 else "low"


def plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number != 1 else f"1 {noun.removesuffix('s')}"


def volumes(dataset: Dataset, window: Window) -> Mapping[str, AccountSeen]:
    """Give every account active in the window with its volume; attributes are left empty. Asked once a dataset."""
    seen: Mapping[str, AccountSeen] = dataset.once(("volumes", window), lambda: _volumes(dataset, window))
    return seen


def _volumes(dataset: Dataset, window: Window) -> dict[str, AccountSeen]:
    rows = dataset.within(window)
    table = dataset.arrow(
        rows.group_by("account_id").aggregate(
            exchanges=rows.count(),
            input_tokens=rows.input_tokens.sum().fill_null(0),
            output_tokens=rows.output_tokens.sum().fill_null(0),
            first_seen=rows.ts.min(),
            last_seen=rows.ts.max(),
        )
    )
    return {row["account_id"]: AccountSeen(**row) for row in table.to_pylist()}


def with_attributes(account: AccountSeen, attributes: Iterable[AttributeSeen]) -> AccountSeen:
    return AccountSeen(
        account.account_id,
        account.exchanges,
        account.input_tokens,
        account.output_tokens,
        account.first_seen,
        account.last_seen,
        tuple(sorted(attributes, key=lambda a: (a.type, a.value))),
    )


def behaving(accounts: Mapping[str, AccountSeen], seen: Mapping[str, AttributeSeen]) -> list[AccountSeen]:
    """Give the accounts with the one behaviour each has shown."""
    return [with_attributes(accounts[account_id], [seen[account_id]]) for account_id in sorted(seen)]


def as_rows(table: Any) -> list[dict[str, Any]]:
    """Give an Arrow table as dictionaries, one a row."""
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows
