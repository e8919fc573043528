"""Says what a cluster is consistent with, from structure alone: who the accounts say they are, and what they share.

Precision comes before recall: naming an innocent customer is the worst error here, so that whatever is not clearly one thing
is `cannot_tell`, with what would settle it. No wording of any prompt is looked at, only how templates spread.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from detection.coincidence import Behaviour, Cell
from detection.records import AccountFacts, Assessment, Label, Link, LookAlike, Reason

VERSION = "1.0.0"
OPEN_NETWORKS = frozenset({"education", "business"})
PURSES = frozenset({"payment_fingerprint", "programme", "api_key"})
FEWEST_MEMBERS = 3
ONE_ORGANISATION = 0.8
COVERED = 0.6
FEWEST_BEHAVIOURS = 2
STRONG_LOG10_P = -6.0
POOL_MEMBERS = 8
FEWEST_SPREAD = 1.5
LOWEST_FOCUS = 0.2
POOL_FOCUS = 0.35


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
        """Share of members behind the most shared address or subnet that is not a proxy's."""
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


def _new_share(facts: object) -> float:
    listed = list(facts)  # type: ignore[call-overload]
    total = sum(f.exchanges for f in listed)
    return sum(f.new_model_share * f.exchanges for f in listed) / total if total else 0.0


def label_of(e: Evidence) -> Label:
    """Decide the label. Open explanations are looked for first; what is left has to be strong in several ways at once."""
    if e.carried and e.size == len(e.carried):
        return Label.RESELLER_POOL
    if e.size < FEWEST_MEMBERS:
        return Label.CANNOT_TELL
    if e.organisation_share >= ONE_ORGANISATION:
        return Label.BENIGN_AUTOMATION if e.common and e.focus >= POOL_FOCUS else Label.SHARED_EGRESS
    if e.open_network >= 0.5:
        return Label.SHARED_EGRESS
    if _extraction(e):
        return Label.COORDINATED_EXTRACTION
    if e.size >= POOL_MEMBERS and e.largest_purse >= 0.6 and e.focus < POOL_FOCUS and e.organisations >= 0.6 * e.size:
        return Label.RESELLER_POOL
    if e.size >= POOL_MEMBERS and e.egress >= 0.6 and not e.cells and e.purse < 0.3:
        return Label.SHARED_EGRESS
    return Label.CANNOT_TELL


def _extraction(e: Evidence) -> bool:
    """Ask for strangers on paper whose behaviour and ties coincide, and for no open explanation that would do as well."""
    strangers = max(e.organisations, e.payers) >= 0.6 * e.size
    coincide = e.covered >= COVERED and e.best <= STRONG_LOG10_P and len(e.common) >= FEWEST_BEHAVIOURS
    broad = e.spread >= FEWEST_SPREAD or (len(e.kinds) >= 2 and e.largest_purse < 0.6 and e.best <= 2 * STRONG_LOG10_P)
    return strangers and coincide and broad and e.focus >= LOWEST_FOCUS and e.egress < 0.5


def assess(e: Evidence) -> Assessment:
    """Assess one cluster: label, score for that label, reasons both ways, look-alikes, and what would settle it."""
    label = label_of(e)
    towards = sorted(_towards(e), key=lambda reason: (-abs(reason.weight), reason.feature))
    against = sorted(_against(e), key=lambda reason: (-abs(reason.weight), reason.feature))
    if label is not Label.COORDINATED_EXTRACTION and label is not Label.CANNOT_TELL:
        towards, against = against, towards
    return Assessment(
        label=label,
        score=_score(label, e),
        reasons_for=tuple(towards),
        reasons_against=tuple(against),
        look_alikes=look_alikes(e),
        would_settle=WOULD_SETTLE[label],
        features=e.features(),
        worth_a_look=_worth_a_look(label, e),
        version=VERSION,
    )


