"""Which role may do what, one right a word. Pages, API and verbs ask this table; nothing else decides."""

RIGHTS: dict[str, frozenset[str]] = {
    "administrator": frozenset(
        {
            "detectors.read",
            "detectors.write",
            "people.write",
            "webhooks.write",
            "log.read",
            "log.verify",
            "testers.read",
            "testers.write",
            "system.read",
        }
    ),
    "case_lead": frozenset(
        {
            "cases.read",
            "cases.write",
            "cases.break_glass",
            "dossiers.approve",
            "leads.read",
            "accounts.identify",
            "leads.write",
            "detectors.read",
            "log.read",
            "log.verify",
            "testers.read",
            "testers.write",
        }
    ),
    "analyst": frozenset(
        {
            "cases.read",
            "cases.write",
            "leads.read",
            "accounts.identify",
            "leads.write",
            "detectors.read",
            "log.read",
            "log.verify",
            "testers.read",
        }
    ),
    "counsel": frozenset(
        {
            "cases.read",
            "cases.write",
            "cases.break_glass",
            "dossiers.approve",
            "counsel.track",
            "leads.read",
            "accounts.identify",
            "detectors.read",
            "log.read",
            "log.verify",
            "testers.read",
        }
    ),
    "reader": frozenset({"cases.read", "leads.read", "detectors.read", "log.read", "testers.read"}),
    "detector": frozenset({"findings.write"}),
}
# On what is kept, disclosed and destroyed. Who destroys is apart from who holds, and either takes two people.
KEEPING: dict[str, frozenset[str]] = {
    "administrator": frozenset({"registers.read", "registers.write", "destruction.read", "destruction.write"}),
    "case_lead": frozenset({"holds.write", "registers.read", "destruction.read"}),
    "analyst": frozenset({"registers.read"}),
    "counsel": frozenset({"holds.write", "registers.read", "registers.write", "destruction.read", "destruction.write"}),
    "reader": frozenset({"registers.read"}),
}
RIGHTS = {role: rights | KEEPING.get(role, frozenset()) for role, rights in RIGHTS.items()}
# What everybody who signs in may do about themselves.
OWN = frozenset({"tokens.write"})
RIGHTS = {role: rights if role == "detector" else rights | OWN for role, rights in RIGHTS.items()}
# What each right lets one do; shown in help texts and in the page that refuses.
MEANINGS = {
    "cases.read": "read cases and everything under them",
    "cases.write": "open cases, judge, and prepare dossiers",
    "dossiers.approve": "approve a dossier that somebody else prepared",
    "counsel.track": "open the counsel track of a case and let others into it",
    "holds.write": "place holds and release them",
    "registers.read": "read legal bases and recipients",
    "registers.write": "keep the registers of legal bases and recipients",
    "destruction.read": "read retention policies, erasures and what was destroyed",
    "destruction.write": "set retention policies, and ask for or approve destruction and erasure",
    "leads.read": "read leads, clusters, findings, accounts and attributes",
    "leads.write": "decide about leads",
    "accounts.identify": "see the provider's ids of accounts",
    "detectors.read": "read detectors and telemetry sources",
    "detectors.write": "register detectors, add telemetry and start detection",
    "testers.read": "read the list of sanctioned testers",
    "testers.write": "keep the list of sanctioned testers",
    "people.write": "read and create people, set passwords and roles",
    "webhooks.write": "set up webhooks and see what was sent to them",
    "tokens.write": "make, list and revoke one's own API tokens",
    "findings.write": "send findings of one detector",
    "log.read": "read the log",
    "log.verify": "have the whole log verified",
    "system.read": "see how workers, queues and feeds stand",
    "cases.break_glass": "break the glass of a restricted case",
}


def may(holder: object, right: str) -> bool:
    """Whether this person or key holds the right; nobody holds none. An unknown right is a mistake in the program.

    A person who comes with an API token holds what the role gives and the token was made for.
    """
    if right not in MEANINGS:
        raise LookupError(f"no such right: {right!r}")
    scopes: frozenset[str] | None = getattr(holder, "scopes", None)
    return right in rights_of(holder) and (scopes is None or right in scopes)


def rights_of(holder: object) -> frozenset[str]:
    """Everything the holder's role gives."""
    return RIGHTS.get(getattr(holder, "role", ""), frozenset())


def refusal(holder: object, right: str) -> str:
    """Why the holder may not, for who reads it: the role does not give the right, or the token was made without it."""
    scopes: frozenset[str] | None = getattr(holder, "scopes", None)
    if scopes is not None and right in rights_of(holder) and right not in scopes:
        return f"This token was made without the right {right}: {MEANINGS[right]}."
    return f"Your role does not let you {MEANINGS[right]}."
