"""Accounts taken out of a case, one put back and one not, by the real verbs."""

from cases import actions
from cases.models import Case, Detachment
from people.models import User


def make_detachment(case: Case, actor: User) -> Detachment:
    """An account of the case taken out alone; before it another, which is back."""
    picked = [case.accounts.earliest("pk").pk]
    first = actions.detach_accounts(case, picked, actor=actor, reason="Another operation")
    actions.attach_again(first, actor=actor, reason="It was the wrong one")
    return actions.detach_accounts(case, picked, actor=actor, reason="Another operation")
