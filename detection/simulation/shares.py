"""Of what kind and how large each campaign is: light, so that whoever asks for a mixture can say what it would hold."""

from __future__ import annotations

from collections.abc import Sequence

from detection.simulation.kinds import CAMPAIGNS
from detection.simulation.scale import Scale


def chosen_kinds(scale: Scale) -> list[str]:
    """Give the kind of each campaign; raises `ValueError` when a kind is none of ours."""
    kinds = list(CAMPAIGNS) if scale.kinds == ("all",) else list(scale.kinds)
    for kind in kinds:
        if kind not in CAMPAIGNS:
            raise ValueError(f"{kind} is no kind of campaign; there are all, {', '.join(CAMPAIGNS)}")
    count = len(kinds) if scale.campaigns is None else scale.campaigns
    return [kinds[n % len(kinds)] for n in range(count)]


def sizes(scale: Scale, kinds: Sequence[str]) -> list[int]:
    """Give the accounts of each campaign, by the kinds' shares and at least the fewest a kind can have."""
    whole = sum(CAMPAIGNS[kind].size for kind in kinds)
    alone = sum(CAMPAIGNS[kind].fewest for kind in kinds if not CAMPAIGNS[kind].size)
    given = []
    for kind in kinds:
        plan = CAMPAIGNS[kind]
        share = int((scale.pooled - alone) * plan.size / whole) if whole else 0
        given.append(max(plan.fewest, share) if plan.size else plan.fewest)
    return given
