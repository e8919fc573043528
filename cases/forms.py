"""Forms of the case and dossier pages: they check shape only, the verbs check the rules.

What the page showed travels in hidden fields, so that a verb can tell when somebody was faster.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms

from cases.actions import Cited
from cases.lifecycle import CLOSING_REASONS, Move
from cases.models.case import CaseStatus
from cases.models.dossier import Edition
from cases.vocabulary import AlternativeState, Confidence, Lane, Likelihood, Marking, Side, VerdictValue
from people.models import Role, User
from people.rights import RIGHTS


class Seen(forms.CharField):
    """A text as the page showed it, line ends as they are stored."""

    def __init__(self) -> None:
        super().__init__(required=False, strip=False, widget=forms.HiddenInput)

    def to_python(self, value: Any) -> str:
        return str(super().to_python(value) or "").replace("\r\n", "\n")


class SeenId(forms.UUIDField):
    """The id of what the page showed, None when there was nothing."""

    def __init__(self) -> None:
        super().__init__(required=False, widget=forms.HiddenInput)


def lines(rows: int) -> forms.Textarea:
    """A text field of so many lines."""
    return forms.Textarea(attrs={"rows": rows})


# The case itself


class MoveForm(forms.Form):
    """Move to another step, from the one the page showed."""

    to = forms.ChoiceField(choices=CaseStatus.choices, widget=forms.HiddenInput)
    expected_from = forms.ChoiceField(choices=CaseStatus.choices, widget=forms.HiddenInput)
    closing_reason = forms.ChoiceField(
        choices=[("", "Choose a reason"), *CLOSING_REASONS.items()], required=False, label="Why it is closed"
    )
    note = forms.CharField(required=False, max_length=2000, widget=lines(3))

    def shown_for(self, move: Move) -> "MoveForm":
        """This form with what this move asks for and nothing else."""
        reason = self.fields["closing_reason"]
        if move.closing_reasons:
            accepted = [(code, text) for code, text in CLOSING_REASONS.items() if code in move.closing_reasons]
            reason.choices = [("", "Choose a reason"), *accepted]  # type: ignore[attr-defined]
            reason.required = True
        else:
            del self.fields["closing_reason"]
        return self


class MarkingForm(forms.Form):
    """Change the marking."""

    marking = forms.ChoiceField(choices=Marking.choices, help_text="Traffic Light Protocol 2.0")
    seen_marking = Seen()


class SummaryForm(forms.Form):
    """Change the title and the allegation."""

    title = forms.CharField(max_length=200, help_text="What is suspected, in neutral words.")
    summary = forms.CharField(
        required=False,
        max_length=4000,
        widget=lines(5),
        help_text="The allegation in two sentences: suspected, assessed, consistent with.",
    )
    seen_title = Seen()
    seen_summary = Seen()


class PersonChoice(forms.ModelChoiceField):  # type: ignore[type-arg]
    """People by name and role."""

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj} ({obj.get_role_display()})"


class AssignForm(forms.Form):
    """Give the case to somebody who may work on it, or to nobody."""

    assignee = PersonChoice(queryset=User.objects.none(), required=False, empty_label="nobody")
    expected = PersonChoice(queryset=User.objects.none(), required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        roles = [role for role in Role.values if "cases.write" in RIGHTS[role]]
        able = User.objects.filter(is_active=True, role__in=roles).order_by("username")
        self.fields["assignee"].queryset = able  # type: ignore[attr-defined]
        self.fields["expected"].queryset = User.objects.all()  # type: ignore[attr-defined]


# Claims


@dataclass(frozen=True)
class Citable:
    """An item of the case that a judgement can rest on."""

    kind: str
    id: UUID
    label: str
    address: str

    @property
    def key(self) -> str:
        """Its part of a field's name."""
        return f"{self.kind}-{self.id}"


