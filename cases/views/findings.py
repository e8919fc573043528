"""The Findings tab: what the held clusters rest on, and one finding as it was received, under pseudonyms."""

import json
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from cases import history, queries
from cases.access import case_for
from cases.dossier.names import Names
from cases.models import Case
from cases.views import case_frame, recalls, shared
from cases.views.masking import masked
from detection.models import Finding
from detection.queries import versions_of
from people.policy import requires

SHOWN_ACCOUNTS, SHOWN_CHARACTERS = 25, 20_000
Stated = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """A finding of the list, its title with pseudonyms, and the query that opens its drawer."""

    finding: Finding
    title: str
    drawer_query: str


@requires("cases.read", hidden=True)
@require_safe
@shared.refused_page
def findings(request: HttpRequest, ref: str) -> HttpResponse:
    """The list, strongest first, and one finding beside it."""
    case = case_for(request.user, ref)
    counts = queries.signal_counts(case)
    signal = request.GET.get("signal", "")
    signal = signal if signal in counts else ""
    words = shared.searched(request)
    page = queries.finding_page(case, signal=signal, text=words, cursor=request.GET.get("cursor", ""))
    clean = masked(finding.title for finding in page.rows)
    choices = [("", "all"), *((name, name.replace("_", " ")) for name in counts)]
    total = None if words else counts.get(signal, sum(counts.values()))
    context = {
        **case_frame.context(request, case, "case_findings"),
        "chips": shared.chips(request, "signal", choices, {**counts, "": sum(counts.values())}, signal),
        "q": words,
        "keep": shared.kept(request, "signal"),
        "findings": [Row(one, clean(one.title), case_frame.opened(request, one.pk)) for one in page.rows],
        "pages": shared.pages(request, page, "findings", total=total),
        "drawer": _drawer(request, case),
        "recalls": recalls.flags_of(request, case),
        "writable": case_frame.writable(request, case),
    }
    return render(request, "cases/case_findings.html", context)


def _drawer(request: HttpRequest, case: Case) -> dict[str, Any] | None:
    wanted = case_frame.some_id(request.GET.get("open"))
    finding = history.marked(history.findings_at(case)).filter(pk=wanted).first() if wanted else None
    if finding is None:
        return None
    stated = json.loads(bytes(finding.payload))
    known = dict(finding.accounts.values_list("account__provider_id", "account__pseudonym"))
    names = Names("", raw=known)
    plain = _renamed(stated, known)
    return {
        "finding": finding,
        "title": names.clean(finding.title),
        "summary": names.clean(finding.summary),
        "support": _scalars(names, plain.get("support")),
        "explanations": _texts(names, plain.get("innocent_explanations")),
        "techniques": _texts(names, plain.get("techniques")),
        "reproduction": _scalars(names, plain.get("reproduction")),
        "payload": names.clean(json.dumps(plain, indent=2, ensure_ascii=False)[:SHOWN_CHARACTERS]),
        "left_out": max(0, len(known) - SHOWN_ACCOUNTS),
        "history": [one for one in versions_of(finding) if one.pk != finding.pk],
        "close": f"?{case_frame.opened(request, '')}",
    }


def _renamed(stated: Stated, known: dict[str, str]) -> Stated:
    """The document with pseudonyms instead of the provider's ids, and the first of its accounts only."""
    listed = stated.get("accounts")
    if not isinstance(listed, list):
        return stated
    shown = [
        {**one, "id": known.get(str(one.get("id")), "–")} if isinstance(one, dict) else "–"
        for one in listed[:SHOWN_ACCOUNTS]
    ]
    return {**stated, "accounts": shown}


def _scalars(names: Names, stated: object) -> list[tuple[str, str]]:
    """The plain members of what a detector wrote; nested ones stay in the document below."""
    if not isinstance(stated, dict):
        return []
    plain = [(key, value) for key, value in stated.items() if isinstance(value, str | int | float)]
    return [(names.clean(str(key)), names.clean(str(value))[:500]) for key, value in plain]


def _texts(names: Names, stated: object) -> list[str]:
    return [names.clean(str(text))[:500] for text in stated] if isinstance(stated, list) else []
