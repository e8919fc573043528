"""Tests whether accounts tied by identity or infrastructure also behave alike more often than chance allows.

A shared template alone says nothing (a popular product has one), a shared network alone says nothing either (so has a
city). What unrelated customers do not show is both at once: of the accounts that fill a template, far more than
expected stand in one payment ring, one registration burst, one proxy network. Each such coincidence is a `Cell` and
keeps its figures, so that a page can print "of 23 accounts registered on 4 May, 19 fill this template; 1.3 would be
expected".
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from detection.records import AccountFacts, Edge

RINGS = ("payment_fingerprint", "api_key", "email_domain", "programme", "org", "ip", "subnet")
NETWORK_TIES = frozenset({"network_kind", "asn", "roaming"})
BURST_DAYS = (1, 3, 7, 21)
FEWEST = 3


@dataclass(frozen=True)
class Behaviour:
    """A template, or a family of templates, with the accounts that fill it and how often."""

    key: str
    templates: tuple[str, ...]
    holders: Mapping[str, int]


@dataclass(frozen=True)
class Tie:
    """Accounts that share an identity or infrastructure trait. `stratum` are the accounts chance is reckoned among."""

    kind: str
    value: str
    words: str
    members: frozenset[str]
    stratum: frozenset[str] | None = None


@dataclass(frozen=True)
class Cell:
    """A coincidence: `members` both behave so and share the tie; `expected` of `among` would by chance."""

    behaviour: str
    tie: Tie
    members: frozenset[str]
    among: int
    expected: float
    log10_p: float

    @property
    def lift(self) -> float:
        return len(self.members) / max(self.expected, 1e-9)


@dataclass(frozen=True)
class Limits:
    """What a coincidence has to reach. `log10_p` is after Bonferroni's correction for the number of tests."""

    log10_p: float = -3.0
    lowest_lift: float = 5.0
    most_networks: int = 4


def behaviours(edges: Iterable[Edge]) -> list[Behaviour]:
    """Give each template with its holders, in a fixed order."""
    holders: dict[str, dict[str, int]] = defaultdict(dict)
    for edge in edges:
        if edge.type == "template":
            holders[edge.value][edge.account_id] = edge.count
    return [Behaviour(key, (key,), holders[key]) for key in sorted(holders)]


def ties(edges: Iterable[Edge], facts: Mapping[str, AccountFacts], limits: Limits) -> list[Tie]:
    """Collect what accounts share apart from behaviour: values, home networks, registration spans, roaming."""
    groups: dict[tuple[str, str], set[str]] = defaultdict(set)
    for edge in edges:
        if edge.type in RINGS and edge.account_id in facts:
            groups[edge.type, edge.value].add(edge.account_id)
    found = [
        Tie(kind, value, f"share one {kind.replace('_', ' ')}", frozenset(members))
        for (kind, value), members in sorted(groups.items())
        if len(members) >= 2
    ]
    found += _home_networks(facts)
    found += _roaming(facts, limits)
    return found


def _home_networks(facts: Mapping[str, AccountFacts]) -> Iterator[Tie]:
    """Accounts that mostly come from one AS number, against all that come from a network of the same kind."""
    at: dict[int, set[str]] = defaultdict(set)
    kinds: dict[str | None, set[str]] = defaultdict(set)
    kind_of: dict[int, str | None] = {}
    for fact in facts.values():
        if fact.home_asn is not None:
            at[fact.home_asn].add(fact.account_id)
            kinds[fact.home_kind].add(fact.account_id)
            kind_of[fact.home_asn] = fact.home_kind
    for kind in sorted(kinds, key=str):
        if kind == "vpn":
            words = "come from commercial proxy networks"
            yield Tie("network_kind", "vpn", words, frozenset(kinds[kind]))
    for asn in sorted(at):
        if len(at[asn]) >= FEWEST:
            words = f"come from one network of kind {kind_of[asn] or 'unknown'}"
            yield Tie("asn", str(asn), words, frozenset(at[asn]), frozenset(kinds[kind_of[asn]]))


def _roaming(facts: Mapping[str, AccountFacts], limits: Limits) -> Iterator[Tie]:
    """Accounts that come from unusually many networks, as through a rotating residential proxy."""
    members = frozenset(a for a, fact in facts.items() if fact.networks > limits.most_networks)
    if len(members) >= FEWEST:
        words = f"come from more than {limits.most_networks} networks each"
        yield Tie("roaming", str(limits.most_networks), words, members)


