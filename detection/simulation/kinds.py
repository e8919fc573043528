"""The tables of what a mixture can hold: kinds of campaign, of look-alike and of ordinary customer, and linkage.

Shares and sizes are choices of ours, made so that each signal has something to find and something to be wrong about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Weights = Mapping[str, float]


@dataclass(frozen=True)
class CampaignKind:
    """One kind of suspected campaign.

    `size` is its share of the campaigns' accounts against the others', `volume` an account's exchanges against
    another's, `tasks` what it asks (`wording.TASKS`), `samples` how often the pool asks the same item.
    """

    size: float
    tasks: Weights
    fewest: int = 8
    volume: float = 1.0
    samples: int = 1
    manner: str = "pooled"
    reasons: float = 0.3
    new_share: float = 0.4
    surge: float = 1.0  # rate after the release against the rate before
    pivots: bool = False
    cover: tuple[float, float] = (0.0, 0.65)
    fixed: Mapping[str, str] = field(default_factory=dict)  # linkage that this kind always has


CAMPAIGNS: Mapping[str, CampaignKind] = {
    "hydra": CampaignKind(
        6, {"sweep": 3, "code": 2, "reasoning": 2, "grade": 1, "tool": 1}, fewest=12, reasons=0.45, new_share=0.7
    ),
    "cot_elicitation": CampaignKind(2, {"reasoning": 1}, samples=2, reasons=0.75, cover=(0.0, 0.35)),
    "capability_sweep": CampaignKind(2.5, {"sweep": 4, "write": 2, "code": 1}, cover=(0.0, 0.35)),
    "rubric_grader": CampaignKind(1, {"grade": 1}, samples=4, cover=(0.0, 0.3)),
    "slow_and_low": CampaignKind(
        5,
        {"sweep": 2, "reasoning": 2, "code": 1},
        fewest=10,
        volume=1.0,
        manner="person",
        cover=(0.3, 0.65),
        fixed={"payment": "unique", "network": "residential_static", "volume": "wide"},
    ),
    "release_pivot": CampaignKind(
        2.5, {"code": 3, "tool": 2, "sweep": 1}, new_share=0.85, surge=3.0, pivots=True, cover=(0.0, 0.2)
    ),
    "tool_use_harvest": CampaignKind(1.5, {"tool": 4, "code": 1}, cover=(0.0, 0.3)),
    "single_account": CampaignKind(
        0, {"sweep": 4, "reasoning": 1}, fewest=1, volume=4.0, manner="steady", cover=(0.0, 0.2)
    ),
    "logit_probe": CampaignKind(0.5, {"probe": 1}, fewest=4, volume=2.0, reasons=0.0, cover=(0.0, 0.1)),
    "block_replay": CampaignKind(1.5, {"reasoning": 3, "code": 1}, reasons=0.9, cover=(0.0, 0.3)),
}

# How the accounts of a campaign hang together; one word of each is drawn from the seed.
LINKAGE: Mapping[str, Weights] = {
    "payment": {"unique": 3, "groups": 4, "shared": 2},
    "registration": {"burst": 3, "bursts": 2, "trickle": 3, "aged": 2},
    "network": {"vpn": 3, "residential_static": 2, "residential_rotating": 3, "hosting": 1, "mixed": 2},
    "email": {"one_domain": 1, "mainstream": 3, "mixed": 2},
    "user_agents": {"one": 3, "few": 3, "any": 2},
    "replaced": {"no": 2, "yes": 1},
    "volume": {"even": 1, "some": 1, "wide": 1},
}
COVER = "cover_share"  # the one axis that is a number
SPREADS: Mapping[str, float] = {"even": 0.12, "some": 0.35, "wide": 0.6}


@dataclass(frozen=True)
class LookAlike:
    """One kind of innocent group: how many accounts in one, and for how many accounts of the corpus there is one."""

    fewest: int
    most: int
    one_for: int
    few: bool = False


LOOK_ALIKES: Mapping[str, LookAlike] = {
    "eval_harness": LookAlike(1, 1, 250, few=True),
    "judge_eval": LookAlike(1, 1, 350),
    "translate_batch": LookAlike(1, 1, 350),
    "gateway_reseller": LookAlike(1, 1, 600),
    "authorised_synthetic_data": LookAlike(1, 1, 1_000),
    "reseller_pool": LookAlike(12, 40, 4_000, few=True),
    "nat_class": LookAlike(8, 45, 2_500, few=True),
    "corp_nat": LookAlike(5, 25, 1_200, few=True),
    "hackathon": LookAlike(8, 40, 4_000),
    "online_course": LookAlike(12, 60, 4_000),
    "tool_customers": LookAlike(12, 60, 4_000),
}

# Ordinary customers: share of accounts, exchanges of an active day against another's.
ORDINARY: Mapping[str, tuple[float, float]] = {
    "chat_hobby": (36, 3.0),
    "dev_hobby": (14, 6.0),
    "ide_assist": (12, 9.0),
    "saas_app": (16, 4.5),
    "nlp_pipeline": (7, 6.0),
    "tutor_app": (4, 3.0),
    "bulk_content": (4, 3.5),
    "rag_docs": (5, 4.5),
    "agent_app": (5, 3.5),
}
