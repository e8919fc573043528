"""The accounts of a run side by side: what each is, comes from and does, as arrays that tests can be made on.

Accounts stand in the order of their first exchange, not of their ids, and values are numbered in their own order, so
that neither the order of rows nor other account ids change any figure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np

from detection.records import AccountFacts, Edge
from detection.surprise import Codes, Floats

CROWDED = 0.2  # used in sessions, as people do: this much more crowded than an even use of the same hours
RINGS = ("payment_fingerprint", "api_key", "programme")
PAYERS = ("payment_fingerprint", "api_key")  # rings that one hand holds; a programme is anybody's
TRAITS = ("client", "network", "country", "domain")
CONSUMER, PROXY, CLOUD, OPEN, UNKNOWN_KIND = range(5)
KINDS = {
    "isp": CONSUMER,
    "mobile": CONSUMER,
    "vpn": PROXY,
    "hosting": CLOUD,
    "education": OPEN,
    "business": OPEN,
}
MOST_OF_A_RING = 0.05
WHOLLY_FRAMED = 0.9  # who fills templates with nearly every prompt is software in bursts, no person talking
LEAST_SHARE = 0.02  # of an account's prompts, from which a behaviour is its own
EDGE_DAYS = 2.0  # who is first or last seen this near the window's edge was there before or goes on after it
OPENLY_TIED = 3  # accounts of one organisation from which they are looked at as one customer, not as strangers
Places = np.ndarray[tuple[int], np.dtype[np.int64]]
Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]


@dataclass(frozen=True)
class Behaviour:
    """Something accounts do, mostly filling a prompt template: which accounts, in order, and how often each."""

    key: str
    holders: Places
    counts: Places
    label: str = ""


class Groups:
    """Which accounts share each of many values, laid flat: asking about some costs what those hold and no more.

    `places` and `groups` go together, group by group.
    """

    def __init__(self, holders: Sequence[Places], size: int) -> None:
        self.count = len(holders)
        self.places: Places = np.concatenate([np.array([], np.int64), *holders])
        self.groups: Codes = np.repeat(np.arange(self.count), [len(places) for places in holders])
        order = np.argsort(self.places, kind="stable")
        self._by_place = self.groups[order]
        self._starts = np.searchsorted(self.places[order], np.arange(size + 1))

    def of(self, places: Places) -> tuple[Codes, Places]:
        """Give every group that each of the places stands in, and beside it which of the places that is."""
        first = self._starts[places]
        many = self._starts[places + 1] - first
        which = np.repeat(np.arange(len(places)), many)
        return self._by_place[np.arange(len(which)) + np.repeat(first - (np.cumsum(many) - many), many)], which

    def sums(self, places: Places, weights: Floats | None = None) -> Floats:
        """Give how many of the places stand in each group, or the sum of their weights."""
        groups, which = self.of(places)
        summed = np.bincount(groups, None if weights is None else weights[which], minlength=self.count)
        return summed.astype(float)


class Population:
    """The facts of all accounts in a run as parallel arrays; a place is an account's index in all of them.

    `behaviours` have the accounts that do each as a part of their use, `doing` the same laid flat; `everything` has all
    that ever did. `rings` are the payers, keys and programmes that accounts share, `lines` the addresses and subnets.
    `gateways` are set by clustering: accounts that carry other people's traffic stand in no pool.
    """

    def __init__(self, edges: Iterable[Edge], facts: Mapping[str, AccountFacts]) -> None:
        ordered = sorted(facts.values(), key=_order)
        self.facts: Sequence[AccountFacts] = ordered
        self.place = {fact.account_id: n for n, fact in enumerate(ordered)}
        self.size = len(ordered)
        self._known: dict[str, bool] = {}
        self.persons: Flags = np.array([f.crowding >= CROWDED for f in ordered], bool)
        self.kind = np.array([KINDS.get(f.home_kind or "", UNKNOWN_KIND) for f in ordered], np.int64)
        self.created, self.first, self.last = (
            _days(getattr(f, name) for f in ordered) for name in ("created_at", "first_seen", "last_seen")
        )
        edge = EDGE_DAYS
        self.begun = np.where(self.first > np.min(self.first, initial=np.inf) + edge, self.first, np.nan)
        self.ended = np.where(self.last < np.max(self.last, initial=-np.inf) - edge, self.last, np.nan)
        self.volume: Floats = np.log(np.array([max(1, f.exchanges) for f in ordered], float))
        self.roaming: Floats = np.array([f.networks for f in ordered], float) / np.log1p(np.exp(self.volume))
        self.prompts: Floats = np.array([max(1, f.prompts) for f in ordered], float)
        self.values: dict[str, list[object]] = {}
        self.codes: dict[str, Codes] = {}
        for trait, shown in zip(TRAITS, _shown(ordered), strict=True):
            self.codes[trait], self.values[trait] = _coded(shown)
        self.used = {
            trait: np.bincount(codes[codes >= 0], minlength=len(self.values[trait]))
            for trait, codes in self.codes.items()
        }
        self.organisation, _ = _coded([f.org_id for f in ordered])
        self.openly_tied = _in_groups(self.organisation, OPENLY_TIED)
        self._read(edges)

    def _read(self, edges: Iterable[Edge]) -> None:
        behaviours: dict[str, dict[int, int]] = defaultdict(dict)
        labels: dict[str, str] = {}
        rings: dict[tuple[str, str], set[int]] = defaultdict(set)
        lines: dict[tuple[str, str], set[int]] = defaultdict(set)
        for edge in edges:
            place = self.place.get(edge.account_id)
            if place is None:
                continue
            if is_behaviour(edge.type):
                behaviours[edge.value][place] = max(edge.count, behaviours[edge.value].get(place, 0))
                labels[edge.value] = labels.get(edge.value) or edge.label
            elif edge.type in RINGS:
                rings[edge.type, edge.value].add(place)
            elif edge.type in ("ip", "subnet"):
                lines[edge.type, edge.value].add(place)
        self.everything = [_behaviour(key, behaviours[key], labels[key]) for key in sorted(behaviours)]
        self.behaviours = [_firm(behaviour, self.prompts) for behaviour in self.everything]
        self.doing = Groups([behaviour.holders for behaviour in self.behaviours], self.size)
        most = max(20.0, MOST_OF_A_RING * self.size)
        shared = [(kind, _places(v)) for (kind, _), v in sorted(rings.items()) if 2 <= len(v) <= most]
        self.rings = Groups([places for _, places in shared], self.size)
        self.ring_kinds: Codes = np.array([RINGS.index(kind) for kind, _ in shared], np.int64)
        self.lines = Groups([_places(v) for _, v in sorted(lines.items()) if len(v) >= 2], self.size)
        self.gateways: Flags = np.zeros(self.size, bool)
        self.talking: Flags = self.persons & (_framed(self.everything, self.prompts) < WHOLLY_FRAMED)

    def known(self, name: str) -> bool:
        """Tell whether any account has a value for a fact; a column that is absent leaves it unknown for all."""
        if name not in self._known:
            self._known[name] = any(getattr(fact, name) for fact in self.facts)
        return self._known[name]

    @cached_property
    def new_models(self) -> Floats:
        """How many exchanges of each account were with models released in the window."""
        return np.array([f.new_model_share * f.exchanges for f in self.facts], float)

    @cached_property
    def exchanges(self) -> Floats:
        return np.array([f.exchanges for f in self.facts], float)


def is_behaviour(kind: str) -> bool:
    """Tell whether an attribute says what an account does, against who it is or where it comes from."""
    return kind in ("template", "reasoning_block") or kind.startswith("x-")


def _order(fact: AccountFacts) -> tuple[datetime, datetime, int, int, str]:
    return fact.first_seen, fact.last_seen, fact.exchanges, fact.input_tokens, fact.account_id


def _days(moments: Iterable[datetime | None]) -> Floats:
    return np.array([m.timestamp() / 86_400 if m is not None else np.nan for m in moments], float)


def _shown(facts: Sequence[AccountFacts]) -> tuple[list[object], ...]:
    return (
        [f.clients[0] if f.clients else None for f in facts],
        [f.home_asn for f in facts],
        [f.country for f in facts],
        [f.email_domain for f in facts],
    )


def _coded(values: Sequence[object]) -> tuple[Codes, list[object]]:
    """Number values in their own order, unknown ones −1."""
    listed = sorted({value for value in values if value is not None and value != ""}, key=str)
    number = {value: n for n, value in enumerate(listed)}
    return np.array([number.get(value, -1) for value in values], np.int64), listed


def _behaviour(key: str, holders: Mapping[int, int], label: str) -> Behaviour:
    places = sorted(holders)
    return Behaviour(key, np.array(places, np.int64), np.array([holders[p] for p in places], np.int64), label)


def _firm(behaviour: Behaviour, prompts: Floats) -> Behaviour:
    """Leave out who does it hardly ever: an account that sends thousands of prompts meets every template once."""
    firm = behaviour.counts >= LEAST_SHARE * prompts[behaviour.holders]
    return Behaviour(behaviour.key, behaviour.holders[firm], behaviour.counts[firm], behaviour.label)


def _framed(behaviours: Sequence[Behaviour], prompts: Floats) -> Floats:
    """Give the share of each account's prompts that fill templates, of the kind of template (head, tail …) most do."""
    views: dict[str, Floats] = defaultdict(lambda: np.zeros(len(prompts)))
    for behaviour in behaviours:
        views[behaviour.key.split("-")[0]][behaviour.holders] += behaviour.counts
    most: Floats = np.max([np.zeros(len(prompts)), *views.values()], axis=0)
    return most / prompts


def _places(places: Iterable[int]) -> Places:
    return np.array(sorted(places), np.int64)


def _in_groups(codes: Codes, fewest: int) -> Flags:
    """Tell which accounts share their value with so many, themselves included."""
    known = codes >= 0
    if not known.any():
        return np.zeros(len(codes), bool)
    return known & (np.bincount(codes[known], minlength=int(codes.max()) + 1)[np.where(known, codes, 0)] >= fewest)
