"""Forms about who may know of a case: restrict, open up, members, break-glass."""

from typing import Any

from django import forms

from cases.forms import PersonChoice, lines
from people.models import Role, User
from people.rights import RIGHTS

REASON_HELP = "Stands in the log and beside the membership."


def readers() -> Any:
    """Everybody whose role may read cases, by name."""
    roles = [role for role in Role.values if "cases.read" in RIGHTS[role]]
    return User.objects.filter(is_active=True, role__in=roles).order_by("username")


class PeopleChoice(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    """Several people by name and role."""

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj} ({obj.get_role_display()})"


class ReasonForm(forms.Form):
    """Why something about the access is changed."""

    reason = forms.CharField(max_length=1000, widget=lines(2), help_text=REASON_HELP)


class RestrictForm(ReasonForm):
    """Let only some people know of the case."""

    people = PeopleChoice(
        queryset=User.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Members",
        help_text="You and the assignee are members in any case.",
    )
    field_order = ["people", "reason"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["people"].queryset = readers()  # type: ignore[attr-defined]


class MemberForm(ReasonForm):
    """Add a member."""

    person = PersonChoice(queryset=User.objects.none(), empty_label="Choose a person")
    field_order = ["person", "reason"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["person"].queryset = readers()  # type: ignore[attr-defined]


class BreakGlassForm(forms.Form):
    """Read a restricted case without being a member."""

    ref = forms.CharField(max_length=20, label="Reference of the case", help_text="For example RT-2026-K7Q4M.")
    reason = forms.CharField(
        max_length=1000, widget=lines(3), help_text="Every member is told who broke the glass, why, and until when."
    )
