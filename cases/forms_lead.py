"""Forms of the lead page: shape only, the verbs check the rules."""

from django import forms

from cases.models import Case
from cases.vocabulary import RejectReason


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


class ReopenForm(forms.Form):
    """Put a rejected lead back."""

    note = forms.CharField(required=False, max_length=2000, label="Why", widget=forms.Textarea(attrs={"rows": 2}))
