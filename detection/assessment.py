"""Says what a cluster is consistent with, from structure alone: who the accounts say they are, and what they share.

Precision comes before recall: naming an innocent customer is the worst error here, so that whatever is not clearly one
thing is `cannot_tell`, with what would settle it. No wording of any prompt is looked at, only how templates spread.
The thresholds were set on two labelled corpora and checked on a benign one; docs/limits.md says what came of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from detection.coincidence import NETWORK_TIES, Cell
from detection.evidence import Evidence
from detection.records import Assessment, Label, LookAlike, Reason

VERSION = "1.0.0"
FEWEST_MEMBERS = 3
ONE_ORGANISATION = 0.8
SAME_NETWORK = 0.5
COVERED = 0.6
FEWEST_TEMPLATES = 2
FEWEST_SPREAD = 1.5
LOWEST_FOCUS = 0.2
STRONG_LOG10_P = -6.0
POOL_MEMBERS = 8
POOL_SHARE = 0.6
POOL_FOCUS = 0.35


def assess(e: Evidence) -> Assessment:
    """Assess one cluster: label, score for that label, reasons both ways, look-alikes, and what would settle it."""
    label = label_of(e)
    hidden, opened = _ranked(_towards(e)), _ranked(_against(e))
    suspicion = label in (Label.COORDINATED_EXTRACTION, Label.CANNOT_TELL)
    return Assessment(
        label=label,
        score=_score(label, e),
        reasons_for=hidden if suspicion else opened,
        reasons_against=opened if suspicion else hidden,
        look_alikes=look_alikes(e),
        would_settle=WOULD_SETTLE[label],
        features=e.features(),
        worth_a_look=_worth_a_look(label, e),
        version=VERSION,
    )


def label_of(e: Evidence) -> Label:
    """Decide the label. Open explanations come first; what is left has to be strong in several ways at once."""
    if e.carried and e.size == len(e.carried):
        return Label.RESELLER_POOL
    if e.size < FEWEST_MEMBERS:
        return Label.CANNOT_TELL
    if e.organisation_share >= ONE_ORGANISATION:
        return Label.BENIGN_AUTOMATION if e.common and e.focus >= POOL_FOCUS else Label.SHARED_EGRESS
    if e.open_network >= SAME_NETWORK:
        return Label.SHARED_EGRESS
    if _extraction(e):
        return Label.COORDINATED_EXTRACTION
    if _pool(e) and e.largest_purse * e.size >= POOL_MEMBERS and e.organisations >= 0.6 * e.size:
        return Label.RESELLER_POOL
    if e.size >= POOL_MEMBERS and e.egress >= POOL_SHARE and not e.cells and e.purse < 0.3:
        return Label.SHARED_EGRESS
    return Label.CANNOT_TELL


def _extraction(e: Evidence) -> bool:
    """Ask for strangers on paper whose behaviour and ties coincide, where no open explanation would do as well."""
    strangers = max(e.organisations, e.payers) >= 0.6 * e.size
    coincide = e.covered_on_paper >= COVERED and e.best <= STRONG_LOG10_P and bool(e.common)
    broad = len(e.common) >= FEWEST_TEMPLATES and e.spread >= FEWEST_SPREAD
    return strangers and coincide and (broad or _rings(e)) and e.focus >= LOWEST_FOCUS and e.egress < SAME_NETWORK


def _rings(e: Evidence) -> bool:
    """Tell whether several separate purses or domains agree with another kind of tie: one template is enough then."""
    purses = {"payment_fingerprint", "api_key", "email_domain"} & set(e.kinds)
    return bool(purses) and len(e.kinds) >= 2 and e.largest_purse < POOL_SHARE and e.best <= 2 * STRONG_LOG10_P


def _pool(e: Evidence) -> bool:
    """Tell whether one payer stands behind most members while what they send is mixed."""
    return e.largest_purse >= POOL_SHARE and e.focus < POOL_FOCUS


def _score(label: Label, e: Evidence) -> float:
    """Give 0–1 for the label: how far the figures lie beyond what the label asks for. Not a probability."""
    if label is Label.COORDINATED_EXTRACTION:
        strength, breadth, kinds = min(1.0, -e.best / 20), min(1.0, len(e.common) / 4), min(1.0, len(e.kinds) / 2)
        return round(0.5 + 0.1 * (strength + e.covered + breadth + min(1.0, e.focus * 2) + kinds), 4)
    if label is Label.CANNOT_TELL:
        return round(min(0.49, 0.1 + 0.3 * e.covered * min(1.0, -e.best / 20)), 4)
    share = max(e.organisation_share, e.open_network, e.largest_purse, e.egress, float(bool(e.carried)))
    return round(0.5 + 0.4 * share, 4)


def _worth_a_look(label: Label, e: Evidence) -> bool:
    """Tell whether the cluster becomes a lead: a suspicion, a pool, or coincidences that somebody should explain.

    A gateway on its own and a shared way out are stored with their clusters and raise nothing.
    """
    if label is Label.COORDINATED_EXTRACTION:
        return True
    if label is Label.SHARED_EGRESS:
        return False
    if label is Label.RESELLER_POOL and e.size >= POOL_MEMBERS:
        return True
    strongest = min((cell.log10_p for cell in e.cells), default=0.0)
    return e.size >= FEWEST_MEMBERS and strongest <= STRONG_LOG10_P


def _ranked(reasons: Iterator[Reason]) -> tuple[Reason, ...]:
    return tuple(sorted(reasons, key=lambda reason: (-reason.weight, reason.feature)))


def _towards(e: Evidence) -> Iterator[Reason]:
    """Give the reasons that speak for one operation behind accounts that present themselves as strangers."""
    for kind in e.kinds:
        of_kind = [cell for cell in e.hidden_cells if cell.tie.kind == kind]
        cell = min(of_kind, key=lambda c: (c.log10_p, -len(c.members), c.behaviour, c.tie.value))
        yield Reason(_coincidence(cell), min(12.0, -cell.log10_p / 2), f"coincidence.{kind}", round(cell.lift, 2))
    if len(e.common) >= FEWEST_TEMPLATES:
        text = (
            f"{len(e.common)} templates are at least four times as common here as in other traffic; half of the "
            f"accounts send {e.focus:.0%} or more of their prompts through them."
        )
        yield Reason(text, 2 * math.log(1 + e.spread), "common_templates", len(e.common))
    if e.organisations >= 0.8 * e.size and e.size >= FEWEST_MEMBERS:
        text = f"The {e.size:,} accounts belong to {e.organisations:,} different organisations on paper."
        yield Reason(text, 1.0, "organisations", e.organisations)
    if e.new_model_excess >= 0.1:
        text = (
            f"Their share on models released in the window is {e.new_model_excess:.0%} points above everybody else's."
        )
        yield Reason(text, 1.0 + 2 * e.new_model_excess, "new_model_excess", round(e.new_model_excess, 4))


def _coincidence(cell: Cell) -> str:
    """Say a coincidence with its figures: found, among how many, expected."""
    expected = f"{cell.expected:.1f}" if cell.expected >= 0.05 else "fewer than 0.1"
    what = "several of the same templates" if cell.behaviour.startswith("family:") else "the same template"
    if cell.tie.kind in ("payment_fingerprint", "api_key"):
        name = cell.tie.kind.replace("_", " ")
        return (
            f"Accounts that share a {name} fill {what} together: in one group {len(cell.members):,} of {cell.among:,}, "
            f"where {expected} would be expected by chance."
        )
    return (
        f"Of {cell.among:,} accounts that {cell.tie.words}, {len(cell.members):,} fill {what}; "
        f"{expected} would be expected by chance."
    )


def _against(e: Evidence) -> Iterator[Reason]:
    """Give the reasons that speak for an open, ordinary explanation."""
    if e.carried and e.size == 1:
        most = max(e.carried.values())
        text = f"One account carries {most} templates that hardly anybody else combines, as a gateway does."
        yield Reason(text, 4.0, "templates_carried", most)
    if e.organisation_share >= ONE_ORGANISATION and e.size > 1:
        text = f"{e.organisation_share:.0%} of the accounts belong openly to one organisation."
        yield Reason(text, 6.0, "organisation_share", round(e.organisation_share, 4))
    if e.open_network >= 0.3:
        text = f"{e.open_network:.0%} of the accounts come from one school or company network."
        yield Reason(text, 4.0, "open_network_share", round(e.open_network, 4))
    if _pool(e):
        little = f"{e.focus:.0%} or less" if e.focus >= 0.005 else "none"
        text = (
            f"{e.largest_purse:.0%} share one payer or programme, yet what they send is mixed: half of them send "
            f"{little} of their prompts through common templates."
        )
        yield Reason(text, 3.0, "largest_purse_share", round(e.largest_purse, 4))
    if not e.cells and e.size > 1:
        text = "No template is shared more often than chance allows among accounts that are tied otherwise."
        yield Reason(text, 2.0, "coincidences", 0)
    if not e.common and e.size > 1:
        yield Reason("The accounts have no rare template in common.", 2.0, "common_templates", 0)
    if e.common and e.spread < FEWEST_SPREAD:
        text = "Nearly all of what they have in common is one template, as with the customers of one product."
        yield Reason(text, 1.5, "template_spread", round(e.spread, 3))
    if e.end_users >= 0.3:
        text = f"{e.end_users:.0%} of the accounts pass end-user identifiers, as a product with customers does."
        yield Reason(text, 1.5, "end_user_share", round(e.end_users, 4))


def look_alikes(e: Evidence) -> tuple[LookAlike, ...]:
    """Go through the innocent explanations one by one and say whether the figures fit each."""
    one = e.organisation_share >= ONE_ORGANISATION and e.size > 1
    ties = ", ".join(kind.replace("_", " ") for kind in e.kinds) or "none"
    return (
        LookAlike(
            "evaluation harness or batch job of one organisation",
            one and e.focus >= POOL_FOCUS,
            f"{e.organisation_share:.0%} are in the largest organisation; {len(e.common)} templates in common.",
        ),
        LookAlike(
            "class, company or household behind one address",
            e.open_network >= SAME_NETWORK or e.egress >= SAME_NETWORK,
            f"{e.open_network:.0%} come from one school or company network, {e.egress:.0%} from one address or subnet.",
        ),
        LookAlike(
            "reseller or gateway for unrelated customers",
            _pool(e) or bool(e.carried),
            f"{e.largest_purse:.0%} share one payer or programme; the median share of prompts in common templates is "
            f"{e.focus:.0%}.",
        ),
        LookAlike(
            "published prompt library or framework",
            bool(e.common) and not e.hidden_cells,
            f"{len(e.common)} templates are common here; coincidences with identity or network: {len(e.hidden_cells)}.",
        ),
        LookAlike(
            "course, hackathon or promotion",
            e.kinds == ["registration"],
            f"Ties that coincide with templates: {ties}.",
        ),
        LookAlike(
            "commercial VPN used by strangers",
            bool(e.kinds) and set(e.kinds) <= NETWORK_TIES,
            f"A proxy network alone ties nobody. Ties that coincide with templates: {ties}.",
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
