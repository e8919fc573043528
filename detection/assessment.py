"""Says what a cluster is consistent with, from structure alone: who the accounts say they are, and what they share.

Precision comes before recall: naming an innocent customer is the worst error here, so that whatever is not clearly one
thing is `cannot_tell`, with what would settle it. No wording of any prompt is looked at, only how templates spread.
The thresholds were set on two labelled corpora and checked on a benign one and simulated ones; docs/limits.md says what
came of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from detection.describe import NAMES, listed, said
from detection.evidence import (
    COHORT,
    COHORT_DAYS,
    COMMON_LIFT,
    COMMON_SHARE,
    EVENT_DAYS,
    ONE_FIRM,
    OWN_DOMAIN,
    TOLD,
    Evidence,
)
from detection.records import SUSPICIONS, Assessment, Label, LookAlike, Reason
from detection.surprise import FEWEST_ALIKE, LEAST_DIFFERENCE, LEAST_LIFT, LEAST_SHARE, MOST_SPREAD, Surprise

VERSION = "2.5.0"
FEWEST_MEMBERS = 3
ONE_ORGANISATION = 0.6
SAME_NETWORK = 0.3
ONE_LINE = 0.4
ONE_EVENT = 0.6
ONE_HAND = 3.0  # powers of ten
ACCUSED = 13.0  # powers of ten of evidence from which a pool is accused
LOOKED_INTO = 9.0
FEWEST_SPREAD = 1.5
POOL_MEMBERS = 8
POOL_SHARE = 0.6
POOL_FOCUS = 0.35
# Probability that a tested candidate is a pool, as a logistic function of its evidence: fitted by `bench_calibration`
# on the candidates of the labelled corpora (docs/limits.md), candidates of mixed membership left out.
INTERCEPT, SLOPE = -3.86, 1.01
# From six powers of ten on all but one in forty of those candidates were pools: no score says more than was counted.
MOST_CERTAIN = 0.975


NO_HAND = " Too little of that is what one hand alone explains."


def thresholds() -> dict[str, float]:
    """Give the named figures of the assessment, the evidence and the tests, as they are stored with a run."""
    named = {
        "fewest_members": FEWEST_MEMBERS,
        "one_organisation": ONE_ORGANISATION,
        "same_network": SAME_NETWORK,
        "one_line": ONE_LINE,
        "one_event": ONE_EVENT,
        "event_days": EVENT_DAYS,
        "one_hand": ONE_HAND,
        "cohort": COHORT,
        "cohort_days": COHORT_DAYS,
        "own_domain": OWN_DOMAIN,
        "one_firm": ONE_FIRM,
        "told": TOLD,
        "accused": ACCUSED,
        "looked_into": LOOKED_INTO,
        "fewest_spread": FEWEST_SPREAD,
        "pool_members": POOL_MEMBERS,
        "pool_share": POOL_SHARE,
        "pool_focus": POOL_FOCUS,
        "common_share": COMMON_SHARE,
        "common_lift": COMMON_LIFT,
        "fewest_alike": FEWEST_ALIKE,
        "most_spread": MOST_SPREAD,
        "least_share": LEAST_SHARE,
        "least_lift": LEAST_LIFT,
        "least_difference": LEAST_DIFFERENCE,
        "intercept": INTERCEPT,
        "slope": SLOPE,
        "most_certain": MOST_CERTAIN,
    }
    return {f"assessment_{name}": value for name, value in named.items()}


def assess(e: Evidence) -> Assessment:
    """Assess one cluster: label, score for that label, reasons both ways, look-alikes, and what would settle it."""
    label = label_of(e)
    towards, opening = list(_towards(e)), list(_against(e))
    if label is Label.RESELLER_POOL:  # that they pay together is what makes them one reseller's
        opening += [reason for reason in towards if reason.feature == "test.ring"]
        towards = [reason for reason in towards if reason.feature != "test.ring"]
    hidden, opened = _ranked(towards), _ranked(opening)
    suspicion = label in SUSPICIONS
    return Assessment(
        label=label,
        score=_score(label, e),
        reasons_for=hidden if suspicion else opened,
        reasons_against=opened if suspicion else hidden,
        look_alikes=look_alikes(e),
        would_settle=would_settle(label, e),
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
    if e.size >= POOL_MEMBERS and e.egress >= ONE_LINE and not e.suspected and e.purse < 0.3:
        return Label.SHARED_EGRESS
    return Label.CANNOT_TELL


def _extraction(e: Evidence) -> bool:
    """Ask for strangers on paper who do the same and share what strangers do not, where no open explanation would do.

    Where the source does not say who accounts belong to or what kind of network they come from, nobody is accused; nor
    are accounts of which most did all they did within five days, as everybody at a contest does, or which share nothing
    that one hand alone explains, as the people of a course or the customers of a tool. One payer behind most accounts
    whose organisations are not told may be one customer.
    """
    many = max(e.organisations, e.payers) >= 0.6 * e.size
    strangers = many if e.told("org_id") else e.largest_purse < ONE_ORGANISATION
    known = e.identity_known and e.lines_known
    told = e.strength >= ACCUSED and e.one_hand >= ONE_HAND and e.at_one_event < ONE_EVENT
    return e.suspected and known and told and strangers and bool(e.common) and e.egress < ONE_LINE


def _pool(e: Evidence) -> bool:
    """Tell whether one payer stands behind most members while what they send is mixed."""
    return e.largest_purse >= POOL_SHARE and e.focus < POOL_FOCUS


def _score(label: Label, e: Evidence) -> float:
    """Give 0–1 for the label. For a suspicion: the share of candidates of this evidence that were pools, as fitted.

    For an open explanation it only ranks: how much of the cluster the explanation covers, by a rule set by hand.
    """
    probability = 1 / (1 + math.exp(-(INTERCEPT + SLOPE * e.strength)))
    if label is Label.COORDINATED_EXTRACTION:
        return round(min(MOST_CERTAIN, probability), 4)
    if label is Label.CANNOT_TELL:
        return round(min(0.49, probability if e.suspected else 0.1), 4)
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
    return e.size >= FEWEST_MEMBERS and bool(e.common) and e.strength >= LOOKED_INTO


def _ranked(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    return tuple(sorted(reasons, key=lambda reason: (-reason.weight, reason.feature)))


def _towards(e: Evidence) -> Iterator[Reason]:
    """Give the reasons that speak for one operation behind accounts that present themselves as strangers."""
    for name in e.telling:
        surprise = e.tests[name]
        text = said(name, surprise, e.population.values.get(name, ()))
        if name == "network":
            text = f"{text} {_who_else(e, surprise)}"
        yield Reason(text, min(8.0, surprise.power), f"test.{name}", round(surprise.power, 2))
    if len(e.common) >= 2:
        most = "all" if e.focus >= 0.995 else f"{e.focus:.0%} or more"
        text = (
            f"{len(e.common)} templates are at least four times as common here as in other traffic; half of the "
            f"accounts send {most} of their prompts through them."
        )
        yield Reason(text, 2 * math.log(1 + e.spread), "common_templates", len(e.common))
    if e.organisations >= 0.8 * e.size and e.size >= FEWEST_MEMBERS:
        text = (
            f"The {e.size:,} accounts name {e.organisations:,} different organisations, as unrelated customers do too."
        )
        yield Reason(text, 1.0, "organisations", e.organisations)
    if e.new_model_excess >= 0.1:
        text = (
            f"Their share on models released in the window is {100 * e.new_model_excess:.0f} percentage points above "
            "everybody else's."
        )
        yield Reason(text, 1.0 + 2 * e.new_model_excess, "new_model_excess", round(e.new_model_excess, 4))


def _who_else(e: Evidence, surprise: Surprise) -> str:
    """Say of what kind the named networks are and how many others come from them: they may well be anybody's."""
    codes = np.array(surprise.of, np.int64)
    everybody = np.flatnonzero(np.isin(e.population.codes["network"], codes))
    kinds = sorted({e.population.facts[place].home_kind or "" for place in everybody.tolist()} - {""})
    kind = f"of kind {listed(kinds)}" if kinds else "of a kind that the source does not tell"
    others = len(np.setdiff1d(everybody, e.places))
    many = len(codes) != 1
    return (
        f"{'They are' if many else 'It is'} {kind}; {others:,} other accounts mostly come from "
        f"{'them' if many else 'it'} too."
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
    if e.may_be_staff and e.size > 1:
        text = (
            f"{e.one_domain:.0%} have mail addresses at one domain that hardly anybody else uses: they may be the "
            "staff of whoever owns it."
        )
        yield Reason(text, 4.0, "one_domain_share", round(e.one_domain, 4))
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
    if e.strength < LOOKED_INTO and e.size > 1:
        text = (
            f"What they share beside templates is too little to tell: evidence of {e.strength:.1f} powers of ten; from "
            f"{LOOKED_INTO:g} on it is looked into."
        )
        yield Reason(text, 2.0, "evidence", round(e.strength, 2))
    if e.suspected and not e.identity_known:
        text = "The source does not say whose accounts they are: strangers cannot be told from one customer."
        yield Reason(text, 5.0, "identity_known", 0)
    if e.suspected and not e.lines_known:
        text = "The source does not say from what kind of network they come: a class or an office cannot be ruled out."
        yield Reason(text, 5.0, "lines_known", 0)
    if e.suspected and e.at_one_event >= ONE_EVENT:
        text = (
            f"{e.at_one_event:.0%} of the accounts did all they did within five days, as people at a contest, workshop "
            "or trial do."
        )
        yield Reason(text, 5.0, "event_share", round(e.at_one_event, 4))
    if e.suspected and e.strength >= LOOKED_INTO and e.one_hand < ONE_HAND:
        text = (
            "Too few share a payer, key or proxy, and neither networks nor volumes go as far beyond customers' as one "
            "hand's: what most share is what the people of one course or promotion, or the customers of one tool, have "
            "in common too."
        )
        yield Reason(text, 5.0, "one_hand", round(e.one_hand, 2))
    if not e.common and e.size > 1:
        yield Reason("The accounts have no rare template in common.", 2.0, "common_templates", 0)
    if e.common and e.spread < FEWEST_SPREAD:
        text = "Nearly all of what they have in common is one template, as with the customers of one product."
        yield Reason(text, 1.5, "template_spread", round(e.spread, 3))
    if e.end_users >= 0.3:
        text = f"{e.end_users:.0%} of the accounts pass end-user identifiers, as a product with customers does."
        yield Reason(text, 1.5, "end_user_share", round(e.end_users, 4))


def look_alikes(e: Evidence) -> tuple[LookAlike, ...]:
    """Go through the innocent explanations one by one: whether the figures fit, or that they could not be checked."""
    one = e.organisation_share >= ONE_ORGANISATION and e.size > 1
    shared = ", ".join(NAMES[name] for name in e.telling) or "nothing"
    return (
        LookAlike(
            "evaluation harness or batch job of one organisation",
            (one and e.focus >= POOL_FOCUS) if e.told("org_id") else None,
            f"{e.organisation_share:.0%} are in the largest organisation; {len(e.common)} templates in common."
            if e.told("org_id")
            else "The source does not say which organisation most of the accounts belong to.",
        ),
        LookAlike(
            "class, company or household behind one address",
            _if_known(e.open_network >= SAME_NETWORK or e.egress >= SAME_NETWORK, e.lines_known),
            f"{e.open_network:.0%} come from one school or company network, {e.egress:.0%} from one address or subnet."
            if e.lines_known
            else "The source does not say from what kind of network most of the accounts come.",
        ),
        LookAlike(
            "staff of one firm with accounts of their own",
            _if_known(e.may_be_staff and e.size > 1, e.told("email_domain")),
            f"{e.one_domain:.0%} have mail addresses at one domain that hardly anybody else uses."
            if e.told("email_domain")
            else "The source does not say at which domains most of the accounts have their mail.",
        ),
        LookAlike(
            "reseller or gateway for unrelated customers",
            _if_known(_pool(e) or bool(e.carried), e.told("payment_fingerprint", "org_id")),
            f"{e.largest_purse:.0%} share one payer or programme; the median share of prompts in common templates is "
            f"{e.focus:.0%}.",
        ),
        LookAlike(
            "published prompt library or framework",
            bool(e.common) and e.strength < LOOKED_INTO and not one,
            f"{len(e.common)} templates are common here; beside them the accounts share: {shared}.",
        ),
        LookAlike(
            "course, hackathon or promotion",
            e.at_one_event >= ONE_EVENT
            or (e.suspected and e.one_hand < ONE_HAND)
            or (bool(e.telling) and set(e.telling) <= {"registration", "first_use", "last_use"}),
            f"{e.at_one_event:.0%} did all they did within five days; beside templates the accounts share: {shared}."
            f"{NO_HAND if e.suspected and e.one_hand < ONE_HAND else ''}",
        ),
        LookAlike(
            "commercial VPN used by strangers",
            _if_known(bool(e.telling) and set(e.telling) <= {"network", "roaming"}, e.lines_known),
            f"{e.proxied:.0%} mostly come through commercial proxies, which many strangers share: a proxy network "
            f"alone ties nobody. Beside templates the accounts share: {shared}.",
        ),
    )


def _if_known(fits: bool, known: bool) -> bool | None:
    """What fits, fits; what does not, without the figures it would show in, could not be checked."""
    return fits or (False if known else None)


def would_settle(label: Label, e: Evidence) -> tuple[str, ...]:
    """Say what would settle the question: what could not be known or decided here first."""
    return (*_lacking(e), *WOULD_SETTLE[label]) if e.suspected else WOULD_SETTLE[label]


def _lacking(e: Evidence) -> Iterator[str]:
    """What stood in the way of telling, each with what would help."""
    if not e.told("org_id"):
        yield "which organisation each account belongs to, which the source does not say"
    if not e.told("payment_fingerprint"):
        yield "payment fingerprints, which the source does not give for most of the accounts"
    if not e.lines_known:
        yield "from what kind of network the accounts come, which the source does not say"
    if not e.told("created_at"):
        yield "registration times, which the source does not give for most of the accounts"
    if e.at_one_event >= ONE_EVENT:
        yield "whether one contest, workshop or trial explains when they were used: the word of whoever held it"
    if e.may_be_staff:
        yield "whose the mail domain is: ask its owner openly whether these accounts are its staff's"
    if e.one_hand < ONE_HAND:
        yield "whether one course, promotion or tool brought them: what they were told to use, and who runs it"
    if e.strength < ACCUSED:
        yield "a longer window: more exchanges make coincidences testable"


WOULD_SETTLE: Mapping[Label, tuple[str, ...]] = {
    Label.COORDINATED_EXTRACTION: (
        "registration records of the accounts: who verified them, how and from where",
        "payment records behind the fingerprints",
        "a sample of exchanges, to see whether the fillings form one data set",
        "whether accounts were replaced after bans",
        "an agreement, a study or another explanation from the customers, asked for openly",
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
        "registration and payment records of the accounts",
        "an explanation from the customers, asked for openly",
    ),
}
