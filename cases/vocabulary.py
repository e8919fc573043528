"""The words of judging, each with the one sentence that pages and dossiers print beside it."""

from django.db.models import TextChoices


class Marking(TextChoices):
    """Traffic Light Protocol 2.0 (FIRST, 2022), lowest first; the highest wins on aggregation."""

    CLEAR = "TLP:CLEAR", "TLP:CLEAR"
    GREEN = "TLP:GREEN", "TLP:GREEN"
    AMBER = "TLP:AMBER", "TLP:AMBER"
    AMBER_STRICT = "TLP:AMBER+STRICT", "TLP:AMBER+STRICT"
    RED = "TLP:RED", "TLP:RED"


class VerdictValue(TextChoices):
    """What a person decided about one account in one case."""

    ACTOR_CONTROLLED = "actor_controlled", "actor-controlled"
    RESELLER_POOL = "reseller_pool", "reseller pool"
    VICTIM = "victim", "victim"
    BENIGN = "benign", "benign"
    UNKNOWN = "unknown", "unknown"


VERDICT_MEANINGS = {
    "actor_controlled": "assessed as run by the operation this case is about",
    "reseller_pool": "assessed as a customer of somebody who resells access",
    "victim": "assessed as taken over: its owner did not act",
    "benign": "assessed as unconnected with the operation",
    "unknown": "looked at, and not decidable on what is known",
}


class Claim(TextChoices):
    """The six separate claims of a case; each is judged on its own."""

    ACTIVITY = "a", "(a) the activity happened"
    COORDINATION = "b", "(b) the accounts are run together"
    BREACH = "c", "(c) terms or technical barriers were broken"
    ATTRIBUTION = "d", "(d) a named actor is behind it"
    USE = "e", "(e) outputs were used for training"
    HARM = "f", "(f) harm and loss"


# Claims that must be judged before a case can be escalated; the others may stay open and are printed as open.
REQUIRED_CLAIMS = ("a", "b", "c")


class Likelihood(TextChoices):
    """The ladder of ICD 203 (Analytic Standards, 2015): words and their ranges in percent."""

    ALMOST_NO_CHANCE = "almost_no_chance", "almost no chance"
    VERY_UNLIKELY = "very_unlikely", "very unlikely"
    UNLIKELY = "unlikely", "unlikely"
    ROUGHLY_EVEN = "roughly_even", "roughly even chance"
    LIKELY = "likely", "likely"
    VERY_LIKELY = "very_likely", "very likely"
    ALMOST_CERTAIN = "almost_certain", "almost certain"


LIKELIHOOD_RANGES = {
    "almost_no_chance": (1, 5),
    "very_unlikely": (5, 20),
    "unlikely": (20, 45),
    "roughly_even": (45, 55),
    "likely": (55, 80),
    "very_likely": (80, 95),
    "almost_certain": (95, 99),
}


class Confidence(TextChoices):
    """Confidence in a judgement, separate from its likelihood and never in the same sentence (ICD 203)."""

    LOW = "low", "low"
    MODERATE = "moderate", "moderate"
    HIGH = "high", "high"


# Innocent explanations every case answers before escalation, from the look-alikes of the field.
ALTERNATIVES = {
    "benchmark": "benchmark or evaluation harness",
    "academic": "academic study",
    "synthetic_data": "licensed synthetic-data vendor",
    "gateway": "aggregator or gateway",
    "enterprise_batch": "enterprise batch job or continuous integration",
    "shared_egress": "shared egress: a class, a company, a VPN",
    "red_team": "our own red team or a sanctioned tester",
    "promotion_abuse": "promotion abuse without intent to train",
    "reseller": "reseller for ordinary users",
    "hijacked": "hijacked accounts",
}


class AlternativeState(TextChoices):
    """How an innocent explanation stands."""

    RULED_OUT = "ruled_out", "ruled out"
    CANNOT_RULE_OUT = "cannot_rule_out", "cannot be ruled out"
    SUPPORTED = "supported", "supported by the evidence"


class Side(TextChoices):
    """Which way a cited item speaks."""

    FOR = "for", "for"
    AGAINST = "against", "against"


class RejectReason(TextChoices):
    """Why a lead is not pursued; free words alone are not enough to learn from."""

    EVALUATION = "evaluation", "evaluation or benchmark harness"
    RESELLER = "reseller", "reseller's ordinary customers"
    SHARED_EGRESS = "shared_egress", "shared egress: a class, a company, a VPN"
    AUTHORISED = "authorised", "authorised work or sanctioned tester"
    AUTOMATION = "automation", "ordinary automation"
    TOO_LITTLE = "too_little", "too little to go on"
    OTHER = "other", "another reason, in the note"


class CustodyAction(TextChoices):
    """The custody vocabulary, in the words of the field (ISO/IEC 27037, NIST SP 800-86)."""

    REQUESTED = "requested", "requested"
    PRESERVED = "preserved_at_source", "preserved at source"
    ACQUIRED = "acquired", "acquired"
    RECEIVED = "received", "received"
    HASHED = "hashed", "hashed"
    SEALED = "sealed", "sealed"
    TIMESTAMPED = "timestamped", "timestamped"
    VIEWED = "viewed", "viewed"
    COPIED = "copied", "copied"
    REDACTED = "redacted", "redacted"
    ANALYSED = "analysed", "analysed"
    EXPORTED = "exported", "exported"
    TRANSFERRED = "transferred", "transferred"
    RETURNED = "returned", "returned"
    DESTROYED = "destroyed", "destroyed"
    HOLD_PLACED = "hold_placed", "hold placed"
    HOLD_RELEASED = "hold_released", "hold released"
    VERIFICATION_FAILED = "verification_failed", "verification failed"


# What each event says happened; printed beside the word in forms and custody forms.
CUSTODY_MEANINGS = {
    "requested": "the data was asked for, from whom and on what authority",
    "preserved_at_source": "it was kept from expiring where it lies",
    "acquired": "its bytes were taken at the source",
    "received": "it came into the hands of who is named",
    "hashed": "the digest of its bytes was computed",
    "sealed": "its digest was fixed in a sealed package",
    "timestamped": "an authority stated a time for its digest",
    "viewed": "somebody was shown its content",
    "copied": "a copy of its content was given out or made",
    "redacted": "a derivative was made with parts of its content removed",
    "analysed": "a tool or a person examined it, or made a derivative from it",
    "exported": "it left in a dossier package or another export",
    "transferred": "it was handed to who is named; what acknowledges it is the event received",
    "returned": "it was given back to who is named",
    "destroyed": "a copy of it was destroyed",
    "hold_placed": "a hold covers it",
    "hold_released": "a hold no longer covers it",
    "verification_failed": "its stored bytes were compared with its digest and are not the same, or are gone",
}


class Lane(TextChoices):
    """The three lanes of a timeline."""

    ACCOUNTS = "accounts", "what the accounts did"
    DETECTORS = "detectors", "what detectors said"
    DECISIONS = "decisions", "what we did and decided"