def cells(
    known: Sequence[Behaviour], tied: Sequence[Tie], facts: Mapping[str, AccountFacts], limits: Limits
) -> list[Cell]:
    """Test every behaviour against every tie it meets, and against registration spans; gives what holds up, ordered."""
    everyone = frozenset(facts)
    of_account: dict[str, list[int]] = defaultdict(list)
    for place, tie in enumerate(tied):
        for account in tie.members:
            of_account[account].append(place)
    calendar = sorted((fact.created_at, a) for a, fact in facts.items() if fact.created_at is not None)
    tests = max(1, len(known) * (len(tied) + len(BURST_DAYS) * 30))
    found: list[Cell] = []
    for behaviour in known:
        holders = frozenset(behaviour.holders)
        met: dict[int, int] = defaultdict(int)
        for account in holders:
            for place in of_account[account]:
                met[place] += 1
        for place in sorted(met):
            tie = tied[place]
            if tie.kind in ("payment_fingerprint", "api_key") or met[place] < FEWEST:
                continue
            found += _test(behaviour.key, tie, holders, tie.stratum or everyone, tests, limits)
        found += _payment_rings(behaviour.key, holders, tied, met, len(everyone), tests, limits)
        for tie in _bursts(holders, calendar):
            found += _test(behaviour.key, tie, holders, everyone, tests, limits)
    return sorted(found, key=lambda cell: (cell.log10_p, cell.behaviour, cell.tie.kind, cell.tie.value))


def _test(
    behaviour: str,
    tie: Tie,
    holders: frozenset[str],
    stratum: frozenset[str],
    tests: int,
    limits: Limits,
) -> Iterator[Cell]:
    """Ask whether the tie's members fill the template more often than the rest of the stratum."""
    both = holders & tie.members
    rest = max(1, len(stratum) - len(tie.members))
    rate = max(len((holders & stratum) - tie.members), 1) / rest
    expected = len(tie.members) * min(1.0, rate)
    log10_p = tail(len(both), len(tie.members), min(1.0, rate)) + math.log10(tests)
    if len(both) >= FEWEST and log10_p <= limits.log10_p and len(both) >= limits.lowest_lift * expected:
        yield Cell(behaviour, tie, both, len(tie.members), expected, log10_p)


def _payment_rings(
    behaviour: str,
    holders: frozenset[str],
    tied: Sequence[Tie],
    met: Mapping[int, int],
    population: int,
    tests: int,
    limits: Limits,
) -> Iterator[Cell]:
    """Pool the payment rings: are partners of holders holders too? One ring of three is too small to test alone."""
    rate = len(holders) / max(1, population)
    rings = [tied[p] for p in sorted(met) if tied[p].kind in ("payment_fingerprint", "api_key")]
    partners = sum(len(ring.members) - 1 for ring in rings)
    agreeing = sum(len(ring.members & holders) - 1 for ring in rings)
    if not partners:
        return
    log10_p = tail(agreeing, partners, rate) + math.log10(tests)
    expected = partners * rate
    if agreeing < 2 or log10_p > limits.log10_p or agreeing < limits.lowest_lift * expected:
        return
    for ring in rings:
        both = ring.members & holders
        if len(both) >= 2:
            share = len(ring.members) * rate
            yield Cell(behaviour, ring, both, len(ring.members), share, log10_p)


def _bursts(holders: frozenset[str], calendar: Sequence[tuple[datetime, str]]) -> Iterator[Tie]:
    """Give for each span length the registration span that holds most of the holders."""
    times = [at for at, _ in calendar]
    own = [(at, account) for at, account in calendar if account in holders]
    for days in BURST_DAYS:
        best: tuple[int, int, int] | None = None
        end = 0
        for start in range(len(own)):
            while end < len(own) and own[end][0] - own[start][0] <= timedelta(days=days):
                end += 1
            if best is None or end - start > best[0]:
                best = (end - start, start, end)
        if best is None or best[0] < FEWEST:
            continue
        first, last = own[best[1]][0], own[best[2] - 1][0]
        inside = calendar[bisect_left(times, first) : bisect_right(times, last)]
        words = f"were registered between {first:%d %B %Y} and {last:%d %B %Y}"
        if first.date() == last.date():
            words = f"were registered on {first:%d %B %Y}"
        yield Tie("registration", f"{first:%Y-%m-%d}/{last:%Y-%m-%d}", words, frozenset(a for _, a in inside))


def tail(hits: int, draws: int, rate: float) -> float:
    """Bound the binomial tail P(X ≥ hits) from above, as log10: Chernoff's bound, exact enough and never too small."""
    if draws <= 0 or hits <= draws * rate:
        return 0.0
    share = min(1.0, hits / draws)
    rate = min(max(rate, 1e-12), 1 - 1e-12)
    divergence = share * math.log(share / rate)
    if share < 1:
        divergence += (1 - share) * math.log((1 - share) / (1 - rate))
    return -draws * divergence / math.log(10)
