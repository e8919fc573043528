"""Forms of a detector's page: they check shape, the verbs check the rules."""

from dataclasses import asdict
from typing import Any

from django import forms

from cases.forms import lines
from detection.detector_verbs import LONGEST_DESCRIPTION, MEANINGS, MOST_MINUTES, MOVES
from detection.finding_schema import ATTRIBUTE_TYPES
from detection.grouping import Grouping, grouping_of
from detection.models import Detector, Lifecycle
from people.models import DetectorKey


class DescribeForm(forms.Form):
    """Who answers for a detector and what is expected of it, beginning with what is known."""

    revision = forms.IntegerField(widget=forms.HiddenInput)
    title = forms.CharField(required=False, max_length=200)
    owner = forms.CharField(required=False, max_length=200, help_text="The team or person who answers for it.")
    description = forms.CharField(required=False, max_length=LONGEST_DESCRIPTION, widget=lines(4))
    runbook = forms.CharField(
        required=False, max_length=500, help_text="Where it is written what to do with its findings."
    )
    cadence_minutes = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=MOST_MINUTES,
        label="A finding at least every … minutes",
        help_text="When less comes there is an alarm. Empty: no promise.",
    )

    def __init__(self, detector: Detector, data: Any = None) -> None:
        names = ("revision", "title", "owner", "description", "runbook", "cadence_minutes")
        super().__init__(data, initial={name: getattr(detector, name) for name in names}, auto_id="describe_%s")
        if detector.built_in:
            del self.fields["title"]

    def given(self) -> dict[str, Any]:
        """What the verb takes."""
        found = {name: value for name, value in self.cleaned_data.items() if value is not None}
        if "description" in found:
            found["description"] = found["description"].replace("\r\n", "\n")
        return found | {"promises_nothing": self.cleaned_data["cadence_minutes"] is None}


class MoveForm(forms.Form):
    """Where the detector goes from where it stands, and why."""

    revision = forms.IntegerField(widget=forms.HiddenInput)
    to = forms.ChoiceField(label="Becomes", widget=forms.RadioSelect)
    reason = forms.CharField(max_length=1000, label="Why")

    def __init__(self, detector: Detector, data: Any = None) -> None:
        super().__init__(data, initial={"revision": detector.revision}, auto_id="move_%s")
        ways = MOVES[detector.lifecycle]
        choices = [(to, f"{Lifecycle(to).label} – {MEANINGS[to][0].lower()}{MEANINGS[to][1:]}") for to in ways]
        self.fields["to"].choices = choices  # type: ignore[attr-defined]


class GroupingForm(forms.Form):
    """How pushed findings are joined into leads."""

    revision = forms.IntegerField(widget=forms.HiddenInput)
    by = forms.MultipleChoiceField(
        required=False,
        label="Accounts that show the same",
        choices=[(kind, kind.replace("_", " ")) for kind in ATTRIBUTE_TYPES],
        widget=forms.CheckboxSelectMultiple,
        help_text="None: its findings are kept and not joined.",
    )
    window_hours = forms.IntegerField(min_value=1, label="Within hours")
    least_findings = forms.IntegerField(min_value=1, label="In findings at least")
    least_accounts = forms.IntegerField(min_value=2, label="Accounts at least")
    least_score = forms.FloatField(min_value=0, max_value=1, label="Score at least")
    most_accounts = forms.IntegerField(
        min_value=2, label="Accounts at most", help_text="A value that more accounts show joins nobody."
    )

    def __init__(self, detector: Detector, data: Any = None) -> None:
        stands = asdict(grouping_of(detector) or Grouping(by=()))
        super().__init__(
            data, initial={**stands, "by": list(stands["by"]), "revision": detector.revision}, auto_id="grouping_%s"
        )

    def given(self) -> dict[str, Any] | None:
        """What the verb takes: None when no kind is chosen."""
        found = {name: value for name, value in self.cleaned_data.items() if name != "revision"}
        return found if found["by"] else None


class ExcludeForm(forms.Form):
    """A value that is to join no accounts."""

    kind = forms.ChoiceField(choices=[(kind, kind.replace("_", " ")) for kind in ATTRIBUTE_TYPES], label="Kind")
    value = forms.CharField(max_length=500)
    reason = forms.CharField(max_length=1000, label="Why")


class CanaryForm(forms.Form):
    """A canary to plant."""

    account_id = forms.CharField(
        max_length=200, label="Account", help_text="The provider's id of an account of yours that behaves as suspected."
    )
    every_minutes = forms.IntegerField(
        min_value=1, max_value=MOST_MINUTES, initial=1440, label="Comes back every … minutes"
    )
    note = forms.CharField(required=False, max_length=500, help_text="What is planted, and where.")


class QuarantineForm(forms.Form):
    """What to set aside: everything a key has sent since a moment."""

    key = forms.ChoiceField(help_text="Revoked keys too.")
    since = forms.DateTimeField(
        label="Sent since (UTC)", widget=forms.DateTimeInput(attrs={"placeholder": "2026-05-04 00:00"})
    )
    until = forms.DateTimeField(required=False, label="Until (UTC)", help_text="Empty: and whatever still comes.")
    reason = forms.CharField(max_length=1000, label="Why")
    revoke = forms.BooleanField(required=False, initial=True, label="Revoke the key as well")

    def __init__(self, detector: Detector, data: Any = None) -> None:
        super().__init__(data, auto_id="quarantine_%s")
        keys = DetectorKey.objects.filter(detector=detector.name).order_by("-created_at")
        choices = [(str(key.pk), f"rt_det_{key.prefix}_… {key.name}".strip()) for key in keys]
        self.fields["key"].choices = choices  # type: ignore[attr-defined]


class RecallForm(forms.Form):
    """Why a version is recalled, or reinstated."""

    reason = forms.CharField(max_length=1000, label="Why")


class AnswerRecallForm(forms.Form):
    """What follows for a case from a recall."""

    words = forms.CharField(
        max_length=2000, widget=lines(3), label="What follows", help_text="Which judgements stand without it, and why."
    )


class LiftForm(forms.Form):
    """Why the findings count again."""

    reason = forms.CharField(max_length=1000, label="Why they count again")
