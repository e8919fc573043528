"""The mixture's accounts as columns: a block of rows for each group, joined and shuffled once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt

from detection.simulation import texts
from detection.simulation.cast import BROWSERS, CLIENTS, COUNTRIES, EDITORS, MAIL
from detection.simulation.choices import Choices, Ints
from detection.simulation.scale import Scale
from detection.simulation.wording import Frames

DAY = 86_400_000_000  # microseconds
NEVER = -(2**62)
ONCE, DAILY, ALWAYS = 0, 1, 2  # how often a line gets a new address: never, each day, each row

# Every column with its type and what an account has when nothing is said.
COLUMNS: Mapping[str, tuple[Any, Any]] = {
    "kind": (np.int16, 0),
    "group": (np.int32, -1),
    "org": (np.int64, -1),  # negative: an organisation of its own
    "payment": (np.int64, -1),  # -1: of its own; -2: none
    "domain": (np.int32, 0),
    "country": (np.int16, 0),
    "plan": (np.int8, 1),
    "programme": (np.int32, -1),
    "carrier": (np.int16, 0),
    "created": (np.int64, 0),  # microseconds after the start
    "banned": (np.int64, NEVER),
    "weight": (np.float64, 1.0),
    "active": (np.float64, 0.5),  # chance of a day with exchanges
    "first": (np.int16, 0),
    "last": (np.int16, 30_000),
    "surge": (np.float64, 1.0),
    "hour": (np.float64, 14.0),
    "spread": (np.float64, 2.0),  # hours
    "sitting": (np.int32, 1),  # exchanges in one go
    "gap": (np.float64, 60.0),  # seconds between them
    "pooled": (np.bool_, False),
    "menu": (np.int64, 0),
    "lines": (np.int64, 0),
    "clients": (np.int64, 0),
    "follows": (np.float64, 0.0),
    "items": (np.int32, 0),  # length of the list it works through again and again; 0: ever new
    "samples": (np.int16, 1),
    "reasons": (np.float64, 0.1),
    "new_share": (np.float64, 0.2),
    "ramp": (np.float64, 14.0),  # days after the release until that share is reached
    "talks": (np.bool_, False),
    "answer": (np.float64, 5.0),  # logarithm of the usual answer's tokens
    "tls": (np.int32, -1),  # -1: that of its client
    "replays": (np.bool_, False),
    "probes": (np.bool_, False),
    "shares": (np.bool_, False),  # shows conversations to the others of its group
    "temperature": (np.int8, 0),
    "ceiling": (np.int32, 0),  # max_tokens; 0: not given
    "logprobs": (np.int8, 0),
    "campaign": (np.bool_, False),
}
PLANS = ("free", "payg", "team", "enterprise")
CARRIERS = ("carrier-a", "carrier-b", "carrier-c", "carrier-d", "carrier-e", "carrier-f", "virtual-1", "virtual-2")
HARNESS_CLIENTS = ("eval-runner/3.2", "bench-kit/1.4", "batch-tool/2.0")
USER_AGENTS = (*CLIENTS, *BROWSERS, *EDITORS, *HARNESS_CLIENTS)
NETWORK_KINDS = ("isp", "mobile", "hosting", "vpn", "education", "business")


@dataclass(frozen=True)
class Networks:
    """Autonomous systems: private numbers above 4.2 billion (RFC 6996), one /48 of 2001:db8::/32 each."""

    asn: Ints
    kind: npt.NDArray[np.int8]
    country: npt.NDArray[np.int16]

    def of(self, *kinds: str) -> Ints:
        return np.flatnonzero(np.isin(self.kind, [NETWORK_KINDS.index(kind) for kind in kinds]))


def make_networks(rng: np.random.Generator, accounts: int) -> Networks:
    """Make the networks: more of them for more accounts."""
    more = accounts // 2_000
    counts = (40 + min(more * 2, 1_500), 12 + min(more, 200), 14 + min(more, 300), 6 + min(more // 8, 40), 2, 3)
    counts = (*counts[:4], 2 + accounts // 2_500, 3 + accounts // 1_200)
    kind = np.repeat(np.arange(len(counts)), counts).astype(np.int8)
    span = 94_967_294
    asn = 4_200_000_000 + (np.arange(len(kind)) * 7_368_787 + int(rng.integers(span))) % span
    return Networks(asn.astype(np.int64), kind, rng.integers(len(COUNTRIES), size=len(kind)).astype(np.int16))


@dataclass
class Group:
    """A campaign or an innocent group, as the labels name it."""

    name: str
    kind: str
    campaign: bool
    linkage: dict[str, Any] = field(default_factory=dict)


@dataclass
class Lines:
    """Ways to the network: which, the first host, how many hosts, and how often the host changes."""

    network: list[Ints] = field(default_factory=list)
    base: list[Ints] = field(default_factory=list)
    span: list[Ints] = field(default_factory=list)
    turn: list[Ints] = field(default_factory=list)
    size: int = 0

    def add(self, network: Any, base: Any, span: Any = 1, turn: Any = ONCE) -> Ints:
        """Add lines, an array entry each; gives their numbers."""
        parts = np.broadcast_arrays(np.atleast_1d(np.asarray(network)), base, span, turn)
        for kept, part in zip((self.network, self.base, self.span, self.turn), parts, strict=True):
            kept.append(part.astype(np.int64))
        numbers = np.arange(self.size, self.size + len(parts[0]))
        self.size += len(numbers)
        return numbers


class Roll:
    """Collects the accounts of a corpus, with the frames, menus, lines and clients they draw from."""

    def __init__(self, scale: Scale) -> None:
        self.scale = scale
        self.rng = np.random.Generator(np.random.PCG64([scale.seed, 1]))
        self.words = Random(scale.seed)  # noqa: S311 - made-up data, not a secret
        self.networks = make_networks(self.rng, scale.accounts)
        self.frames, self.lines = Frames(), Lines()
        self.menus, self.ways, self.agents = Choices(), Choices(), Choices()
        self.groups: list[Group] = []
        self.domains = list(MAIL)
        self.programmes: list[str] = []
        self.kinds: list[str] = []
        self.size = 0
        self.codes = 0
        self._blocks: list[tuple[int, dict[str, Any]]] = []

    def add(self, kind: str, size: int, **columns: Any) -> None:
        """Add accounts of one kind; each column is a value for all or an array with a value for each."""
        if kind not in self.kinds:
            self.kinds.append(kind)
        self._blocks.append((size, {"kind": self.kinds.index(kind), **columns}))
        self.size += size

    def columns(self) -> dict[str, Any]:
        """Join all blocks and shuffle them, so that an account's place says nothing about its kind."""
        order = self.rng.permutation(self.size)
        return {name: self._column(name)[order] for name in COLUMNS}

    def _column(self, name: str) -> Any:
        kind, default = COLUMNS[name]
        parts = [
            np.broadcast_to(np.asarray(block.get(name, default), dtype=kind), (size,)) for size, block in self._blocks
        ]
        return np.concatenate(parts)

    def group(self, kind: str, *, campaign: bool = False, **linkage: Any) -> int:
        """Begin a group and give its number."""
        letter = "C" if campaign else "B"
        number = sum(group.campaign == campaign for group in self.groups) + 1
        self.groups.append(Group(f"{letter}{number:02d}", kind, campaign, linkage))
        return len(self.groups) - 1

    def code(self) -> int:
        """Give a number for an organisation or payer that several accounts share."""
        self.codes += 1
        return self.codes

    def domain(self) -> int:
        """Register a mail domain of one's own and give its number."""
        r = self.words
        self.domains.append(f"{r.choice(texts.THINGS)}-{r.choice(texts.THINGS)}{len(self.domains)}.example")
        return len(self.domains) - 1

    def homes(self, size: int, second: float = 0.4) -> Ints:
        """Give each of `size` accounts a line at home and some a second one elsewhere; gives lists of lines."""
        pairs = np.stack([self.home_lines(size), self.other_lines(size)], axis=1)
        both = self.rng.random(size) < second
        weights = np.where(both[:, None], (0.75, 0.25), (1.0, 0.0))
        return self.ways.add_each(pairs, weights)

    def home_lines(self, size: int) -> Ints:
        """Give lines at home, half of them with another address each day."""
        turn = np.where(self.rng.random(size) < 0.5, ONCE, DAILY)
        return self.lines.add(self.pick(self.networks.of("isp"), size), self.hosts(size), 2**12, turn)

    def other_lines(self, size: int) -> Ints:
        """Give lines of mobile networks and VPNs, whose addresses many people share and that change daily."""
        networks = self.pick(self.networks.of("mobile", "mobile", "vpn"), size)
        return self.lines.add(networks, 0, self.exits, DAILY)

    @property
    def exits(self) -> int:
        """How many addresses a mobile network or a VPN shows to the outside."""
        return 60 + self.scale.accounts // 100

    def offices(self, size: int) -> Ints:
        """Give each account one or two lines of hosting or an office, as products have; gives lists of lines."""
        first = self.lines.add(self.pick(self.networks.of("hosting", "business", "isp"), size), self.hosts(size))
        spare = self.lines.add(self.pick(self.networks.of("hosting"), size), self.hosts(size))
        return self.ways.add_each(np.stack([first, spare], axis=1), (0.85, 0.15))

    def hosts(self, size: int) -> Ints:
        return self.rng.integers(2**16, 2**32, size=size)

    def pick(self, values: Ints, size: int) -> Ints:
        chosen: Ints = values[self.rng.integers(len(values), size=size)]
        return chosen

    def one_client(self, names: tuple[str, ...], size: int) -> Ints:
        """Give each account one client program of those named; gives lists of clients."""
        return self.agents.add_each(self.pick(np.array([USER_AGENTS.index(n) for n in names]), size)[:, None])

    def registered(self, size: int) -> Ints:
        """Give registration times over the two years before, some of them inside the window."""
        before = self.rng.uniform(-700, 0.6 * self.scale.days, size)
        return (before * DAY).astype(np.int64)
