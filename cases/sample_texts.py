"""The words of the sample story: what its people judge, and why. No real company or person is in it."""

from dataclasses import dataclass

SOURCE = "sample-story"
TITLE = "Suspected extraction through {accounts} linked accounts"
SUMMARY = (
    "Between {start} and {end}, {accounts} accounts sent {exchanges} exchanges consistent with the systematic "
    "collection of model outputs. They are tied together by rare shared attributes and by prompt frames that other "
    "accounts do not use."
)
NOTE = "One organisation's evaluation accounts, openly linked; the frames are those of a public benchmark."
TERMS = """Terms of use, version 7 (sample text)
In force since 1 January 2026.

4.2  Outputs may not be used to develop models that compete with the service.
4.3  Accounts may not be opened or run to get around limits, region blocks or a ban.
6.1  Each account is opened by the person or organisation that uses it.
"""


@dataclass(frozen=True)
class Words:
    """One judgement: its rungs, its reasons, and what it cites as (side, item, note)."""

    likelihood: str
    confidence: str
    rationale: str
    alternatives: str
    citations: tuple[tuple[str, str, str], ...]


JUDGEMENTS = {
    "a": Words(
        "almost_certain",
        "high",
        "The exchanges stand in the provider's own request log and were counted from it; daily volume is exhibit 2.",
        "A fault in the log would have to repeat exchanges; request ids are unique and repeats are dropped.",
        (("for", "volume", "Daily counts from the log."), ("for", "cluster", "The linked accounts, their volume.")),
    ),
    "b": Words(
        "very_likely",
        "moderate",
        "Groups of accounts share payment fingerprints and networks, were opened in bursts, and fill the same prompt "
        "frames. Each of these is seen elsewhere; all of them together are not.",
        "A reseller's pool shares payment but not prompt frames. What would change our mind: a contract that names "
        "these accounts, or frames found in published material.",
        (
            ("for", "cluster", "Ranked links with their rarity."),
            ("for", "finding", "The strongest single finding."),
            ("against", "volume", "The volume of each account alone is ordinary; the claim is about the group."),
        ),
    ),
    "c": Words(
        "likely",
        "moderate",
        "Clause 4.3 of the terms in force forbids accounts that get around limits; the pattern of small accounts is "
        "consistent with that. Assent is recorded per account at sign-up.",
        "Several customers of one integrator would also open accounts in bursts; the clause would then not apply.",
        (("for", "terms", "Clauses 4.2, 4.3 and 6.1."),),
    ),
}

ALTERNATIVE_ANSWERS = {
    "benchmark": (
        "ruled_out",
        "A benchmark is a fixed set run once or again; here the fillings do not repeat over weeks.",
    ),
    "academic": ("ruled_out", "No research programme is registered for these accounts, and none asked for access."),
    "synthetic_data": ("ruled_out", "No contract for synthetic data names these accounts."),
    "gateway": ("ruled_out", "A gateway's customers send unrelated prompts; here few frames carry most of the volume."),
    "enterprise_batch": (
        "ruled_out",
        "The accounts stand under many names and payments; one company's batch has no need of that.",
    ),
    "shared_egress": (
        "ruled_out",
        "The ties hold without any shared address; networks are one kind of tie among several.",
    ),
    "red_team": ("ruled_out", "The list of sanctioned testers has none of these accounts."),
    "promotion_abuse": (
        "cannot_rule_out",
        "Some accounts use sign-up credit; that alone does not explain common prompt frames.",
    ),
    "reseller": (
        "cannot_rule_out",
        "Shared payment fits a reseller; common frames do not. Asked the payment team for the payers.",
    ),
    "hijacked": ("ruled_out", "The accounts have no earlier use by anybody else."),
}