def _score(label: Label, e: Evidence) -> float:
    """Give 0–1 for the label: how far the figures lie beyond what the label asks for."""
    if label is Label.COORDINATED_EXTRACTION:
        parts = [
            min(1.0, -e.best / 20),
            e.covered,
            min(1.0, len(e.common) / 4),
            min(1.0, e.focus * 2),
            min(1.0, len(e.kinds) / 2),
        ]
        return round(0.5 + 0.5 * sum(parts) / len(parts), 4)
    if label is Label.CANNOT_TELL:
        return round(min(0.49, 0.1 + 0.3 * e.covered * min(1.0, -e.best / 20)), 4)
    strength = max(e.organisation_share, e.open_network, e.largest_purse, e.egress, min(1.0, len(e.carried)))
    return round(0.5 + 0.4 * strength, 4)


def _worth_a_look(label: Label, e: Evidence) -> bool:
    """Tell whether the cluster becomes a lead: a suspicion, a pool, or coincidences that somebody should explain."""
    if label is Label.COORDINATED_EXTRACTION:
        return True
    if label is Label.RESELLER_POOL and e.size >= POOL_MEMBERS:
        return True
    return e.size >= FEWEST_MEMBERS and bool(e.cells) and min(cell.log10_p for cell in e.cells) <= STRONG_LOG10_P


def _towards(e: Evidence) -> list[Reason]:
    """Reasons that speak for one operation behind accounts that present themselves as strangers."""
    found = []
    for kind in e.kinds:
        cell = min((c for c in e.hidden_cells if c.tie.kind == kind), key=lambda c: (c.log10_p, c.tie.value))
        found.append(Reason(_coincidence(cell), min(12.0, -cell.log10_p / 2), f"coincidence.{kind}", cell.lift))
    if len(e.common) >= FEWEST_BEHAVIOURS:
        names = f"{len(e.common)} templates are at least four times as common here as in other traffic"
        found.append(
            Reason(
                f"{names}; half of the members send {e.focus:.0%} or more of their prompts through them.",
                2 * math.log(1 + e.spread),
                "common_templates",
                len(e.common),
            )
        )
    if e.organisations >= 0.8 * e.size >= FEWEST_MEMBERS:
        found.append(
            Reason(
                f"The {e.size:,} accounts belong to {e.organisations:,} different organisations on paper.",
                1.0,
                "organisations",
                e.organisations,
            )
        )
    if e.new_model_excess >= 0.1:
        found.append(
            Reason(
                f"Models released in the window get {e.new_model_excess:.0%} more of their exchanges than elsewhere.",
                1.0 + 2 * e.new_model_excess,
                "new_model_excess",
                e.new_model_excess,
            )
        )
    return found


def _coincidence(cell: Cell) -> str:
    expected = f"{cell.expected:.1f}" if cell.expected >= 0.05 else "fewer than 0.1"
    what = "these templates" if cell.behaviour.startswith("family:") else "the same template"
    if cell.tie.kind in ("payment_fingerprint", "api_key"):
        return (
            f"Accounts that {cell.tie.words} fill {what} together: in the largest such group {len(cell.members):,} of "
            f"{cell.among:,}, where {expected} would be expected by chance."
        )
    return f"Of {cell.among:,} accounts that {cell.tie.words}, {len(cell.members):,} fill {what}; {expected} would be expected by chance."


