"""Lists of accounts: paste or upload ids and see what is known of them, and download lists for enforcement."""

from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse

from cases import account_lists
from cases.access import case_for, lead_for
from cases.account_lists import Known
from cases.actions import lists
from cases.api.account_lists import members_of, stated_in
from cases.api.shared import attachment
from cases.filters import AccountFilter
from cases.forms import lines
from cases.views import case_frame, shared
from people.policy import requires
from spine.errors import Refused

SHOWN = 500
MOST_BYTES = 2 * 1024 * 1024
LONGEST = f"one has at most {account_lists.LONGEST_ID} characters"


class IdsForm(forms.Form):
    """Ids, pasted or in a file; both count."""

    ids = forms.CharField(
        required=False,
        max_length=MOST_BYTES,
        widget=lines(8),
        label="Account ids",
        help_text="By the provider's id, one a line; of a CSV line the first cell counts.",
    )
    file = forms.FileField(required=False, label="Or a file of them", help_text="Text or CSV, at most 2 MB.")

    def clean_file(self) -> str:
        """The file's text."""
        given = self.cleaned_data["file"]
        if given is None:
            return ""
        if given.size > MOST_BYTES:
            raise ValidationError("The file is larger than 2 MB.")
        try:
            return str(given.read().decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise ValidationError("The file is not text in UTF-8.") from None

    def clean(self) -> None:
        """What is wrong with a list stands under it, with its line."""
        for name in ("ids", "file"):
            found = account_lists.ids_in(self.cleaned_data.get(name, ""))
            bad = [line for one, line in found.items() if not account_lists.is_id(one)]
            if bad:
                self.add_error(name, f"What stands in line {bad[0]:,} is no account's id: {LONGEST}.")
            elif len(found) > account_lists.MOST_IDS:
                self.add_error(name, f"{len(found):,} ids are in it; at most {account_lists.MOST_IDS:,} fit.")

    def found(self) -> list[str]:
        """The ids of both."""
        both = [*account_lists.ids_in(self.cleaned_data["ids"]), *account_lists.ids_in(self.cleaned_data["file"])]
        return list(dict.fromkeys(both))


class AgainForm(forms.Form):
    """The ids that were asked about, sent along with the download."""

    ids = forms.CharField(widget=forms.Textarea(attrs={"hidden": True, "aria-hidden": "true"}))


@requires("leads.read")
def account_lookup(request: HttpRequest) -> HttpResponseBase:
    """A form for ids, and what is known of them; with `do=download` the same as a file."""
    if request.method != "POST":
        return _page(request, IdsForm(auto_id="lookup_%s"))
    form = IdsForm(request.POST, request.FILES, auto_id="lookup_%s")
    if not form.is_valid():
        return _page(request, form, status=422)
    ids, actor = form.found(), shared.person(request)
    try:
        if request.POST.get("do") == "download":
            found = lists.export_known(actor=actor, provider_ids=ids)
            rows = account_lists.as_csv(account_lists.KNOWN_COLUMNS, account_lists.known_rows(found))
            return attachment(rows, name="accounts.csv", media_type="text/csv; charset=utf-8")
        return _page(request, form, lists.look_up(actor=actor, provider_ids=ids))
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return _page(request, form, refusal=refusal)


def _quoted(found: list[Known]) -> list[str]:
    """Each id as a line that is read as that id again."""
    return ['"' + one.provider_id.replace('"', '""') + '"' for one in found]


def _page(
    request: HttpRequest,
    form: IdsForm,
    found: list[Known] | None = None,
    *,
    refusal: Refused | None = None,
    status: int = 200,
) -> HttpResponse:
    context: dict[str, Any] = {
        "section": "accounts",
        "page_title": "Accounts",
        "form": form,
        "rows": (found or [])[:SHOWN],
        "asked": len(found or []),
        "known": sum(one.account is not None for one in found or []),
        "in_cases": sum(bool(one.cases) for one in found or []),
        "shown": SHOWN,
        "again_form": AgainForm(initial={"ids": "\n".join(_quoted(found or []))}, auto_id="again_%s"),
        "refusal": refusal,
    }
    return render(request, "accounts/lookup.html", context, status=shared.status_of(refusal) if refusal else status)


@requires("cases.read", "accounts.identify", hidden=True)
@shared.refused_page
def download_accounts(request: HttpRequest, ref: str) -> HttpResponseBase:
    """The accounts of a case that match the filter of the address, by the provider's ids."""
    if request.method != "POST":
        return redirect(f"{reverse('case_accounts', args=[ref])}")
    case = case_for(request.user, ref)
    wanted = AccountFilter.of(request.POST.dict())
    rows = lists.export_accounts(case, actor=shared.person(request), wanted=wanted)
    content = account_lists.as_csv(account_lists.CASE_COLUMNS, account_lists.case_rows(rows))
    return attachment(content, name=f"{case.ref}-accounts.csv", media_type="text/csv; charset=utf-8")


@requires("leads.read", "accounts.identify")
def download_lead_accounts(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """The members of a lead, by the provider's ids."""
    if request.method != "POST":
        return redirect("lead", pk)
    return members_of(lead_for(request.user, pk), actor=shared.person(request))


@requires("leads.read", "accounts.identify")
def download_finding_accounts(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """The accounts a finding names, by the provider's ids."""
    if request.method != "POST":
        return redirect(f"{reverse('findings')}?open={pk}")
    return stated_in(pk, actor=shared.person(request))
