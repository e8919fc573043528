"""Words for clusters, tests and links: plain, neutral sentences that carry the figures they rest on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from detection.detectors.base import plural
from detection.detectors.shared_attribute import readable
from detection.evidence import COMMON_SHARE
from detection.records import Edge, Link, Member
from detection.surprise import Surprise

IN_TITLE = 6.0  # powers of ten from which a test names a cluster
SPANS: Mapping[str, tuple[str, str]] = {  # of whom, and what they did
    "registration": ("accounts whose registration is known", "were registered"),
    "first_use": ("accounts that began within the window", "sent their first exchange"),
    "last_use": ("accounts that ended within the window", "sent their last exchange"),
}
VERBS: Mapping[str, str] = {
    "client": "use the client",
    "network": "mostly come from the network",
    "country": "are registered in",
    "domain": "have mail addresses at",
}
NAMES: Mapping[str, str] = {
    "registration": "registration dates",
    "first_use": "first use",
    "last_use": "last use",
    "client": "client",
    "network": "networks",
    "country": "country",
    "domain": "mail domains",
    "roaming": "changing networks",
    "volume": "even volumes",
    "ring": "payment rings",
    "combination": "combined templates",
}
PURSES: Mapping[str, str] = {
    "payment_fingerprint": "a payment fingerprint",
    "api_key": "a key",
    "programme": "a programme or voucher",
}


def link_reason(edge: Edge, holders: int, population: int, inside: int, size: int) -> str:
    """Say why an attribute ties an account, with its rarity in the population and its share in the cluster."""
    name = readable(edge.type, edge.value)
    what = f"{name} “{edge.label}”" if edge.type == "template" and edge.label else name
    if edge.type == "template":
        shared = f"{what} filled by {holders:,} of {population:,} accounts"
    else:
        shared = f"{what} shared by {holders:,} of {population:,} accounts"
    text = shared[0].upper() + shared[1:]
    return f"{text}, {inside:,} of them among these {size:,}" if size > 1 else text


def cluster_title(members: Sequence[Member], links: Sequence[Link], tests: Mapping[str, Surprise]) -> str:
    """Name a cluster by its size and what ties it, not by what it is; in common is what a quarter of them show."""
    if len(members) == 1:
        return "Single account that carries many unrelated templates"
    holders = Counter(link.value for link in links if link.type == "template")
    templates = [value for value, held in holders.items() if held >= max(2, len(members) * COMMON_SHARE)]
    strong = sorted((n for n, s in tests.items() if s.power >= IN_TITLE), key=lambda n: (-tests[n].power, n))
    kinds = [link.type for link in links if link.type != "template"]
    shown = [NAMES[name] for name in strong[:2]]
    shown = shown or [readable(kind, "") for kind in sorted(set(kinds), key=lambda k: (-kinds.count(k), k))[:2]]
    text = f"{plural(len(members), 'accounts')} tied by {' and '.join(shown) or 'templates'}"
    return f"{text}, {plural(len(templates), 'templates')} in common" if templates else text


def said(name: str, surprise: Surprise, values: Sequence[object]) -> str:
    """Say one answer with its figures: found, among how many, expected by chance."""
    found, among = f"{surprise.found:,}", f"{surprise.among:,}"
    chance = f"{surprise.expected:.1f}" if surprise.expected >= 0.05 else "fewer than 0.1"
    by_chance = f"{chance} would be expected among accounts used alike."
    if name in SPANS:
        who, did = SPANS[name]
        return f"Of {among} {who} {found} {did} {_span(*surprise.of)}; {by_chance}"
    if name == "roaming":
        mine, theirs = surprise.of
        times = mine / max(theirs, 1e-9)
        return f"They come from {times:.1f} times as many networks for what they send as accounts used alike."
    if name == "volume":
        mine, theirs = surprise.of
        return (
            f"They send much the same amount each: two in three within a factor of {mine:.1f} of the middle, where "
            f"{theirs:.1f} is usual."
        )
    if name == "ring":
        return (
            f"Of {among} accounts {found} share {listed([PURSES[kind] for kind in surprise.of])} with another of them."
        )
    if name == "combination":
        return f"{found} of {among} accounts that fill one template fill a second one of these too; {by_chance}"
    shown = listed([value_in_words(name, values[code]) for code in surprise.of])
    return f"Of {among} accounts {found} {VERBS[name]} {shown}; {by_chance}"


def _span(first: float, last: float) -> str:
    """Say a span of days since 1970 by its dates."""
    start, end = (datetime.fromtimestamp(day * 86_400, UTC) for day in (first, last))
    if start.date() == end.date():
        return f"on {start:%d %B %Y}"
    return f"from {start:%d %B %Y} to {end:%d %B %Y}"


def listed(words: Sequence[str]) -> str:
    """Join words as a sentence lists alternatives."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def value_in_words(trait: str, value: object) -> str:
    """Say a value of a trait; a network by its number."""
    return f"AS{value}" if trait == "network" else str(value)
