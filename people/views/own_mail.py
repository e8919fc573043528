"""One's own mail address: given, confirmed by the link that was mailed there, cleared."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache

from people import actions as verbs
from people.forms import MailForm
from people.models import MailAddress
from people.policy import signed_in
from people.reauth import recently_proven
from people.views.shared import person, refuse
from spine.errors import Refused


@signed_in
@never_cache
def mail(request: HttpRequest) -> HttpResponseBase:
    """The page, with the button that confirms when one comes by the link; what is posted says what to do."""
    if request.method != "POST":
        return _page(request)
    if request.POST.get("do") == "confirm":
        return _confirmed(request)
    if request.POST.get("do") == "clear":
        return _cleared(request)
    return _set(request)


@recently_proven
def _set(request: HttpRequest) -> HttpResponse:
    form = MailForm(request.POST, auto_id="mail_%s")
    if not form.is_valid():
        return _page(request, form, status=422)
    try:
        verbs.set_mail_address(actor=person(request), address=form.cleaned_data["address"])
    except Refused as refusal:
        return _page(request, form, status=refuse(form, refusal))
    messages.success(request, "A link is on its way to that address. Open it, signed in as yourself.")
    return redirect("own_mail")


def _confirmed(request: HttpRequest) -> HttpResponse:
    try:
        verbs.confirm_mail_address(actor=person(request), proof=request.POST.get("proof", ""))
    except Refused as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, "Your mail address is confirmed.")
    return redirect("own_mail")


def _cleared(request: HttpRequest) -> HttpResponse:
    who = person(request)
    try:
        verbs.clear_mail_address(who, actor=who.principal)
    except Refused as refusal:
        messages.info(request, refusal.message)
    else:
        messages.success(request, "Nothing is mailed to you any more.")
    return redirect("own_mail")


def _page(request: HttpRequest, form: MailForm | None = None, *, status: int = 200) -> HttpResponse:
    row = MailAddress.objects.filter(user=person(request)).first()
    context = {
        "page_title": "Your mail address",
        "crumbs": [("You", reverse("me")), ("Mail", "")],
        "row": row,
        "proof": request.GET.get("proof", "")[:1000] if row is not None and row.confirmed_at is None else "",
        "form": form
        or MailForm(
            initial={"address": row.address if row is not None and row.confirmed_at is None else ""}, auto_id="mail_%s"
        ),
    }
    return render(request, "people/own_mail.html", context, status=status)
