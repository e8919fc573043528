"""Forms of a source's runs: they check shape, the verbs check the rules."""

from typing import Any

from django import forms

from detection.models import RunEvery, TelemetrySource
from detection.run_schedule import LONGEST


class ScheduleForm(forms.Form):
    """How often detectors run over the source by themselves, beginning with what stands."""

    revision = forms.IntegerField(widget=forms.HiddenInput)
    every = forms.ChoiceField(choices=RunEvery.choices, label="Detectors run")
    days = forms.IntegerField(
        min_value=1,
        max_value=LONGEST,
        label="Days of telemetry a run looks at",
        help_text="The newest ones. Campaigns spread over weeks are seen in a window that is longer than they are.",
    )

    def __init__(self, source: TelemetrySource, data: Any = None) -> None:
        initial = {"revision": source.revision, "every": source.run_every, "days": source.run_days}
        super().__init__(data, initial=initial, auto_id="schedule_%s")


class StartForm(forms.Form):
    """Over the newest days, or over all there is."""

    days = forms.IntegerField(
        required=False, min_value=1, max_value=LONGEST, help_text="The newest ones. Empty: all the source holds."
    )
