"""What newer runs say about a case, by the real handler: one account more, and a lead that meets it."""

from datetime import timedelta

from django.utils import timezone

from cases import leads
from cases.models import Case, LeadMatch, NewerVersion
from tests.factories import make_run


def newer_version(case: Case) -> NewerVersion:
    """What the case was told."""
    held = list(case.accounts.values_list("account__provider_id", flat=True))
    leads.on_run_finished({"run": str(make_run([*held, "acct-newer"]).pk)})
    return NewerVersion.objects.get(case=case)


def quiet_match(case: Case) -> LeadMatch:
    """A lead that shares one account with the case, which has been quiet."""
    held = case.accounts.earliest("pk").account.provider_id
    changed_at = case.updated_at
    Case.objects.filter(pk=case.pk).update(updated_at=timezone.now() - timedelta(days=15))
    leads.on_run_finished({"run": str(make_run([held, "quiet-1", "quiet-2"]).pk)})
    Case.objects.filter(pk=case.pk).update(updated_at=changed_at)
    return LeadMatch.objects.get(case=case)
