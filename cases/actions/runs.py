"""The verb that hands out the accounts which changed between two runs."""

from django.db import transaction

from cases.actions import base
from detection.models import Run
from people.models import User
from spine import log


@transaction.atomic
def export_changes(run: Run, since: Run, *, actor: User) -> None:
    """Note that the accounts which joined or left clusters between two runs were given out, by the provider's ids.

    Side effects: one log entry, never with an id of an account.
    """
    base.require(actor, "leads.read", "accounts.identify")
    data = {"source": run.source.name, "run": str(run.pk), "since": str(since.pk)}
    log.record(actor=actor.principal, action="run.changes_exported", about=run, data=data)
