"""Forms of deconfliction: they check shape only, the verbs check the rules."""

from collections.abc import Sequence
from typing import Any

from django import forms

from cases.forms import PersonChoice, lines
from cases.models import Match, QuestionAbout
from cases.models.deconfliction import AnswerValue
from people.models import Role, User
from people.rights import RIGHTS


class AskForm(forms.Form):
    """Ask from a case."""

    about = forms.ChoiceField(choices=QuestionAbout.choices, label="Compare")
    reason = forms.CharField(
        max_length=1000,
        widget=lines(3),
        label="Why you ask",
        help_text="The broker reads it and sees no case: name no account and no case.",
    )


class AnswerQuestionForm(forms.Form):
    """Answer a question."""

    value = forms.ChoiceField(choices=AnswerValue.choices, widget=forms.RadioSelect, label="Answer")
    introduce = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Put in touch",
        help_text="With a hit: both sides are told the other's name, and nothing else.",
    )
    words = forms.CharField(required=False, max_length=1000, widget=lines(2), label="To those who are told")
    why = forms.CharField(
        required=False,
        max_length=1000,
        widget=lines(2),
        label="Why",
        help_text="Stays with the brokers. Needed for no answer, and for no hit where something was found.",
    )

    def __init__(self, *args: Any, found: Sequence[Match], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if found:
            choices = [(str(match.pk), f"match {match.place}: {match.contact or 'nobody'}") for match in found]
            self.fields["introduce"].choices = choices  # type: ignore[attr-defined]
        else:
            del self.fields["introduce"]
            self.fields["value"].choices = [one for one in AnswerValue.choices if one[0] != AnswerValue.HIT]  # type: ignore[attr-defined]


class ApproachForm(forms.Form):
    """Ask the other side first."""

    words = forms.CharField(
        max_length=1000,
        widget=lines(2),
        label="What the other side is told",
        help_text="It learns that there is a question, not whose.",
    )


class ReplyForm(forms.Form):
    """Tell the broker whether this case agrees to be put in touch."""

    agrees = forms.ChoiceField(
        choices=[("yes", "Put us in touch"), ("no", "Do not")], widget=forms.RadioSelect, label="Your answer"
    )
    words = forms.CharField(required=False, max_length=1000, widget=lines(2), label="To the broker")


class DesignateForm(forms.Form):
    """Designate a broker."""

    person = PersonChoice(queryset=User.objects.none(), empty_label="Choose a person")
    reason = forms.CharField(max_length=500)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        roles = [role for role in Role.values if "cases.read" in RIGHTS[role]]
        able = User.objects.filter(is_active=True, role__in=roles).order_by("username")
        self.fields["person"].queryset = able  # type: ignore[attr-defined]


class EndTermForm(forms.Form):
    """End a broker's term."""

    reason = forms.CharField(max_length=500)
