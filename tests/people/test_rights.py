"""The table of rights, written down a second time so that a change is a decision."""

import pytest
from django.contrib.auth.models import AnonymousUser

from people.models import Role, User
from people.rights import MEANINGS, RIGHTS, may, refusal

EXPECTED = {
    #                     admin lead analyst counsel reader detector
    "cases.read": "no yes yes yes yes no",
    "cases.write": "no yes yes yes no no",
    "dossiers.approve": "no yes no yes no no",
    "counsel.track": "no no no yes no no",
    "testers.read": "yes yes yes yes yes no",
    "testers.write": "yes yes no no no no",
    "leads.read": "no yes yes yes yes no",
    "leads.write": "no yes yes no no no",
    "accounts.identify": "no yes yes yes no no",
    "detectors.read": "yes yes yes yes yes no",
    "detectors.write": "yes no no no no no",
    "people.write": "yes no no no no no",
    "webhooks.write": "yes no no no no no",
    "tokens.write": "yes yes yes yes yes no",
    "findings.write": "no no no no no yes",
    "cases.break_glass": "no yes no yes no no",
    "log.read": "yes yes yes yes yes no",
    "holds.write": "no yes no yes no no",
    "registers.read": "yes yes yes yes yes no",
    "registers.write": "yes no no yes no no",
    "destruction.read": "yes yes no yes no no",
    "destruction.write": "yes no no yes no no",
    "system.read": "yes no no no no no",
    "log.verify": "yes yes yes yes no no",
}


def test_refusal_names_the_token_where_the_role_gives_the_right() -> None:
    analyst, tokened = User(role="analyst"), User(role="analyst")
    tokened.scopes = frozenset({"cases.read"})  # type: ignore[attr-defined]
    by_role = "Your role does not let you keep the list of sanctioned testers."
    assert [refusal(one, "testers.write") for one in (analyst, tokened)] == [by_role, by_role]
    assert refusal(tokened, "leads.read").startswith("This token was made without the right leads.read: ")


def test_who_may_do_what() -> None:
    holders = [*Role.values, "detector"]
    found = {right: " ".join("yes" if right in RIGHTS[role] else "no" for role in holders) for right in MEANINGS}
    assert found == EXPECTED


def test_nobody_and_an_unknown_role_hold_nothing() -> None:
    assert [right for right in MEANINGS if may(AnonymousUser(), right) or may(User(role="odd"), right)] == []


def test_an_unknown_right_is_a_mistake_in_the_program() -> None:
    with pytest.raises(LookupError, match=r"no such right: 'cases\.delete'"):
        may(User(role="case_lead"), "cases.delete")
