"""The Claims tab: judge the six claims, answer the innocent explanations."""

from collections import defaultdict
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import F, Q, Window
from django.db.models.functions import RowNumber
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from cases import actions, history, queries, testers
from cases.access import case_for
from cases.dossier.plain import visible
from cases.forms import AnswerForm, Citable, JudgementForm
from cases.models import Case, Citation, Judgement, LeadSighting
from cases.models.claims import CITABLE
from cases.views import case_frame, shared
from cases.views.masking import masked
from cases.vocabulary import ALTERNATIVES, REQUIRED_CLAIMS, Claim, Side
from people.policy import requires
from spine.errors import Conflict, Refused

SHORT = {claim.value: claim.label.partition(") ")[2] for claim in Claim}
OF_EACH_SIGNAL = 4  # findings listed to be cited; any other is brought here from its drawer


@requires("cases.read", hidden=True)
@require_safe
def claims(request: HttpRequest, ref: str) -> HttpResponse:
    """Six claims and ten explanations, each with how it stands."""
    return _page(request, case_for(request.user, ref), {})


@requires("cases.read", "cases.write", hidden=True)
@case_frame.posted("case_claims")
def judge(request: HttpRequest, ref: str, letter: str) -> HttpResponse:
    """Judge one claim."""
    if letter not in Claim.values:
        raise Http404("There is no such claim.")
    found = case_for(request.user, ref, write=True)
    items = _citable(found, _named(request.POST))
    form = JudgementForm(request.POST, items=items, auto_id=f"judge_{letter}_%s")
    if not form.is_valid():
        return _page(request, found, {letter: form}, status=422)
    given = {name: form.cleaned_data[name] for name in ("likelihood", "confidence", "rationale", "alternatives")}
    seen = form.cleaned_data["supersedes"]
    actor = shared.person(request)
    try:
        actions.judge(found, actor=actor, claim=letter, citations=form.cited(), supersedes=seen, **given)
    except Refused as refusal:
        newest = history.judgements_at(found).filter(claim=letter).first()
        sent = case_frame.again(request.POST, supersedes=newest.pk if newest else None)
        form = JudgementForm(sent, items=items, auto_id=f"judge_{letter}_%s")
        case_frame.refuse(form, refusal)
        return _page(request, found, {letter: form}, status=shared.status_of(refusal), refusal=refusal)
    messages.success(request, f"Judged claim ({letter}).")
    return _to(ref, f"claim-{letter}")


@requires("cases.read", "cases.write", hidden=True)
@case_frame.posted("case_claims")
def answer_alternative(request: HttpRequest, ref: str, slug: str) -> HttpResponse:
    """Say how one innocent explanation stands."""
    if slug not in ALTERNATIVES:
        raise Http404("There is no such explanation.")
    found = case_for(request.user, ref, write=True)
    form = AnswerForm(request.POST, auto_id=f"answer_{slug}_%s")
    if not form.is_valid():
        return _page(request, found, {slug: form}, status=422)
    try:
        actions.answer_alternative(found, actor=shared.person(request), alternative=slug, **form.cleaned_data)
    except Refused as refusal:
        newest = history.answers_at(found).filter(alternative=slug).first()
        sent = case_frame.again(request.POST, supersedes=newest.pk if newest else None)
        form = AnswerForm(sent, auto_id=f"answer_{slug}_%s")
        case_frame.refuse(form, refusal)
        return _page(request, found, {slug: form}, status=shared.status_of(refusal), refusal=refusal)
    messages.success(request, f"Answered: {ALTERNATIVES[slug]}.")
    return _to(ref, f"alternative-{slug}")


def strip(case: Case) -> list[dict[str, Any]]:
    """The six claims in the shape of partials/claim_strip.html."""
    address = reverse("case_claims", args=[case.ref])
    return [
        {
            "letter": claim.value,
            "short": SHORT[claim.value],
            "address": f"{address}#claim-{claim.value}",
            "required": claim.value in REQUIRED_CLAIMS,
            "judgement": judgement,
        }
        for claim, judgement in queries.claim_strip(case)
    ]


def _to(ref: str, anchor: str) -> HttpResponse:
    return HttpResponseRedirect(f"{reverse('case_claims', args=[ref])}#{anchor}")


def _page(
    request: HttpRequest,
    case: Case,
    bound: case_frame.Bound,
    *,
    status: int = 200,
    refusal: Refused | None = None,
) -> HttpResponse:
    context = case_frame.context(request, case, "case_claims", refusal=refusal)
    conflict = refusal.message if isinstance(refusal, Conflict) else ""
    offered = case_frame.writable(request, case)
    context |= {
        "claims": _claims(request, case, bound, offered, conflict),
        "alternatives": _alternatives(case, bound, offered, conflict),
    }
    return render(request, "cases/case_claims.html", context, status=status)


