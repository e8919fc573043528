"""The Accounts tab: filter, look at one account, decide about those picked or about all that match, take that back."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from cases import actions, queries, testers
from cases.access import case_for, job_for
from cases.actions import bulk
from cases.actions.base import name_of
from cases.filters import NO_VERDICT, AccountFilter, matching
from cases.forms import UndoForm, VerdictForm
from cases.models import Case, CaseAccount
from cases.views import case_frame, detaching, shared
from cases.views.masking import masked
from cases.vocabulary import VerdictValue
from detection.models import Account
from people.policy import requires
from people.rights import may
from spine.errors import Refused
from spine.models import Job, JobState

DECISIONS = 5
# The heads of the table: label, order, whether that falls, whether it holds numbers, whether it gives way to a drawer.
COLUMNS = (
    ("Account", "pseudonym", False, False, False),
    ("Verdict", "", False, False, False),
    ("Tied by", "", False, False, True),
    ("Strength", "strength", True, True, False),
    ("Exchanges", "volume", True, True, False),
    ("Output tokens", "output", True, True, False),
    ("Seen (UTC)", "first_seen", False, False, True),
)


@dataclass(frozen=True)
class Row:
    """An account of the list and the query that opens its drawer."""

    held: CaseAccount
    drawer_query: str
    mark: testers.Mark | None


@dataclass(frozen=True)
class Matching:
    """How many accounts match, and how many of them have each verdict already: what the page showed."""

    counts: dict[str, int]

    @property
    def total(self) -> int:
        """All that match."""
        return sum(self.counts.values())


@requires("cases.read", "cases.write", hidden=True)
@shared.refused_page
def accounts(request: HttpRequest, ref: str) -> HttpResponse:
    """The list; a post decides about accounts of it."""
    if request.method == "POST":
        return _decide(request, ref)
    return page(request, case_for(request.user, ref), VerdictForm())


@requires("cases.read", "cases.write", hidden=True)
@case_frame.posted("case_accounts")
def undo_verdicts(request: HttpRequest, ref: str, pk: UUID) -> HttpResponse:
    """Take a decision about all that matched back."""
    job = job_for(request.user, ref, pk, write=True)
    form = UndoForm(request.POST)
    reason = form.cleaned_data["reason"] if form.is_valid() else request.POST.get("reason", "")
    try:
        undo = actions.undo_verdicts(job, actor=shared.person(request), reason=reason)
    except Refused as refusal:
        found = case_for(request.user, ref)
        return page(request, found, VerdictForm(), status=shared.status_of(refusal), refusal=refusal)
    return HttpResponseRedirect(f"{reverse('case_accounts', args=[ref])}?job={undo.pk}")


def _decide(request: HttpRequest, ref: str) -> HttpResponse:
    found = case_for(request.user, ref, write=True)
    form = VerdictForm(request.POST)
    if not form.is_valid():
        return page(request, found, form, status=422)
    try:
        job = _set(request, found, form)
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        now = case_for(request.user, ref)
        return page(request, now, form, status=shared.status_of(refusal), refusal=refusal)
    if job is None:
        messages.success(
            request, f"Decided: {VerdictValue(form.cleaned_data['value']).label}.{_on_the_list(request, found)}"
        )
    query = request.GET.copy()
    query.pop("job", None)
    if job is not None:
        query["job"] = str(job.pk)
    return HttpResponseRedirect(f"{request.path}?{query.urlencode()}" if query else request.path)


def _set(request: HttpRequest, found: Case, form: VerdictForm) -> Job | None:
    """All that match as a job, or those picked at once."""
    actor, value, reason = shared.person(request), form.cleaned_data["value"], form.cleaned_data["reason"]
    if "all_matching" in request.POST:
        expected = shared.whole(request.POST.get("matching")) - shared.whole(request.POST.get(f"already_{value}"))
        wanted = _filter(request)
        return actions.set_verdicts_matching(
            found, wanted, actor=actor, value=value, reason=reason, expected_count=expected
        )
    seen = dict(pair.split(":", 1) for pair in request.POST.getlist("seen") if ":" in pair)
    picked = [case_frame.some_id(text) for text in request.POST.getlist("account")]
    picks = {pk: case_frame.some_id(seen.get(str(pk))) for pk in picked if pk is not None}
    actions.set_verdicts_picked(found, picks, actor=actor, value=value, reason=reason)
    return None


def _tester_chips(request: HttpRequest, case: Case, wanted: AccountFilter) -> list[dict[str, Any]]:
    """A filter by the list of sanctioned testers, where it names an account of the case."""
    count = testers.count_at(case)
    if not count and not wanted.tester:
        return []
    choices = [("", "whether sanctioned tester or not"), ("yes", "sanctioned testers"), ("no", "no sanctioned tester")]
    return shared.chips(request, "tester", choices, {"yes": count}, wanted.tester)


def _on_the_list(request: HttpRequest, found: Case) -> str:
    """How many of those picked stand on the list of sanctioned testers; nothing is changed by that."""
    picked = [pk for text in request.POST.getlist("account") if (pk := case_frame.some_id(text))]
    count = testers.among(CaseAccount.objects.filter(case=found, pk__in=picked)).count()
    are = "is" if count == 1 else "are"
    return f" {count:,} of them {are} on the list of sanctioned testers." if count else ""


def _filter(request: HttpRequest) -> AccountFilter:
    verdict = request.GET.get("verdict", "")
    known = {NO_VERDICT, *VerdictValue.values}
    tester = request.GET.get("tester", "")
    return AccountFilter(
        verdict=verdict if verdict in known else "",
        text=shared.searched(request),
        tester=tester if tester in {"yes", "no"} else "",
    )


def page(
    request: HttpRequest,
    case: Case,
    form: VerdictForm,
    *,
    bound: case_frame.Bound | None = None,
    status: int = 200,
    refusal: Refused | None = None,
) -> HttpResponse:
    """The tab, with forms that were just refused."""
    wanted, order = _filter(request), request.GET.get("order", "")
    listed = queries.account_page(case, wanted, order=order, cursor=request.GET.get("cursor", ""))
    match, counts = _matching(case, wanted), queries.verdict_counts(case)
    counts = {NO_VERDICT: counts.pop(""), **counts}
    choices = [("", "all"), *VerdictValue.choices, (NO_VERDICT, "not judged")]
    marks = testers.marks(listed.rows)
    picked = set(request.POST.getlist("account"))
    context: dict[str, Any] = {
        **case_frame.context(request, case, "case_accounts", refusal=refusal),
        "chips": shared.chips(request, "verdict", choices, {**counts, "": sum(counts.values())}, wanted.verdict),
        "q": wanted.text,
        "keep": shared.kept(request, "verdict", "order", "tester"),
        "without_testers": shared.address(request, tester="no"),
        "tester_chips": _tester_chips(request, case, wanted),
        "columns": _columns(request, order if order in queries.ACCOUNT_ORDERS else "volume"),
        "accounts": [
            Row(held, case_frame.opened(request, held.account.pseudonym), marks.get(held.account_id))
            for held in listed.rows
        ],
        "picked": picked,
        "pages": shared.pages(request, listed, "accounts", total=match.total),
        "verdict_form": form if case_frame.writable(request, case) else None,
        "match": match,
        "download": list(wanted.as_args().items()) or [("text", "")]
        if may(request.user, "accounts.identify")
        else None,
        "sanctioned": testers.among(matching(case, wanted)).count(),
        "filter_text": wanted.in_words(),
        "decisions": _decisions(case),
        "drawer": _drawer(request, case),
        **detaching.held(request, case, bound or {}),
    }
    return render(request, "cases/case_accounts.html", context, status=status)


def _columns(request: HttpRequest, order: str) -> list[dict[str, Any]]:
    return [
        {
            "label": label,
            "address": shared.address(request, order=key) if key else "",
            "sort": ("descending" if falls else "ascending") if key and key == order else "",
            "numeric": numeric,
            "extra": extra,
        }
        for label, key, falls, numeric, extra in COLUMNS
    ]


def _matching(case: Case, wanted: AccountFilter) -> Matching:
    counted = matching(case, wanted).order_by().values_list("value").annotate(n=Count("id"))
    return Matching(dict(counted))


def _decisions(case: Case) -> list[dict[str, Any]]:
    """The newest decisions about all that matched, each with how many of its verdicts still stand."""
    standing = CaseAccount.objects.filter(case=case, verdict__job_id=OuterRef("pk")).order_by()
    counted = standing.values("case").annotate(n=Count("id")).values("n")
    done = Job.objects.filter(scope=case.id, kind=bulk.KIND, state=JobState.DONE, args__has_key="filter")
    rows = done.annotate(standing=Coalesce(Subquery(counted), 0)).order_by("-finished_at")[:DECISIONS]
    return [
        {
            "job": job,
            "value": job.args["value"],
            "word": VerdictValue(job.args["value"]).label,
            "filter_text": AccountFilter.of(job.args["filter"]).in_words(),
            "count": job.args["count"],
            "standing": job.standing,
            "reason": job.args["reason"],
            "by": name_of(job.actor),
        }
        for job in rows
    ]


def _drawer(request: HttpRequest, case: Case) -> dict[str, Any] | None:
    """One account beside the list, by its pseudonym."""
    name = request.GET.get("open", "").replace("\x00", "")
    account = Account.objects.filter(pseudonym=name, cases__case=case).first() if name else None
    view = queries.account_view(case, account) if account else None
    if account is None or view is None:
        return None
    clean = masked(finding.title for finding in view.findings)
    findings = reverse("case_findings", args=[case.ref])
    return {
        "account": account,
        "case_account": view.held,
        "member": view.held.member,
        "mark": testers.marks([view.held]).get(account.pk),
        "links": view.links,
        "findings": [
            {"finding": one, "title": clean(one.title), "address": f"{findings}?open={one.pk}"} for one in view.findings
        ],
        "verdicts": view.verdicts,
        "close": f"?{case_frame.opened(request, '')}",
    }
