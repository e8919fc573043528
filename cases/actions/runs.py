"""Verbs that hand out accounts of runs by the provider's ids: those that changed, and those of every cluster."""

from typing import IO

from django.db import transaction

from cases.actions import base
from detection import cluster_export
from detection.cluster_export import Exported
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


@transaction.atomic
def export_clusters(run: Run, *, actor: User, out: IO[bytes]) -> Exported:
    """Write the clusters of a run with the provider's account ids, as `manage.py export_clusters` does.

    Side effects: what is written to `out`; then one log entry with how many, never with an id of an account.
    """
    base.require(actor, "leads.read", "accounts.identify")
    return cluster_export.write([run], out, actor=actor.principal)