def _claims(
    request: HttpRequest, case: Case, bound: case_frame.Bound, offered: bool, conflict: str
) -> list[dict[str, Any]]:
    newest = history.judgements_at(case)
    citations = list(history.citations_of(newest))
    older: dict[str, list[Judgement]] = defaultdict(list)
    superseded = case.judgements.filter(superseded_by__isnull=False).select_related("author").order_by("-at", "-id")
    for judgement in superseded:
        older[judgement.claim].append(judgement)
    cited = {(kind, getattr(one, f"{kind}_id")) for one in citations for kind in CITABLE}
    items = _citable(case, cited | _named(request.GET))
    known = {(item.kind, item.id): item for item in items}
    rows = strip(case)
    for row in rows:
        mine = [one for one in citations if row["judgement"] and one.judgement_id == row["judgement"].pk]
        letter = row["letter"]
        row |= {
            "name": Claim(letter).label,
            "citations_for": [_citation(one, known) for one in mine if one.side == Side.FOR],
            "citations_against": [_citation(one, known) for one in mine if one.side == Side.AGAINST],
            "history": older[letter],
            "conflict": conflict if letter in bound else "",
            "form": (bound.get(letter) or _form(letter, row["judgement"], mine, items)) if offered else None,
        }
    return rows


def _form(letter: str, judgement: Judgement | None, mine: list[Citation], items: list[Citable]) -> JudgementForm:
    initial: dict[str, Any] = {}
    if judgement is not None:
        names = ("likelihood", "confidence", "rationale", "alternatives")
        initial = {**{name: getattr(judgement, name) for name in names}, "supersedes": judgement.pk}
    for one in mine:
        kind, item = _item(one)
        initial |= {f"side-{kind}-{item}": one.side, f"note-{kind}-{item}": one.note}
    return JudgementForm(initial=initial, items=items, auto_id=f"judge_{letter}_%s")


def _alternatives(case: Case, bound: case_frame.Bound, offered: bool, conflict: str) -> list[dict[str, Any]]:
    rows = []
    for slug, name, answer in queries.alternatives(case):
        initial = {"state": answer.state, "reason": answer.reason, "supersedes": answer.pk} if answer else {}
        form = bound.get(slug) or AnswerForm(initial=initial, auto_id=f"answer_{slug}_%s")
        rows.append(
            {
                "slug": slug,
                "name": name,
                "answer": answer,
                "sanctioned": testers.count_at(case) if slug == testers.ALTERNATIVE else 0,
                "form": form if offered else None,
                "conflict": conflict if slug in bound else "",
            }
        )
    return rows


def _item(citation: Citation) -> tuple[str, UUID]:
    return next((kind, found) for kind in CITABLE if (found := getattr(citation, f"{kind}_id")) is not None)


def _citation(citation: Citation, known: dict[tuple[str, UUID], Citable]) -> dict[str, str]:
    item = known.get(_item(citation))
    label, address = (item.label, item.address) if item else ("an entry that was taken back since", "")
    return {"label": label, "address": address, "note": citation.note}


def _named(given: QueryDict) -> set[tuple[str, UUID]]:
    """Items that a form or an address names: `side-finding-<id>`, `cite=finding-<id>`."""
    names = [name.removeprefix("side-") for name in given if name.startswith("side-")] + given.getlist("cite")[:20]
    found = set()
    for name in names:
        kind, _, text = name.partition("-")
        item = case_frame.some_id(text)
        if kind in CITABLE and item is not None:
            found.add((kind, item))
    return found


def _citable(case: Case, named: set[tuple[str, UUID]]) -> list[Citable]:
    """What can be cited: every exhibit, cluster and manual entry, the strongest findings, and what is named."""
    at = {name: reverse(name, args=[case.ref]) for name in ("case_evidence", "case_timeline", "case_findings")}
    items = [
        Citable(
            "evidence", one.pk, visible(f"{one.exhibit}: {one.title}"), f"{at['case_evidence']}#exhibit-{one.number}"
        )
        for one in history.evidence_at(case)
    ]
    leads = dict(LeadSighting.objects.filter(cluster__cases__case=case).values_list("cluster_id", "lead_id"))
    for cluster in history.clusters_at(case):
        address = reverse("lead", args=[leads[cluster.pk]]) if cluster.pk in leads else ""
        items.append(Citable("cluster", cluster.pk, f"Cluster: {visible(cluster.title)}", address))
    for note in history.notes_at(case):
        address = f"{at['case_timeline']}#note-{note.pk}"
        items.append(Citable("timeline_note", note.pk, f"Timeline: {visible(note.text)[:120]}", address))
    strongest = _strongest(case)
    wanted = Q(id__in=[*strongest, *(item for kind, item in named if kind == "finding")])
    found = list(history.findings_at(case).filter(wanted).defer("payload").order_by("-score", "id"))
    clean = masked(one.title for one in found)
    for one in found:
        address = f"{at['case_findings']}?open={one.pk}"
        items.append(
            Citable("finding", one.pk, f"Finding: {visible(clean(one.title))} (…{visible(one.uid[-8:])})", address)
        )
    return items


def _strongest(case: Case) -> list[UUID]:
    """The strongest findings of each signal, so that one signal's many do not hide the others."""
    rank = Window(RowNumber(), partition_by="signal", order_by=[F("score").desc(), F("id").asc()])
    ranked = history.findings_at(case).annotate(rank=rank).filter(rank__lte=OF_EACH_SIGNAL)
    return list(ranked.order_by().values_list("id", flat=True))
