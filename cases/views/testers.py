"""The list of sanctioned testers: who may test until when, listed, ended, and looked up by the provider's id."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from cases import paging, testers
from cases.actions import testers as verbs
from cases.forms_testers import EndTestForm, ListTestForm, LookUpForm
from cases.models import SanctionedAccount, SanctionedTest
from cases.views import case_frame, shared
from detection.pseudonyms import pseudonym
from people.policy import requires
from people.rights import may
from spine.errors import Refused

NAMESPACE = "default"
SHOWN = 200  # pseudonyms of one test on the page


@requires("testers.read", "testers.write")
@shared.refused_page
def tests(request: HttpRequest) -> HttpResponse:
    """Every test, newest first; a post lists one."""
    if request.method != "POST":
        return _page(request, ListTestForm(auto_id="list_%s"))
    form = ListTestForm(request.POST, request.FILES, auto_id="list_%s")
    if not form.is_valid():
        return _page(request, form, status=422)
    given = {name: value for name, value in form.cleaned_data.items() if name not in {"accounts", "file"}}
    try:
        test = verbs.list_test(actor=shared.person(request), provider_ids=form.provider_ids(), **given)
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return _page(request, form, status=shared.status_of(refusal), refusal=refusal)
    messages.success(request, f"Listed: {test.accounts:,} {'account' if test.accounts == 1 else 'accounts'}.")
    return redirect("testers")


@requires("testers.read", "testers.write")
def end_test(request: HttpRequest, pk: UUID) -> HttpResponse:
    """End a test before its time."""
    if request.method != "POST":
        return redirect("testers")
    test = SanctionedTest.objects.filter(pk=pk).first()
    if test is None:
        raise Http404("There is no such test.")
    form = EndTestForm(request.POST, auto_id=f"end_{pk}_%s")
    refusal = None
    if form.is_valid():
        try:
            verbs.end_test(test, actor=shared.person(request), **form.cleaned_data)
        except Refused as told:
            refusal = told
            case_frame.refuse(form, told)
        else:
            messages.success(request, "Ended. What its accounts do from now on is not covered.")
            return redirect("testers")
    status = shared.status_of(refusal) if refusal else 422
    return _page(request, ListTestForm(auto_id="list_%s"), status=status, refusal=refusal, ending={pk: form})


@requires("testers.read")
def look_up(request: HttpRequest) -> HttpResponse:
    """Which of some accounts stand on the list. The ids travel in the form, never in an address."""
    if request.method != "POST":
        return redirect("testers")
    form = LookUpForm(request.POST, auto_id="find_%s")
    fresh = ListTestForm(auto_id="list_%s")
    if not form.is_valid():
        return _page(request, fresh, status=422, look_up_form=form)
    try:
        ids = verbs.checked_ids(form.cleaned_data["accounts"].splitlines())
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return _page(request, fresh, status=422, look_up_form=form)
    found = testers.look_up(ids, NAMESPACE)
    rows = [{"name": pseudonym(one.namespace, one.provider_id), "test": one.test, "until": one.until} for one in found]
    answer = {"asked": len(ids), "rows": rows}
    return _page(request, fresh, look_up_form=LookUpForm(auto_id="find_%s"), answer=answer)


def _page(
    request: HttpRequest,
    form: ListTestForm,
    *,
    status: int = 200,
    refusal: Refused | None = None,
    ending: dict[UUID, EndTestForm] | None = None,
    look_up_form: LookUpForm | None = None,
    answer: dict[str, Any] | None = None,
) -> HttpResponse:
    page = paging.page(testers.tests(), ("-at", "-id"), cursor=request.GET.get("cursor", ""))
    writes = may(request.user, "testers.write")
    now = timezone.now()
    rows = []
    for test in page.rows:
        offered = writes and not hasattr(test, "end") and test.ends_at > now
        end_form = (ending or {}).get(test.pk) or EndTestForm(auto_id=f"end_{test.pk}_%s")
        rows.append(
            {
                "test": test,
                "state": "over" if test.until <= now else "to come" if test.starts_at > now else "open",
                "names": _names(test),
                "end_form": end_form if offered else None,
            }
        )
    context = {
        "section": "testers",
        "page_title": "Sanctioned testers",
        "tests": rows,
        "pages": shared.pages(request, page, "tests"),
        "list_form": form if writes else None,
        "look_up_form": look_up_form or LookUpForm(auto_id="find_%s"),
        "answer": answer,
        "refusal": refusal,
    }
    return render(request, "cases/testers.html", context, status=status)


def _names(test: SanctionedTest) -> list[str]:
    listed = SanctionedAccount.objects.filter(test=test).order_by("pk")[:SHOWN]
    return [pseudonym(one.namespace, one.provider_id) for one in listed]
