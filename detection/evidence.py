"""What an assessment rests on: the figures of one cluster, each with its definition."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from detection.coincidence import NETWORK_TIES, Behaviour, Cell
from detection.records import AccountFacts, Link

OPEN_NETWORKS = frozenset({"education", "business"})
PURSES = frozenset({"payment_fingerprint", "programme", "api_key"})


@dataclass(frozen=True)
class Evidence:
    """All an assessment rests on: the members' facts, the coincidences among them, the templates, the links."""

    accounts: Mapping[str, AccountFacts]
    population: Mapping[str, AccountFacts]
    cells: Sequence[Cell]
    behaviours: Sequence[Behaviour]
    links: Sequence[Link]
    carried: Mapping[str, int]

    @cached_property
    def size(self) -> int:
        return len(self.accounts)

    @cached_property
    def organisation_share(self) -> float:
        """Share of members in the largest organisation; 0 when no organisation is known."""
        known = Counter(f.org_id for f in self.accounts.values() if f.org_id)
        return max(known.values()) / self.size if known else 0.0

    @cached_property
    def organisations(self) -> int:
        return len({f.org_id for f in self.accounts.values() if f.org_id})

    @cached_property
    def payers(self) -> int:
        return len({f.payment_fingerprint for f in self.accounts.values() if f.payment_fingerprint})

    @cached_property
    def hidden_cells(self) -> list[Cell]:
        """Coincidences whose tie is not simply one organisation's own."""
        return [cell for cell in self.cells if cell.tie.kind != "org"]

    @cached_property
    def covered(self) -> float:
        inside = {a for cell in self.hidden_cells for a in cell.members if a in self.accounts}
        return len(inside) / self.size

    @cached_property
    def covered_on_paper(self) -> float:
        """Share of members in a coincidence with something other than a network."""
        paper = [cell for cell in self.hidden_cells if cell.tie.kind not in NETWORK_TIES]
        return len({a for cell in paper for a in cell.members if a in self.accounts}) / self.size

    @cached_property
    def best(self) -> float:
        return min((cell.log10_p for cell in self.hidden_cells), default=0.0)

    @cached_property
    def kinds(self) -> list[str]:
        return sorted({cell.tie.kind for cell in self.hidden_cells})

    @cached_property
    def common(self) -> list[tuple[Behaviour, int]]:
        """Behaviours that at least a quarter of the members show and that are four times as common here as outside."""
        rest = max(1, len(self.population) - self.size)
        found = []
        for behaviour in self.behaviours:
            inside = sum(account in self.accounts for account in behaviour.holders)
            outside = (len(behaviour.holders) - inside) / rest
            if inside >= 2 and inside >= 0.25 * self.size and inside / self.size >= 4 * outside:
                found.append((behaviour, inside))
        return sorted(found, key=lambda pair: (-pair[1], pair[0].key))

    @cached_property
    def spread(self) -> float:
        """Effective number of common behaviours (exponential of the entropy of their exchanges)."""
        return effective([sum(n for a, n in b.holders.items() if a in self.accounts) for b, _ in self.common])

    @cached_property
    def focus(self) -> float:
        """Median share of a member's prompts that fill a common behaviour."""
        filled: dict[str, int] = defaultdict(int)
        for behaviour, _ in self.common:
            for account, count in behaviour.holders.items():
                filled[account] += count
        shares = sorted(min(1.0, filled[a] / f.prompts) if f.prompts else 0.0 for a, f in self.accounts.items())
        return shares[len(shares) // 2]

    @cached_property
    def open_network(self) -> float:
        """Share of members whose usual network is one and the same school or company."""
        homes = Counter(f.home_asn for f in self.accounts.values() if f.home_kind in OPEN_NETWORKS)
        return max(homes.values()) / self.size if homes else 0.0

    @cached_property
    def purse(self) -> float:
        """Share of members tied to another by a payment fingerprint, programme or key."""
        return len({link.account_id for link in self.links if link.type in PURSES}) / self.size

    @cached_property
    def largest_purse(self) -> float:
        """Share of members behind the most shared payment fingerprint, programme or key."""
        values = Counter((link.type, link.value) for link in self.links if link.type in PURSES)
        return max(values.values()) / self.size if values else 0.0

    @cached_property
    def egress(self) -> float:
        """Share of members behind the most shared address or subnet; 0 where most come through commercial proxies."""
        if sum(f.home_kind == "vpn" for f in self.accounts.values()) >= 0.5 * self.size:
            return 0.0
        values = Counter((link.type, link.value) for link in self.links if link.type in ("ip", "subnet"))
        return max(values.values()) / self.size if values else 0.0

    @cached_property
    def new_model_excess(self) -> float:
        """Share of exchanges on models released in the window, members minus everybody else."""
        others = [f for a, f in self.population.items() if a not in self.accounts]
        return _new_share(self.accounts.values()) - _new_share(others)

    @cached_property
    def end_users(self) -> float:
        return sum(f.end_users > 1 for f in self.accounts.values()) / self.size

    def features(self) -> dict[str, float]:
        return {
            "accounts": self.size,
            "organisations": self.organisations,
            "organisation_share": round(self.organisation_share, 4),
            "coincidences": len(self.hidden_cells),
            "covered": round(self.covered, 4),
            "covered_on_paper": round(self.covered_on_paper, 4),
            "best_log10_p": round(self.best, 2),
            "tie_kinds": len(self.kinds),
            "common_templates": len(self.common),
            "template_spread": round(self.spread, 3),
            "template_focus": round(self.focus, 4),
            "open_network_share": round(self.open_network, 4),
            "purse_share": round(self.purse, 4),
            "largest_purse_share": round(self.largest_purse, 4),
            "egress_share": round(self.egress, 4),
            "new_model_excess": round(self.new_model_excess, 4),
            "end_user_share": round(self.end_users, 4),
        }


def effective(counts: Sequence[int]) -> float:
    """Give the effective number of kinds: the exponential of the entropy of the counts; 0 for none."""
    total = sum(counts)
    return math.exp(-sum(n / total * math.log(n / total) for n in counts if n)) if total else 0.0


def _new_share(facts: Iterable[AccountFacts]) -> float:
    listed = list(facts)
    total = sum(f.exchanges for f in listed)
    return sum(f.new_model_share * f.exchanges for f in listed) / total if total else 0.0