class JudgementForm(forms.Form):
    """Judge one claim; every citable item has a side and a note of its own."""

    likelihood = forms.ChoiceField(
        choices=Likelihood.choices,
        widget=forms.RadioSelect,
        help_text="ICD 203: the word stands for the range, and is said apart from confidence.",
    )
    confidence = forms.ChoiceField(choices=Confidence.choices, widget=forms.RadioSelect)
    rationale = forms.CharField(label="Why", max_length=8000, widget=lines(4))
    alternatives = forms.CharField(
        label="What else would explain it",
        max_length=8000,
        widget=lines(3),
        help_text="And what would change our mind.",
    )
    supersedes = SeenId()

    def __init__(self, *args: Any, items: Sequence[Citable], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.items = list(items)
        for item in self.items:
            self.fields[f"side-{item.key}"] = forms.ChoiceField(
                choices=[("", "not cited"), *Side.choices],
                required=False,
                label=item.label,
                widget=forms.Select(attrs={"aria-label": f"{item.label}: for or against"}),
            )
            self.fields[f"note-{item.key}"] = forms.CharField(
                required=False,
                max_length=2000,
                label=f"Note on {item.label}",
                widget=forms.TextInput(attrs={"aria-label": f"Note on {item.label}"}),
            )

    def judgement(self) -> list[forms.BoundField]:
        """The fields of the judgement itself."""
        return [self[name] for name in self.fields if not name.startswith(("side-", "note-"))]

    def cited_rows(self) -> Iterator[tuple[Citable, forms.BoundField, forms.BoundField]]:
        """Each citable item with its two fields."""
        for item in self.items:
            yield item, self[f"side-{item.key}"], self[f"note-{item.key}"]

    def cited(self) -> list[Cited]:
        """What the judgement rests on, as the verb takes it."""
        given = self.cleaned_data
        return [
            Cited(given[f"side-{item.key}"], item.kind, item.id, given[f"note-{item.key}"])
            for item in self.items
            if given[f"side-{item.key}"]
        ]


class AnswerForm(forms.Form):
    """Say how an innocent explanation stands."""

    state = forms.ChoiceField(choices=AlternativeState.choices, widget=forms.RadioSelect)
    reason = forms.CharField(max_length=4000, widget=lines(2))
    supersedes = SeenId()


# Accounts


class VerdictForm(forms.Form):
    """One verdict for the picked accounts, or for all that match."""

    value = forms.ChoiceField(choices=[("", "Choose a verdict"), *VerdictValue.choices], label="Verdict")
    reason = forms.CharField(max_length=2000, widget=forms.TextInput(attrs={"placeholder": "What you looked at"}))


class DetachForm(forms.Form):
    """Take something out of the case, with the reason."""

    reason = forms.CharField(max_length=2000, widget=lines(2), help_text="Why it does not belong to this case.")


class UndoForm(forms.Form):
    """Take a decision about several accounts back."""

    reason = forms.CharField(required=False, max_length=1000)


# Timeline, evidence, dossiers


class MomentField(forms.DateTimeField):
    """A time in UTC."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"}, format="%Y-%m-%dT%H:%M:%S")
        super().__init__(widget=widget, **kwargs)


class NoteForm(forms.Form):
    """Add an entry to the timeline, or correct one."""

    lane = forms.ChoiceField(choices=Lane.choices, widget=forms.RadioSelect)
    starts_at = MomentField(label="When, or from when", help_text="UTC")
    ends_at = MomentField(label="Until", required=False, help_text="UTC; for a span of time")
    text = forms.CharField(max_length=1000, label="What happened", widget=lines(2))
    source = forms.CharField(max_length=300, label="How we know it")
    confidence = forms.ChoiceField(choices=Confidence.choices, widget=forms.RadioSelect)
    supersedes = SeenId()


class FreezeForm(forms.Form):
    """Freeze a dossier."""

    edition = forms.ChoiceField(choices=Edition.choices)
    recipient = forms.CharField(
        required=False,
        max_length=200,
        help_text="Registered recipients are offered. Left empty: an internal copy, marked not for disclosure.",
        widget=forms.TextInput(attrs={"list": "registered-recipients", "autocomplete": "off"}),
    )
    basis = forms.CharField(
        required=False,
        max_length=200,
        label="Legal basis",
        help_text="Needed with a recipient. Words that are not registered make a draft that cannot be disclosed.",
        widget=forms.TextInput(attrs={"list": "registered-bases", "autocomplete": "off"}),
    )


class ApproveForm(forms.Form):
    """Approve the snapshot of this hash."""

    note = forms.CharField(required=False, max_length=500, help_text="What you read it against.")
    snapshot_sha256 = forms.CharField(max_length=64, widget=forms.HiddenInput)
