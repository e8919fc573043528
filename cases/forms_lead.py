"""Forms of the lead page: shape only, the verbs check the rules."""

from typing import Any

from django import forms

from cases.forms import PersonChoice
from cases.models import Case
from cases.vocabulary import RejectReason
from people.models import Role, User
from people.rights import RIGHTS


class SeenForm(forms.Form):
    """Carries the version of the cluster that its reader saw, so that a newer one is noticed."""

    cluster = forms.UUIDField(widget=forms.HiddenInput)


class OpenForm(SeenForm):
    """Open a case."""

    title = forms.CharField(max_length=200, help_text="What is suspected, in neutral words.")
    summary = forms.CharField(
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="The allegation in two sentences. It can wait, but escalation needs it.",
    )


class JoinForm(SeenForm):
    """Join to a case that is not closed."""

    case = forms.ModelChoiceField(
        queryset=Case.objects.none(), to_field_name="ref", empty_label="Choose a case", help_text="Open cases only."
    )


class RejectForm(SeenForm):
    """Reject with a reason."""

    reason = forms.ChoiceField(choices=[("", "Choose a reason"), *RejectReason.choices])
    note = forms.CharField(
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What you looked at. Needed when the reason is another one.",
    )


class SnoozeForm(SeenForm):
    """Out of the queue until a day, or until it has grown."""

    days = forms.TypedChoiceField(
        coerce=int,
        choices=[(1, "a day"), (7, "a week"), (30, "30 days"), (90, "90 days"), (365, "a year")],
        initial=7,
        label="For",
    )
    factor = forms.TypedChoiceField(
        coerce=float,
        empty_value=None,
        required=False,
        choices=[
            ("", "no matter how it grows"),
            (1.5, "half as many again"),
            (2, "twice as many"),
            (5, "five times as many"),
        ],
        initial=2,
        label="Or until it has this many accounts",
    )
    note = forms.CharField(required=False, max_length=2000, label="Why", widget=forms.Textarea(attrs={"rows": 2}))


class KeepApartForm(SeenForm):
    """Picked accounts are not the same operation as the rest, or as each other."""

    against = forms.ChoiceField(
        choices=[("rest", "all other accounts of this lead"), ("each_other", "each other (pick two)")],
        label="Not the same operation as",
    )
    reason = forms.CharField(max_length=2000, widget=forms.TextInput(attrs={"placeholder": "What you looked at"}))


class JoinAgainForm(forms.Form):
    """They may be joined again."""

    reason = forms.CharField(max_length=2000, label="Why", widget=forms.TextInput)


class ReopenForm(forms.Form):
    """Put a rejected lead back."""

    note = forms.CharField(required=False, max_length=2000, label="Why", widget=forms.Textarea(attrs={"rows": 2}))


class AssignLeadForm(forms.Form):
    """Give the lead to somebody who may decide about it, or to nobody; `expected` is who had it on the page."""

    assignee = PersonChoice(queryset=User.objects.none(), required=False, empty_label="nobody")
    expected = PersonChoice(queryset=User.objects.none(), required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        roles = [role for role in Role.values if "leads.write" in RIGHTS[role]]
        able = User.objects.filter(is_active=True, role__in=roles).order_by("username")
        self.fields["assignee"].queryset = able  # type: ignore[attr-defined]
        self.fields["expected"].queryset = User.objects.all()  # type: ignore[attr-defined]
