"""Forms on what is kept: preservation requests and their answers, holds and their custodians."""

from typing import Any

from django import forms

from cases.actions import Keeper
from cases.filters import NO_VERDICT, AccountFilter
from cases.forms import MomentField, PersonChoice, SeenId, lines
from cases.models import Case, PreservationAnswer
from cases.models.holds import HoldScope
from cases.vocabulary import VerdictValue
from detection.models import DataClass, TelemetrySource
from people.models import Role, User
from people.rights import RIGHTS


def readers() -> Any:
    """Who may read cases, and so can acknowledge a hold by signing in."""
    roles = [role for role in Role.values if "cases.read" in RIGHTS[role]]
    return User.objects.filter(is_active=True, role__in=roles).order_by("username")


class SourceChoice(forms.ModelChoiceField):  # type: ignore[type-arg]
    """The sources the case's accounts come from."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(queryset=TelemetrySource.objects.none(), empty_label="Choose a source", **kwargs)


class _FromSources(forms.Form):
    def __init__(self, *args: Any, sources: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["source"].queryset = sources  # type: ignore[attr-defined]
        if "source" in self.initial or len(sources) != 1:
            return
        self.initial["source"] = sources[0].pk


class PreserveForm(_FromSources):
    """Ask a log owner to keep what expires."""

    source = SourceChoice()
    data_classes = forms.MultipleChoiceField(
        choices=DataClass.choices, widget=forms.CheckboxSelectMultiple, label="Which data"
    )
    window_start = MomentField(
        required=False, label="From", help_text="UTC. Empty: from the accounts' first activity in this case."
    )
    window_end = MomentField(required=False, label="To", help_text="UTC. Empty: to their last activity.")
    scope = forms.CharField(
        label="What is to be kept", max_length=4000, widget=lines(3), help_text="In words the log owner can act on."
    )
    custodian = forms.CharField(label="The log owner", max_length=200, help_text="Who is asked.")
    contact = forms.CharField(required=False, max_length=300)
    authority = forms.CharField(max_length=300, label="On what authority")


class AbsenceForm(_FromSources):
    """Say why nothing is asked of a source."""

    source = SourceChoice()
    reason = forms.CharField(
        max_length=4000, widget=lines(2), help_text="For example: the source keeps nothing, or everything is here."
    )


class AnswerForm(forms.Form):
    """Write down what the log owner answered."""

    kind = forms.ChoiceField(choices=PreservationAnswer.Kind.choices, widget=forms.RadioSelect, label="The answer")
    number = forms.CharField(required=False, max_length=100, label="Receipt number")
    answered_by = forms.CharField(max_length=200, label="Who answered")
    answered_at = MomentField(label="When", help_text="UTC")
    what = forms.CharField(max_length=4000, widget=lines(2), label="What was preserved, or why not")
    preserved_from = MomentField(required=False, label="Preserved from", help_text="UTC. Empty: as was asked.")
    preserved_to = MomentField(required=False, label="Preserved to", help_text="UTC. Empty: as was asked.")
    keeps_until = MomentField(required=False, label="Kept until", help_text="UTC. Empty: until told otherwise.")
    gone = forms.CharField(required=False, max_length=4000, widget=lines(2), label="What was already gone")
    supersedes = SeenId()


class KeeperForm(forms.Form):
    """A custodian: somebody who signs in here, or somebody outside."""

    person = PersonChoice(
        queryset=User.objects.none(), required=False, empty_label="somebody outside", label="Custodian"
    )
    name = forms.CharField(required=False, max_length=200, help_text="Of somebody outside.")
    contact = forms.CharField(required=False, max_length=300)
    days = forms.IntegerField(
        min_value=1, max_value=365, initial=7, label="Acknowledge within", help_text="Days; then it is overdue."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["person"].queryset = readers()  # type: ignore[attr-defined]

    def keeper(self) -> Keeper:
        """The custodian as the verb takes it."""
        given = self.cleaned_data
        return Keeper(given["person"], "" if given["person"] else given["name"], given["contact"])


class HoldForm(forms.Form):
    """Place a hold."""

    matter = forms.CharField(max_length=200, help_text="The dispute, inquiry or request it is for.")
    trigger = forms.CharField(max_length=4000, widget=lines(2), help_text="What made the duty to keep begin.")
    triggered_at = MomentField(label="When it began", help_text="UTC")
    scope = forms.ChoiceField(choices=HoldScope.choices, widget=forms.RadioSelect, label="What is held")
    verdict = forms.ChoiceField(
        choices=[("", "any"), *VerdictValue.choices, (NO_VERDICT, "not judged")],
        required=False,
        label="Accounts with the verdict",
        help_text="For a hold on accounts.",
    )
    text = forms.CharField(
        required=False, max_length=200, label="Accounts with these words", help_text="In pseudonym or shared value."
    )
    source = SourceChoice(required=False, help_text="For a hold on a source.")
    window_start = MomentField(required=False, label="From", help_text="UTC; for a hold on a source.")
    window_end = MomentField(required=False, label="To", help_text="UTC; for a hold on a source.")
    exhibit = forms.IntegerField(required=False, min_value=1, label="Exhibit", help_text="For a hold on one exhibit.")
    keepers = forms.ModelMultipleChoiceField(
        queryset=User.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Custodians",
        help_text="Who keeps it and acknowledges here. People outside are added afterwards.",
    )
    days = forms.IntegerField(
        min_value=1, max_value=365, initial=7, label="Acknowledge within", help_text="Days; then it is overdue."
    )

    def __init__(self, *args: Any, sources: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["source"].queryset = sources  # type: ignore[attr-defined]
        self.fields["keepers"].queryset = readers()  # type: ignore[attr-defined]

    def arguments(self) -> dict[str, Any]:
        """What was given, as the verb takes it."""
        given = dict(self.cleaned_data)
        wanted = {"verdict": given.pop("verdict"), "text": given.pop("text")}
        people = [Keeper(person) for person in given.pop("keepers")]
        return {**given, "accounts": AccountFilter.of(wanted), "keepers": people}


class ReasonForm(forms.Form):
    """Ask for a release."""

    reason = forms.CharField(max_length=4000, widget=lines(2), label="Why it can be released")


class ReleaseForm(forms.Form):
    """Release, as the second person."""

    ask = SeenId()
    note = forms.CharField(required=False, max_length=500)


class NoteForm(forms.Form):
    """A few words."""

    note = forms.CharField(max_length=300, label="How", help_text="By mail, by telephone …")


class DocumentForm(forms.Form):
    """Acknowledge for somebody, from a document."""

    exhibit = forms.IntegerField(min_value=1, label="Exhibit number of the document")
    note = forms.CharField(required=False, max_length=500)


def sources_of(case: Case) -> Any:
    """The sources a case's accounts come from."""
    held = case.clusters.values("cluster__run__source")
    return TelemetrySource.objects.filter(pk__in=held).order_by("name")
