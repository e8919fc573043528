"""Sanctioned tests for tests, by the real verb."""

from datetime import datetime, timedelta
from typing import Any

from cases.actions import testers as verbs
from cases.models import SanctionedTest
from people.models import User
from tests.factories import DAYS, START

LAST = START + timedelta(days=DAYS - 1)  # when the accounts of the factories were last seen
BEFORE = START - timedelta(days=9)
FAR = datetime(2999, 1, 1, tzinfo=START.tzinfo)


def list_test(actor: User, *ids: str, since: datetime = BEFORE, until: datetime = FAR, **given: Any) -> SanctionedTest:
    """A test of these accounts, `acct-0000` when none is named, that is open still."""
    fields = {
        "organisation": "Red team",
        "purpose": "Elicit reasoning",
        "authorised_by": "Head of security",
        "authorisation": "Rules of engagement 7",
        **given,
    }
    return verbs.list_test(actor=actor, starts_at=since, ends_at=until, provider_ids=ids or ["acct-0000"], **fields)
