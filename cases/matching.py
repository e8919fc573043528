"""Leads that meet earlier cases: accounts, or rare values, that also stand in a case which is closed or quiet.

Rare is what few accounts show: no hub of the run, no value somebody has excluded, no public mail domain.
"""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from cases import access, notices, versions
from cases.access import Person
from cases.models import Case, Lead, LeadMatch
from cases.notice_kinds import Kind
from detection import standing
from detection.detectors.shared_attribute import PUBLIC_MAIL
from detection.models import Run
from spine import log

TYPES = ("payment_fingerprint", "api_key", "email_domain", "template", "reasoning_block")
MOST_HOLDERS, MOST_SHARE = 50, 0.01

# Leads of the run with the closed or quiet cases that have an account of theirs, and how many.
ACCOUNTS = """
SELECT seen.lead_id, held.case_id, '', count(*)
FROM cases_leadsighting seen
JOIN detection_cluster c ON c.id = seen.cluster_id AND c.run_id = %(run)s
JOIN detection_clustermember m ON m.cluster_id = c.id
JOIN cases_caseaccount held ON held.account_id = m.account_id AND held.detached_by_id IS NULL
JOIN cases_case one ON one.id = held.case_id AND (one.status = 'closed' OR one.updated_at < %(quiet)s)
GROUP BY seen.lead_id, held.case_id
"""
# The same for rare values that a cluster of the run and a cluster the case holds were both joined by.
VALUES = """
SELECT seen.lead_id, own.case_id, t.type, count(DISTINCT t.id)
FROM cases_leadsighting seen
JOIN detection_cluster c ON c.id = seen.cluster_id AND c.run_id = %(run)s
JOIN detection_clusterlink l ON l.cluster_id = c.id
    AND l.holders <= greatest(%(most)s, %(share)s * l.population)
JOIN detection_attribute t ON t.id = l.attribute_id AND t.type = ANY(%(types)s)
JOIN detection_run r ON r.id = c.run_id
JOIN detection_clusterlink old ON old.attribute_id = t.id AND old.cluster_id <> c.id
JOIN cases_casecluster own ON own.cluster_id = old.cluster_id
JOIN cases_case one ON one.id = own.case_id AND (one.status = 'closed' OR one.updated_at < %(quiet)s)
WHERE NOT {excluded} AND NOT (t.type = 'email_domain' AND lower(t.value) = ANY(%(public)s))
  AND NOT EXISTS (SELECT FROM jsonb_array_elements(r.hubs) hub
                  WHERE hub->>'type' = t.type AND hub->>'value' = t.value)
GROUP BY seen.lead_id, own.case_id, t.type
"""
Pair = tuple[object, object]


def note(run: Run, *, actor: str) -> int:
    """Note on the leads of a run which closed or quiet cases they meet, in the caller's transaction; gives how many.

    Side effects, for each: a row under one log entry of the case, a notice to its people who may know of the lead.
    Nothing is noted anew that shares no more than before, nor of the case a lead went into while that is open.
    """
    found: dict[Pair, dict[str, int]] = {}
    for lead, case, kind, count in _shared(run):
        found.setdefault((lead, case), {})[kind] = count
    leads = Lead.objects.select_related("cluster__run").in_bulk([lead for lead, _ in found])
    cases = Case.objects.select_related("assignee").in_bulk([case for _, case in found])
    pairs = sorted(found, key=lambda pair: (str(pair[0]), str(pair[1])))
    return sum(_note(leads[lead], cases[case], run, found[lead, case], actor) for lead, case in pairs)


def _shared(run: Run) -> list[tuple[object, object, str, int]]:
    given: dict[str, Any] = {
        "run": run.pk,
        "quiet": timezone.now() - timedelta(days=settings.QUIET_CASE_DAYS),
        "most": MOST_HOLDERS,
        "share": MOST_SHARE,
        "types": list(TYPES),
        "public": sorted(PUBLIC_MAIL),
    }
    with connection.cursor() as cursor:
        cursor.execute(ACCOUNTS, given)
        rows = cursor.fetchall()
        cursor.execute(VALUES.format(excluded=standing.EXCLUDED), given)
        return [*rows, *cursor.fetchall()]


def _note(lead: Lead, case: Case, run: Run, shared: dict[str, int], actor: str) -> bool:
    accounts, values = shared.pop("", 0), dict(sorted(shared.items()))
    if _of_its_own(lead, case) or _noted(lead, case, accounts, values):
        return False
    cluster = lead.sightings.get(cluster__run=run).cluster
    made = LeadMatch(lead=lead, case=case, cluster=cluster, accounts=accounts, values=values)
    data = {"ref": case.ref, "lead": str(lead.pk), "shared": made.in_words}
    log.record(actor=actor, action="lead.matched", about=lead, scope=case.pk, data=data, rows=[made])
    told = [one for one in versions.people_of(case) if access.visible_leads(one).filter(pk=lead.pk).exists()]
    state = "which is closed" if case.status == "closed" else "which has been quiet"
    text = f"A lead shares {made.in_words} with {case.ref}, {state}."
    notices.give(case, told, kind=Kind.MATCH, key=f"match:{made.pk}", text=text)
    return True


def _of_its_own(lead: Lead, case: Case) -> bool:
    """Whether the lead went into this very case, which is open: that is told as a newer version."""
    return case.status != "closed" and lead.decisions.filter(case=case).exists()


def _noted(lead: Lead, case: Case, accounts: int, values: dict[str, int]) -> bool:
    """Whether as much as this was noted before."""
    return any(
        accounts <= one.accounts and all(n <= one.values.get(kind, 0) for kind, n in values.items())
        for one in LeadMatch.objects.filter(lead=lead, case=case)
    )


def matches_of(lead: Lead, person: Person) -> QuerySet[LeadMatch]:
    """The newest match of the lead with each case this person may know of."""
    rows = LeadMatch.objects.filter(lead=lead, case__in=access.visible_cases(person).values("pk"))
    newest = rows.order_by("case", "-id").distinct("case").values("pk")
    return LeadMatch.objects.filter(pk__in=newest).select_related("case").order_by("-accounts", "-id")
