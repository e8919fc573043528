"""Forms of the counsel track: they check shape only, the verbs check the rules."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from cases.forms import PersonChoice, SeenId, lines
from people.models import Role, User
from people.rights import RIGHTS


class Numbers(forms.CharField):
    """Whole numbers, as people list them: `1, 4`."""

    def to_python(self, value: Any) -> list[int]:  # type: ignore[override]
        words = [word for word in re.split(r"[\s,;]+", str(value or "")) if word]
        if any(not (word.isascii() and word.isdigit() and len(word) < 7) for word in words):
            raise ValidationError("Give the numbers of exhibits, separated by commas: 1, 4.")
        return [int(word) for word in words]

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(map(str, value)) if isinstance(value, list) else value

    def run_validators(self, value: Any) -> None:
        """Numbers need no more than their shape."""


class OpenTrackForm(forms.Form):
    """Open the track."""

    purpose = forms.CharField(
        max_length=1000,
        widget=lines(3),
        label="What it serves",
        help_text="The advice that is sought or the proceeding that is expected.",
    )
    direction = forms.CharField(max_length=300, label="At the direction of", help_text="The counsel who directs it.")


class CounselNoteForm(forms.Form):
    """Write a note, or correct one."""

    topic = forms.CharField(max_length=200)
    text = forms.CharField(max_length=20000, widget=lines(8), label="Note")
    direction = forms.CharField(
        required=False,
        max_length=300,
        label="At the direction of",
        help_text="Who asked for it, where somebody acts for counsel.",
    )
    exhibits = Numbers(required=False, help_text="Numbers of this case's exhibits that it is about: 1, 4.")
    supersedes = SeenId()


class CounselMemberForm(forms.Form):
    """Let somebody in who can see the case."""

    person = PersonChoice(queryset=User.objects.none(), empty_label="Choose a person")
    reason = forms.CharField(max_length=500, help_text="For example: prepares the account schedule at our direction.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        roles = [role for role in Role.values if "cases.read" in RIGHTS[role] and "counsel.track" not in RIGHTS[role]]
        able = User.objects.filter(is_active=True, role__in=roles).order_by("username")
        self.fields["person"].queryset = able  # type: ignore[attr-defined]


class EndMemberForm(forms.Form):
    """Let somebody out again."""

    reason = forms.CharField(max_length=500)


class CounselExportForm(forms.Form):
    """Export the track for somebody."""

    recipient = forms.CharField(max_length=200)
    purpose = forms.CharField(max_length=500)
