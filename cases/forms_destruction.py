"""Forms on retention, erasure, registers and disclosures: they check shape only, the verbs check the rules."""

from typing import Any
from uuid import UUID

from django import forms

from cases.erasing import KINDS
from cases.forms import MomentField, SeenId, lines
from cases.models import DisclosureNote
from cases.models.destruction import Kept
from cases.models.disclosure import DisclosedClass, LegalBasis, RecipientKind
from cases.vocabulary import Marking
from detection.models import TelemetrySource


class PolicyForm(forms.Form):
    """Set how old a kind of data may get."""

    data_class = forms.ChoiceField(choices=Kept.choices, label="Which data")
    source = forms.ModelChoiceField(
        queryset=TelemetrySource.objects.order_by("name"),
        required=False,
        empty_label="none",
        help_text="Needed for telemetry files, and for nothing else.",
    )
    days = forms.IntegerField(min_value=1, max_value=36_500, label="Days", help_text="Older than this may go.")
    basis = forms.CharField(max_length=300, help_text="The rule or law behind it.")
    active = forms.BooleanField(required=False, initial=True, label="In force")
    supersedes = SeenId()


class OrderForm(forms.Form):
    """Ask that what was shown be destroyed."""

    expected = forms.IntegerField(min_value=0, widget=forms.HiddenInput)


class DecideForm(forms.Form):
    """The second person's word."""

    granted = forms.TypedChoiceField(
        choices=[("yes", "grant it"), ("no", "decline it")],
        coerce=lambda value: value == "yes",
        widget=forms.RadioSelect,
        label="Your word",
    )
    note = forms.CharField(required=False, max_length=500)


class SubjectForm(forms.Form):
    """What is to be erased."""

    kind = forms.ChoiceField(choices=[(kind, kind) for kind in KINDS], label="What")
    key = forms.CharField(max_length=60, label="Its id", help_text="As it stands in the API, or a pseudonym.")

    def clean_key(self) -> str:
        return str(self.cleaned_data["key"]).strip()


class EraseForm(forms.Form):
    """Ask for the erasure of what was shown."""

    kind = forms.CharField(widget=forms.HiddenInput)
    key = forms.UUIDField(widget=forms.HiddenInput)
    expected = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    basis = forms.CharField(max_length=300, label="Legal basis", help_text="For example: GDPR Art. 17(1)(d).")


def day() -> forms.DateInput:
    """A date picker. A browser shows only the ISO form; any other comes out empty and is then saved empty."""
    return forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class BasisForm(forms.Form):
    """Register a legal basis, or change one."""

    code = forms.SlugField(max_length=60, help_text="Short and unchanging: a–z, 0–9, dashes.")
    name = forms.CharField(max_length=200)
    law = forms.CharField(max_length=300)
    valid_from = forms.DateField(required=False, widget=day())
    valid_until = forms.DateField(required=False, widget=day(), help_text="The last day on which it holds.")
    confirmed = forms.BooleanField(required=False, label="Counsel has confirmed this text")
    note = forms.CharField(required=False, max_length=4000, widget=lines(2))
    active = forms.BooleanField(required=False, initial=True, label="In use")
    revision = forms.IntegerField(min_value=0, initial=0, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for kind, label in RecipientKind.choices:
            self.fields[f"permits_{kind}"] = forms.MultipleChoiceField(
                choices=DisclosedClass.choices,
                required=False,
                widget=forms.CheckboxSelectMultiple,
                label=f"Permits to: {label}",
            )

    def arguments(self) -> dict[str, Any]:
        """What was given, as the verb takes it."""
        given = dict(self.cleaned_data)
        permits = {kind: given.pop(f"permits_{kind}") for kind in RecipientKind.values}
        return {**given, "permits": permits}

    @classmethod
    def of(cls, basis: LegalBasis) -> "BasisForm":
        """The form filled with a basis that is there."""
        names = ("code", "name", "law", "valid_from", "valid_until", "confirmed", "note", "active", "revision")
        permits = {f"permits_{kind}": basis.permits.get(kind, []) for kind in RecipientKind.values}
        initial = {name: getattr(basis, name) for name in names} | permits
        return cls(initial=initial, auto_id=f"basis_{basis.code}_%s")


class RecipientForm(forms.Form):
    """Register a recipient, or change one."""

    name = forms.CharField(max_length=200, help_text="Stays as it is: the names of accounts are made from it.")
    kind = forms.ChoiceField(choices=RecipientKind.choices)
    ceiling = forms.ChoiceField(choices=Marking.choices, label="Highest marking", initial=Marking.AMBER)
    contact = forms.CharField(required=False, max_length=300)
    note = forms.CharField(required=False, max_length=4000, widget=lines(2))
    active = forms.BooleanField(required=False, initial=True, label="In use")
    revision = forms.IntegerField(min_value=0, initial=0, widget=forms.HiddenInput)


class DiscloseForm(forms.Form):
    """Ask that a sealed version be handed out."""

    channel = forms.CharField(max_length=200, help_text="By hand, by courier, through a portal …")
    purpose = forms.CharField(required=False, max_length=4000, widget=lines(2))
    reply_due = forms.DateField(required=False, widget=day(), label="Reply due")


class ReleaseForm(forms.Form):
    """Release it as the second person."""

    note = forms.CharField(required=False, max_length=500)


class OutcomeForm(forms.Form):
    """What came of a disclosure."""

    kind = forms.ChoiceField(choices=DisclosureNote.Kind.choices, label="What happened")
    happened_at = MomentField(label="When", help_text="UTC")
    number = forms.CharField(required=False, max_length=100, label="Receipt number")
    text = forms.CharField(required=False, max_length=4000, widget=lines(2))


def some_uuid(text: str) -> UUID | None:
    """An id that was typed; None for anything else."""
    try:
        return UUID(text)
    except ValueError:
        return None