def _against(e: Evidence) -> list[Reason]:
    """Reasons that speak for an open, ordinary explanation."""
    found = []
    if e.carried and e.size == 1:
        most = max(e.carried.values())
        found.append(
            Reason(
                f"One account carries {most} unrelated templates, as a gateway for many customers does.",
                4.0,
                "templates_carried",
                most,
            )
        )
    if e.organisation_share >= ONE_ORGANISATION:
        found.append(
            Reason(
                f"{e.organisation_share:.0%} of the accounts belong openly to one organisation.",
                6.0,
                "organisation_share",
                e.organisation_share,
            )
        )
    if e.open_network >= 0.3:
        found.append(
            Reason(
                f"{e.open_network:.0%} of the accounts come from one school or company network.",
                4.0,
                "open_network_share",
                e.open_network,
            )
        )
    if e.largest_purse >= 0.5 and e.focus < POOL_FOCUS:
        found.append(
            Reason(
                f"{e.largest_purse:.0%} share one payer, yet what they send is mixed: the median member sends {e.focus:.0%} of its prompts through common templates.",
                3.0,
                "largest_purse_share",
                e.largest_purse,
            )
        )
    if not e.cells:
        found.append(
            Reason(
                "No template is shared more often than chance allows among accounts that are tied otherwise.",
                2.0,
                "coincidences",
                0,
            )
        )
    if e.size and not e.common:
        found.append(Reason("The accounts have no rare template in common.", 2.0, "common_templates", 0))
    if 0 < len(e.common) and e.spread < 1.5:
        found.append(
            Reason(
                "They share one template only, as the customers of one product would.", 1.5, "template_spread", e.spread
            )
        )
    if e.end_users >= 0.3:
        found.append(
            Reason(
                f"{e.end_users:.0%} of the accounts pass end-user identifiers, as a product with customers does.",
                1.5,
                "end_user_share",
                e.end_users,
            )
        )
    return found


def look_alikes(e: Evidence) -> tuple[LookAlike, ...]:
    """Go through the innocent explanations one by one and say whether the figures fit each."""
    one = e.organisation_share >= ONE_ORGANISATION
    open_net = e.open_network >= 0.5
    pool = e.largest_purse >= 0.6 and e.focus < POOL_FOCUS
    return (
        LookAlike(
            "evaluation harness or batch job of one organisation",
            one and e.focus >= POOL_FOCUS,
            f"{e.organisation_share:.0%} of the accounts are in the largest organisation; {len(e.common)} templates in common.",
        ),
        LookAlike(
            "class, company or household behind one address",
            open_net or (one and e.egress >= 0.5),
            f"{e.open_network:.0%} come from one school or company network, {e.egress:.0%} from the most shared address or network.",
        ),
        LookAlike(
            "reseller or gateway for unrelated customers",
            pool or bool(e.carried),
            f"{e.largest_purse:.0%} share one payer; the median member sends {e.focus:.0%} of its prompts through common templates.",
        ),
        LookAlike(
            "published prompt library or framework",
            bool(e.common) and not e.hidden_cells,
            f"{len(e.common)} templates are common here; {len(e.hidden_cells)} coincidences with identity or network were found.",
        ),
        LookAlike(
            "course, hackathon or promotion",
            e.kinds == ["registration"],
            f"Kinds of tie found: {', '.join(k.replace('_', ' ') for k in e.kinds) or 'none'}.",
        ),
        LookAlike(
            "commercial VPN used by strangers",
            bool(e.kinds) and set(e.kinds) <= {"network_kind", "asn"},
            "A proxy network alone ties nobody; registration or payment would have to agree.",
        ),
    )


WOULD_SETTLE: Mapping[Label, tuple[str, ...]] = {
    Label.COORDINATED_EXTRACTION: (
        "registration records of the accounts: who verified them, how and from where",
        "payment records behind the fingerprints",
        "a sample of exchanges, to see whether the fillings form one data set",
        "whether accounts were replaced after bans",
    ),
    Label.RESELLER_POOL: (
        "the reseller's contract and customer list",
        "end-user identifiers on the requests",
        "whether single end users behind the pool show the templates of a suspected campaign",
    ),
    Label.BENIGN_AUTOMATION: (
        "the organisation's own description of its use",
        "an agreement that allows evaluation or synthetic data",
    ),
    Label.SHARED_EGRESS: (
        "the network operator's word on who is behind the address",
        "a class list or staff directory, asked for openly",
    ),
    Label.CANNOT_TELL: (
        "a longer window: more exchanges make coincidences testable",
        "columns that are absent here, payment fingerprints and registration times first",
        "registration and payment records of the accounts",
    ),
}
