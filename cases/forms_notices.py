"""The form of what one is told and how; the rules are in `cases.notices.choose`."""

from typing import Any

from django import forms

from cases.models import NoticeSettings
from cases.notice_kinds import Kind, ways_of


class NoticeSettingsForm(forms.Form):
    """One choice for each kind that is one's business, and the hour of the digest."""

    def __init__(self, *args: Any, held: NoticeSettings, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for kind, way in held.ways.items():
            choices = [(one.value, one.label) for one in ways_of(kind)]
            words = Kind(kind).label
            self.fields[kind] = forms.ChoiceField(label=words[0].upper() + words[1:], choices=choices, initial=way)
        hours = [(hour, f"{hour:02d}:00 UTC") for hour in range(24)]
        self.fields["digest_hour"] = forms.TypedChoiceField(
            label="Hour of the daily mail", choices=hours, coerce=int, initial=held.digest_hour
        )

    @property
    def ways(self) -> dict[str, str]:
        """What was chosen, by kind."""
        return {name: value for name, value in self.cleaned_data.items() if name != "digest_hour"}
