"""The finished cast of the mixture: its columns, and the texts that belong to each account."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detection.simulation.campaigns import add_campaigns
from detection.simulation.choices import Choices, Ints, mix
from detection.simulation.customers import add_ordinary
from detection.simulation.look_alikes import add_look_alikes
from detection.simulation.population import USER_AGENTS, Group, Networks, Roll
from detection.simulation.scale import Scale
from detection.simulation.wording import Frames

HEX4 = pa.array([f"{n:04x}" for n in range(65_536)])
_LOW48 = np.uint64(2**48 - 1)


@dataclass(frozen=True)
class Ensemble:
    """Every account by its place: `columns` (see `population.COLUMNS`), ids, and what rows are drawn from."""

    scale: Scale
    columns: dict[str, Any]
    kinds: list[str]
    groups: list[Group]
    networks: Networks
    lines: dict[str, Ints]
    menus: Choices
    ways: Choices
    agents: Choices
    frames: Frames
    domains: list[str]
    programmes: list[str]
    ids: pa.Array
    orgs: pa.Array
    payments: pa.Array
    follow_frame: int  # what a person writes after the first words of a sitting

    @property
    def ciphers(self) -> list[str]:
        """TLS fingerprints: of each client program, then one for each group that has a program of its own."""
        return [*CLIENT_CIPHERS, *(_cipher(group.name) for group in self.groups)]

    def __len__(self) -> int:
        return len(self.ids)


def make_ensemble(scale: Scale) -> Ensemble:
    """Make the cast: campaigns, innocent groups, ordinary customers for the rest; exactly `scale.accounts` of them."""
    roll = Roll(scale)
    add_campaigns(roll)
    add_look_alikes(roll, (scale.accounts - roll.size) // 2)
    add_ordinary(roll, scale.accounts - roll.size)
    columns = roll.columns()
    places = np.arange(roll.size)
    own = roll.codes + 1 + places
    payers = np.where(columns["payment"] == -1, own, columns["payment"])
    lines = {name: np.concatenate(getattr(roll.lines, name)) for name in ("network", "base", "span", "turn")}
    return Ensemble(
        scale=scale,
        columns=columns,
        kinds=roll.kinds,
        groups=roll.groups,
        networks=roll.networks,
        lines=lines,
        menus=roll.menus.closed(),
        ways=roll.ways.closed(),
        agents=roll.agents.closed(),
        frames=roll.frames,
        domains=roll.domains,
        programmes=roll.programmes,
        ids=tokens("acct_", places, scale.seed, 1),
        orgs=tokens("org_", np.where(columns["org"] < 0, own, columns["org"]), scale.seed, 2),
        payments=_none_where(payers < 0, tokens("pf_", payers, scale.seed, 3)),
        follow_frame=roll.frames.add(("", ""), "follow"),
    )


def _cipher(program: str) -> str:
    """Make a text of the form of a JA4 fingerprint for a program; nobody's real one."""
    digest = sha256(program.encode()).hexdigest()
    return f"t13d{int(digest[:2], 16) % 20 + 10}{int(digest[2:4], 16) % 9 + 10}h2_{digest[4:16]}_{digest[16:28]}"


CLIENT_CIPHERS = [_cipher(name.split(".")[0]) for name in USER_AGENTS]


def tokens(prefix: str, codes: Any, seed: int, salt: int) -> pa.Array:
    """Write codes as twelve hexadecimal digits that tell nothing; different codes stay different."""
    x = np.asarray(codes).astype(np.uint64) ^ (mix([seed], salt) & _LOW48)
    for odd in (0xD1342543DE82EF95, 0xAF251AF3B0F025B5):
        x = (x * np.uint64(odd)) & _LOW48
        x ^= x >> np.uint64(25)
    return pc.binary_join_element_wise(prefix, *hexed(x, 3), "")


def hexed(numbers: Any, quarters: int) -> list[pa.Array]:
    """Write the lowest 16 × `quarters` bits as columns of four hexadecimal digits, the highest first."""
    return [HEX4.take(pa.array((numbers >> np.uint64(16 * q)) & np.uint64(0xFFFF))) for q in reversed(range(quarters))]


def _none_where(mask: Any, texts: pa.Array) -> pa.Array:
    return pc.if_else(pa.array(mask), pa.scalar(None, pa.string()), texts)
