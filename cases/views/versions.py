"""What newer runs see otherwise than a case: told on its page, taken in or left by people."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse

from cases import versions
from cases.access import case_for
from cases.actions.versions import answer_version
from cases.forms import lines
from cases.models import Case, NewerVersionAnswer
from cases.views import case_frame, shared
from people.policy import requires
from spine.errors import Refused

SHOWN = 5


class StaysForm(forms.Form):
    """Why the case stays as it is."""

    words = forms.CharField(max_length=2000, widget=lines(2), label="Why the case stays as it is")


@requires("cases.read", "cases.write", hidden=True)
@case_frame.posted("case")
def answer_newer(request: HttpRequest, ref: str, pk: UUID) -> HttpResponse:
    """Take a newer version's accounts in, or say why the case stays as it is."""
    case = case_for(request.user, ref, write=True)
    version = get_object_or_404(versions.told([case]), pk=pk)
    taken = request.POST.get("do") == "take"
    kind = NewerVersionAnswer.Kind.TAKEN if taken else NewerVersionAnswer.Kind.STAYS
    try:
        answer_version(version, actor=shared.person(request), kind=kind, words=request.POST.get("words", ""))
    except Refused as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, "Its accounts are in the case." if taken else "The case stays as it is.")
    return redirect(f"{reverse('case', args=[ref])}#newer")


def of_case(request: HttpRequest, case: Case) -> list[dict[str, Any]]:
    """What the case was told, newest first, with a form where an answer waits and may be given."""
    waiting = {one.pk for one in versions.standing(case)}
    writes = case_frame.writable(request, case)
    return [
        {
            "version": one,
            "text": versions.sentence(one),
            "answer": getattr(one, "answer", None),
            "stands": one.pk in waiting,
            "form": StaysForm(auto_id=f"newer_{one.pk}_%s") if writes and one.pk in waiting else None,
        }
        for one in versions.told([case])[:SHOWN]
    ]
