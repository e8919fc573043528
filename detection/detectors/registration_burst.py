"""Finds accounts registered within a short span that share a trait hardly anybody else registered with."""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from detection.detectors.base import Detector, as_rows, behaving, confidence_word, plural, volumes
from detection.detectors.shared_attribute import PUBLIC_MAIL
from detection.records import AccountSeen, AttributeSeen, FindingDraft, Number, Outcome, Window, rfc3339
from detection.surprise import tail
from detection.telemetry.dataset import Dataset

SPANS_HOURS = (1, 6, 24, 72, 168)
TRAITS: Mapping[str, str] = {
    "programme": "the programme",
    "email_domain": "the e-mail domain",
    "pattern": "e-mail domains of one pattern",
    "phone_carrier": "the phone carrier",
    "country": "the country",
}
TYPES = {**{trait: trait for trait in TRAITS}, "pattern": "email_pattern"}
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True)
class Burst:
    """Accounts with one trait whose registrations fall into one span; `expected` of `among` would by chance."""

    trait: str
    value: str
    hours: int
    times: Mapping[str, datetime]
    among: int
    expected: float
    log10_p: float

    @property
    def first(self) -> datetime:
        return min(self.times.values())

    @property
    def last(self) -> datetime:
        return max(self.times.values())


class RegistrationBurst(Detector):
    """A scan over spans of an hour to a week: of all accounts registered in a span, how many share a trait.

    The rate at which everybody else shows the trait says how many would by chance; a day on which everybody registers
    raises both. Bonferroni's correction counts every trait value and span length. Accounts that belong openly to one
    organisation are set aside: a company that signs up its staff hides nothing.
    """

    name = "registration-burst"
    signal = "registration_burst"
    version = "1.0.0"
    title = "Accounts registered in one burst with one trait in common"
    idea = (
        "A pool is made in batches: many registrations in a short time, alike in domain, programme, carrier or country."
    )
    requires = ("created_at",)
    uses = ("email_domain", "programme", "phone_carrier", "country", "org_id")
    parameters: ClassVar[Mapping[str, Number]] = {
        "fewest_accounts": 5,
        "lowest_lift": 5.0,
        "highest_log10_p": -4.0,
        "one_organisation": 0.8,
        "part_share": 0.8,
        "full_accounts": 30,
        "full_log10_p": 15.0,
    }
    minimum_support = 50
    support_unit = "active accounts with a registration time"
    innocent_explanations = (
        "a course, hackathon or conference whose participants sign up together",
        "a company or school that signs up its people",
        "a promotion, or the start of the service in a country",
    )
    source = "Scan statistic over registration times; binomial tail by Chernoff's bound, Bonferroni-corrected"
    techniques = ("AML.T0024.002",)

    def detect(self, dataset: Dataset, window: Window, background: Dataset | None = None) -> Outcome:
        if reason := self.missing(dataset):
            return self.could_not_tell(reason)
        accounts = volumes(dataset, window)
        rows = self._registrations(dataset, accounts)
        counts = {"accounts": len(accounts), "registrations": len(rows)}
        if len(rows) < self.minimum_support:
            return self.could_not_tell(
                f"Only {len(rows):,} active accounts have a registration time; {self.minimum_support} are needed.",
                counts,
            )
        bursts = list(self._bursts(rows))
        organisations = {row["account_id"]: row["org_id"] for row in rows}
        hidden = [burst for burst in bursts if not self._of_one_organisation(burst, organisations)]
        kept = self._without_parts(hidden)
        findings = [draft for burst in kept for draft in self._finding(window, burst, accounts)]
        counts |= {"bursts": len(bursts), "of_one_organisation": len(bursts) - len(hidden)}
        return self.outcome(findings, counts, (), "No span holds more registrations with one trait than chance allows.")

    def _registrations(self, dataset: Dataset, accounts: Mapping[str, AccountSeen]) -> list[dict[str, Any]]:
        table = dataset.accounts.filter(dataset.accounts.created_at.notnull())
        table = table.select("account_id", "created_at", "org_id", *(trait for trait in TRAITS if trait != "pattern"))
        rows = [row for row in as_rows(dataset.arrow(table)) if row["account_id"] in accounts]
        for row in rows:
            domain = (row["email_domain"] or "").lower()
            row["email_domain"] = domain if domain and domain not in PUBLIC_MAIL else None
            pattern = _DIGITS.sub("9", domain)
            row["pattern"] = pattern if pattern != domain else None
        return sorted(rows, key=lambda row: (row["created_at"], row["account_id"]))

    def _bursts(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[Burst]:
        """Give the densest span of each trait value and span length that chance does not explain."""
        everybody = [row["created_at"] for row in rows]
        groups: dict[tuple[str, str], list[tuple[datetime, str]]] = defaultdict(list)
        for row in rows:
            for trait in TRAITS:
                if row[trait]:
                    groups[trait, row[trait]].append((row["created_at"], row["account_id"]))
        large = {key: own for key, own in groups.items() if len(own) >= self.parameters["fewest_accounts"]}
        tests = max(1, len(large) * len(SPANS_HOURS) * 30)
        for key in sorted(large):
            for hours in SPANS_HOURS:
                yield from self._burst(key, hours, large[key], everybody, tests)

    def _burst(
        self,
        key: tuple[str, str],
        hours: int,
        own: Sequence[tuple[datetime, str]],
        everybody: Sequence[datetime],
        tests: int,
    ) -> Iterator[Burst]:
        start, end = densest([at for at, _ in own], timedelta(hours=hours))
        inside = own[start:end]
        among = bisect_right(everybody, inside[-1][0]) - bisect_left(everybody, inside[0][0])
        rate = min(1.0, max(1, len(own) - len(inside)) / max(1, len(everybody) - among))
        log10_p = tail(len(inside), among, rate) + math.log10(tests)
        enough = len(inside) >= self.parameters["fewest_accounts"]
        lifted = len(inside) >= self.parameters["lowest_lift"] * among * rate
        if enough and lifted and log10_p <= self.parameters["highest_log10_p"]:
            yield Burst(*key, hours, {account: at for at, account in inside}, among, among * rate, log10_p)

    def _of_one_organisation(self, burst: Burst, organisations: Mapping[str, str | None]) -> bool:
        known = Counter(organisations[account] for account in burst.times if organisations[account])
        return bool(known) and max(known.values()) >= self.parameters["one_organisation"] * len(burst.times)

    def _without_parts(self, bursts: Sequence[Burst]) -> list[Burst]:
        """Drop a burst most of whose accounts stand in a stronger one: other traits and spans of the same batch."""
        kept: list[Burst] = []
        for burst in sorted(bursts, key=lambda b: (b.log10_p, b.trait, b.value, b.hours)):
            own = burst.times.keys()
            if all(len(own & other.times.keys()) < self.parameters["part_share"] * len(own) for other in kept):
                kept.append(burst)
        return kept

    def _finding(self, window: Window, burst: Burst, accounts: Mapping[str, AccountSeen]) -> Iterator[FindingDraft]:
        number = len(burst.times)
        breadth = min(1.0, number / self.parameters["full_accounts"])
        surprise = min(1.0, -burst.log10_p / self.parameters["full_log10_p"])
        score = 0.2 + 0.6 * (breadth * surprise) ** 0.5
        kind = TYPES[burst.trait]
        seen = {account: AttributeSeen(kind, burst.value, 1, at, at) for account, at in burst.times.items()}
        yield from self.drafts(
            window,
            ("burst", burst.trait, burst.value, str(burst.hours), rfc3339(burst.first)),
            behaving(accounts, seen),
            title=f"{plural(number, 'accounts')} registered within {_span(burst.hours)}, alike in one trait",
            summary=(
                f"Of {burst.among:,} accounts registered from {burst.first:%d %B %Y %H:%M} UTC "
                f"to {burst.last:%d %B %Y %H:%M} UTC, "
                f"{number:,} share {TRAITS[burst.trait]}; {_about(burst.expected)} would be expected by chance."
            ),
            score=score,
            confidence=confidence_word(score, number),
            support={
                "accounts": number,
                "among": burst.among,
                "expected": round(burst.expected, 3),
                "log10_p": round(burst.log10_p, 2),
                "span_hours": burst.hours,
                "trait": burst.trait,
                "population": len(accounts),
            },
        )


def densest(times: Sequence[datetime], span: timedelta) -> tuple[int, int]:
    """Give the places, end not included, of the span that holds most of the sorted times; the first of equals."""
    best, end = (0, 0), 0
    for start in range(len(times)):
        while end < len(times) and times[end] - times[start] <= span:
            end += 1
        if end - start > best[1] - best[0]:
            best = start, end
    return best


def _span(hours: int) -> str:
    return plural(hours, "hours") if hours < 48 else plural(hours // 24, "days")


def _about(expected: float) -> str:
    return f"{expected:.1f}" if expected >= 0.05 else "fewer than 0.1"
