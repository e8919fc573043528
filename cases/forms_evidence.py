"""Forms of an exhibit's own page: they check shape only, the verbs check the rules."""

from typing import Any

from django import forms

from cases.actions.custody import MANUAL
from cases.forms import MomentField
from cases.models import CustodyEvent
from cases.redaction import REASONS
from cases.vocabulary import CUSTODY_MEANINGS


class CustodyForm(forms.Form):
    """Record what somebody did with an exhibit outside Retort."""

    action = forms.ChoiceField(label="What happened")
    at = MomentField(label="When", help_text="UTC, as stated")
    who = forms.CharField(required=False, max_length=200, label="Who did it", help_text="Left empty: you.")
    party = forms.CharField(
        required=False, max_length=200, label="To or from whom", help_text="Needed for a request, a transfer, a return."
    )
    answers = forms.ChoiceField(required=False, label="Which transfer it acknowledges", help_text="For a receipt.")
    where = forms.CharField(max_length=200, label="Where")
    why = forms.CharField(max_length=300, label="Why", help_text="The authority or the purpose.")
    how = forms.CharField(max_length=300, label="How", help_text="The method: by courier, on an encrypted disk …")
    tool = forms.CharField(required=False, max_length=100)
    tool_version = forms.CharField(required=False, max_length=100, label="Its version")
    sha256 = forms.CharField(
        required=False, max_length=64, label="SHA-256 there", help_text="If the bytes were hashed there and then."
    )

    def __init__(self, *args: Any, open_transfers: list[CustodyEvent] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        told = [(one.value, f"{one.label} – {CUSTODY_MEANINGS[one.value]}") for one in MANUAL]
        self.fields["action"].choices = told  # type: ignore[attr-defined]
        waiting = [(str(one.id), f"to {one.party}, {one.at:%d %b %Y %H:%M} UTC") for one in open_transfers or []]
        self.fields["answers"].choices = [("", "none"), *waiting]  # type: ignore[attr-defined]
        if not waiting:
            del self.fields["answers"]


class RedactionForm(forms.Form):
    """Propose what is to be taken out of a text exhibit."""

    texts = forms.CharField(
        required=False,
        strip=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 4}),
        label="Texts to take out, one a line",
        help_text="Each is taken out wherever it stands.",
    )
    stretches = forms.CharField(
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 2}),
        label="Or stretches, one a line",
        help_text="From and up to which character, counted from 0: 120-180.",
    )
    code = forms.ChoiceField(choices=list(REASONS.items()), label="Why")
    note = forms.CharField(required=False, max_length=500, help_text="For who decides. Do not repeat the text here.")


class DecisionForm(forms.Form):
    """Decide a proposed redaction."""

    answer = forms.ChoiceField(
        choices=[("approve", "Approve: make the redacted exhibit"), ("decline", "Decline, with a note")],
        widget=forms.RadioSelect,
    )
    note = forms.CharField(required=False, max_length=500)
