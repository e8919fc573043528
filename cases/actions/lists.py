"""Verbs that hand out lists of accounts by the provider's ids: each is in the log, with how many and which."""

from collections.abc import Sequence

from django.db import transaction
from django.db.models import QuerySet

from cases import account_lists
from cases.account_lists import Known
from cases.actions import base
from cases.filters import AccountFilter, matching
from cases.models import Case, CaseAccount, Lead
from detection.models import Finding
from people.models import User
from spine import log
from spine.errors import Refused


@transaction.atomic
def export_accounts(case: Case, *, actor: User, wanted: AccountFilter) -> QuerySet[CaseAccount]:
    """Give out the accounts of a case that match, with the provider's ids. Side effects: one log entry of the case."""
    base.require(actor, "cases.read", "accounts.identify")
    rows = matching(case, wanted)
    data = {"ref": case.ref, "count": rows.count(), "which": wanted.in_words()}
    log.record(actor=actor.principal, action="accounts.exported", about=case, scope=case.id, data=data)
    return rows


@transaction.atomic
def export_members(lead: Lead, *, actor: User) -> None:
    """Note that the members of a lead, as it stands, were given out by the provider's ids.

    Side effects: one log entry about the lead with how many, never with an id of an account.
    """
    base.require(actor, "leads.read", "accounts.identify")
    data = {"cluster": str(lead.cluster_id), "count": lead.cluster.account_count}
    log.record(actor=actor.principal, action="lead.accounts_exported", about=lead, data=data)


@transaction.atomic
def export_stated(finding: Finding, *, actor: User) -> None:
    """Note that the accounts a finding names were given out by the provider's ids.

    Side effects: one log entry about the finding with how many, never with an id of an account.
    """
    base.require(actor, "leads.read", "accounts.identify")
    data = {"detector": finding.detector.name, "count": finding.account_count}
    log.record(actor=actor.principal, action="finding.accounts_exported", about=finding, data=data)


@transaction.atomic
def export_known(*, actor: User, provider_ids: Sequence[str]) -> list[Known]:
    """Give out what is known of these ids. Side effects: one log entry with how many, never which."""
    found = look_up(actor=actor, provider_ids=provider_ids)
    count = sum(one.account is not None for one in found)
    log.record(actor=actor.principal, action="accounts.listed", data={"count": len(found), "known": count})
    return found


def look_up(*, actor: User, provider_ids: Sequence[str]) -> list[Known]:
    """What is known of these ids. Refused for none, for too many, and for what is no id."""
    base.require(actor, "leads.read")
    if not provider_ids:
        raise Refused("Name at least one account, one a line.", field="ids")
    if len(provider_ids) > account_lists.MOST_IDS:
        raise Refused(
            f"{len(provider_ids):,} ids are in the list; at most {account_lists.MOST_IDS:,} fit.", field="ids"
        )
    for number, one in enumerate(provider_ids, 1):
        if not account_lists.is_id(one):
            raise Refused(f"What stands at {number} is no account's id.", field="ids")
    return account_lists.known(actor, provider_ids)
