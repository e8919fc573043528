"""Redacting a text exhibit: the marks over the original, proposed by one person and decided by a second."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.template.defaultfilters import pluralize
from django.urls import reverse

from cases import actions, redaction
from cases.access import case_for, evidence_for, proposal_for
from cases.actions import redactions as verbs
from cases.forms_evidence import DecisionForm, RedactionForm
from cases.models import EvidenceItem, RedactionProposal
from cases.redaction import Mark
from cases.views import case_frame, shared
from people.policy import requires
from spine import vault
from spine.errors import Refused

SHOWN = 200_000
# Opening the form, trying marks and being refused are one view of the text; who comes back later is shown it anew.
ONE_VIEW = timedelta(minutes=15)
STRETCH = re.compile(r"^\s*(\d{1,9})\s*[-–]\s*(\d{1,9})\s*$")


@requires("cases.read", hidden=True)
@shared.refused_page
def redact_evidence(request: HttpRequest, ref: str, number: int) -> HttpResponse:
    """The original with the marks of a proposal over it, and a form for a proposal. Showing it is a custody event."""
    item = evidence_for(request.user, ref, number)
    if request.method != "POST":
        return _page(request, item, RedactionForm(auto_id="redact_%s"))
    case_for(request.user, ref, write=True)
    form = RedactionForm(request.POST, auto_id="redact_%s")
    if not form.is_valid():
        return _page(request, item, form, status=422)
    given = form.cleaned_data
    try:
        proposal = verbs.propose_redaction(
            item,
            actor=shared.person(request),
            marks=_stretches(given["stretches"], given["code"]),
            texts=[line for line in given["texts"].replace("\r\n", "\n").split("\n") if line.strip()],
            code=given["code"],
            note=given["note"],
        )
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return _page(request, item, form, status=shared.status_of(refusal), refusal=refusal)
    places = len(proposal.marks)
    said = f"Proposed: {places:,} place{pluralize(places)}. A second person has to decide."
    messages.success(request, said)
    return HttpResponseRedirect(f"{reverse('redact_evidence', args=[ref, number])}?proposal={proposal.id}")


@requires("cases.read", hidden=True)
def decide_redaction(request: HttpRequest, ref: str, pk: UUID) -> HttpResponse:
    """Approve or decline a proposal."""
    write = request.method == "POST"
    proposal = proposal_for(request.user, ref, pk, write=write)
    address = reverse("redact_evidence", args=[ref, proposal.item.number])
    if not write:
        return redirect(f"{address}?proposal={pk}")
    form = DecisionForm(request.POST, auto_id="decide_%s")
    if not form.is_valid():
        return _page(request, proposal.item, RedactionForm(auto_id="redact_%s"), decide=form, asked=pk, status=422)
    try:
        approve = form.cleaned_data["answer"] == "approve"
        verbs.decide_redaction(proposal, actor=shared.person(request), approve=approve, note=form.cleaned_data["note"])
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        blank = RedactionForm(auto_id="redact_%s")
        status = shared.status_of(refusal)
        return _page(request, proposal.item, blank, decide=form, asked=pk, status=status, refusal=refusal)
    messages.success(request, "Approved: the redacted exhibit is being made." if approve else "Declined.")
    return redirect("exhibit", ref, proposal.item.number)


def _page(
    request: HttpRequest,
    item: EvidenceItem,
    form: RedactionForm,
    *,
    decide: DecisionForm | None = None,
    asked: UUID | None = None,
    status: int = 200,
    refusal: Refused | None = None,
) -> HttpResponse:
    chosen = asked or case_frame.some_id(request.GET.get("proposal"))
    proposals = list(
        RedactionProposal.objects.filter(item=item).select_related("proposer", "decision__decider").order_by("-at")
    )
    shown = next((one for one in proposals if one.id == chosen), None) or (proposals[0] if proposals else None)
    try:
        actions.record_view(item, actor=shared.person(request), purpose="redaction", within=ONE_VIEW)
    except vault.Missing as missing:
        raise Refused(f"{item.exhibit} cannot be shown: {missing}.") from None
    writes = case_frame.writable(request, item.case)
    waits = shown is not None and not hasattr(shown, "decision")
    mine = shown is not None and shown.proposer_id == request.user.pk
    context = {
        **case_frame.context(request, item.case, "case_evidence", refusal=refusal),
        "page_title": f"{item.case.ref} {item.exhibit}: redaction",
        "item": item,
        "proposals": [{"proposal": one, "shown": one is shown} for one in proposals],
        "shown": shown,
        "cut": item.size > SHOWN,
        "pieces": _pieces(item, shown),
        "form": form if writes else None,
        "decide_form": (decide or DecisionForm(auto_id="decide_%s")) if writes and waits and not mine else None,
        "waits_for_other": waits and mine,
        "reasons": redaction.REASONS.items(),
    }
    return render(request, "cases/redact.html", context, status=status)


def _pieces(item: EvidenceItem, proposal: RedactionProposal | None) -> list[dict[str, str]]:
    """The beginning of the text, cut at the marks, with the reason of each marked piece."""
    text = verbs.content_of(item)[:SHOWN]
    marks = [Mark(*mark) for mark in proposal.marks] if proposal else []
    kept = [Mark(mark.start, min(mark.end, len(text)), mark.code) for mark in marks if mark.start < len(text)]
    return [{"text": piece, "reason": redaction.REASONS.get(code, "")} for piece, code in redaction.pieces(text, kept)]


def _stretches(text: str, code: str) -> list[Mark]:
    marks: list[Any] = []
    for line in text.splitlines():
        if not line.strip():
            continue
        found = STRETCH.match(line)
        if found is None:
            raise Refused(f"{line.strip()!r} is no stretch such as 120-180.", field="stretches")
        marks.append(Mark(int(found[1]), int(found[2]), code))
    return marks
