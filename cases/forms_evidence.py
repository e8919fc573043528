"""Forms of an exhibit's own page: they check shape only, the verbs check the rules."""

from typing import Any

from django import forms

from cases.actions.custody import MANUAL
from cases.forms import MomentField
from cases.kinds import ADDABLE_CHOICES, DERIVABLE_CHOICES, needs
from cases.models import CustodyEvent
from cases.redaction import REASONS
from cases.vocabulary import CUSTODY_MEANINGS


class ExhibitForm(forms.Form):
    """Add an exhibit of one kind; the kind's own fields are named `detail_…`."""

    kind = forms.ChoiceField(choices=ADDABLE_CHOICES, required=False, widget=forms.HiddenInput)
    file = forms.FileField(help_text="Hashed as it arrives, kept under its hash, never changed.")
    title = forms.CharField(max_length=200, help_text="How it is called in the case and in dossiers.")
    source = forms.CharField(
        max_length=300, label="Where it comes from", help_text="The system, the place or the person it was taken from."
    )
    authority = forms.CharField(
        required=False,
        max_length=300,
        label="On what authority",
        help_text="A contract, a consent, an order, a hold. Stands in the custody log.",
    )
    acquired_at = MomentField(label="Taken at the source", help_text="When the bytes were taken there, in UTC.")
    clock = forms.CharField(
        required=False,
        max_length=60,
        label="By whose clock",
        help_text="The exporting system's, synchronised or not; a person's watch. Left empty: as you state it.",
    )
    method = forms.CharField(
        required=False,
        max_length=300,
        label="How it was taken",
        help_text="A query, a copy, a recording; step by step.",
    )
    tool = forms.CharField(required=False, max_length=100, label="Taken with", help_text="The tool, if there was one.")
    tool_version = forms.CharField(required=False, max_length=100, label="Version of the tool")

    def __init__(self, data: Any = None, files: Any = None, *, kind: str = "file", **kwargs: Any) -> None:
        super().__init__(data, files, initial={"kind": kind, **kwargs.pop("initial", {})}, **kwargs)
        asked = str((data.get("kind") if data is not None else kind) or kind)
        after = list(self.fields)
        for need in needs(asked):
            self.fields[f"detail_{need.name}"] = forms.CharField(
                max_length=300, label=need.label, help_text=f"{need.why[:1].upper()}{need.why[1:]}."
            )
        self.order_fields([*after[:3], *(f"detail_{need.name}" for need in needs(asked)), *after[3:]])

    def given(self) -> dict[str, Any]:
        """What the verb takes; the kind's fields as `details`."""
        found = {name: value for name, value in self.cleaned_data.items() if not name.startswith("detail_")}
        found["kind"] = found["kind"] or "file"
        found["details"] = {need.name: self.cleaned_data[f"detail_{need.name}"] for need in needs(found["kind"])}
        return found


class DeriveForm(forms.Form):
    """Add what was made from an exhibit outside Retort."""

    derivation = forms.ChoiceField(
        choices=DERIVABLE_CHOICES, label="What it is", help_text="A redaction of a text is made here, by two people."
    )
    file = forms.FileField(label="The derivative's file", help_text="It becomes the case's next exhibit.")
    title = forms.CharField(max_length=200)
    tool = forms.CharField(max_length=100, label="Made with", help_text="The tool; for a translation, who translated.")
    tool_version = forms.CharField(required=False, max_length=100, label="Version of the tool")
    method = forms.CharField(
        max_length=500,
        label="How it was made",
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="So that somebody else could make it again.",
    )
    reason = forms.CharField(max_length=500, label="Why it was made", widget=forms.Textarea(attrs={"rows": 2}))


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
