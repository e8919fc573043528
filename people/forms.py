"""What the pages on people read: shapes only; the verbs say what is allowed."""

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm, UsernameField
from django.core.exceptions import ValidationError

from people import lockout
from people.actions.keys import KEY_DAYS, MOST_DAYS, MOST_LIMIT, OVERLAP_DAYS, TOKEN_DAYS
from people.actions.sign_in import note_lockout
from people.addresses import address_of
from people.models import LIMITS, Role
from people.rights import MEANINGS


class SignInForm(AuthenticationForm):
    """User name and password. An unknown name, a wrong password and a person switched off are one answer, made alike.

    Every attempt is counted before it is tried, for the name and for the address, whether anybody has the name or not.
    """

    username = UsernameField(widget=forms.TextInput(attrs={"autofocus": True, "autocapitalize": "none"}))

    def clean(self) -> dict[str, Any]:
        if self.request is None or not self.cleaned_data.get("username") or not self.cleaned_data.get("password"):
            return self.cleaned_data
        name, address = self.cleaned_data["username"], address_of(self.request)
        failures = {"address": lockout.count("address", address), "account": lockout.count("account", name)}
        if not all(lockout.allowed(kind, number) for kind, number in failures.items()):
            raise ValidationError(lockout.sentence(), code="too_many")
        try:
            cleaned = super().clean()
        except ValidationError:
            if lockout.is_last("account", failures["account"]):
                note_lockout(username=name, what="sign-in")
            raise
        lockout.forget("account", name)
        lockout.take_back("address", address)
        return cleaned


def _password(label: str, **attributes: str) -> forms.CharField:
    return forms.CharField(label=label, strip=False, widget=forms.PasswordInput(attrs=attributes))


class OwnPasswordForm(forms.Form):
    """A new password for oneself."""

    old = _password("Present password", autocomplete="current-password")
    new = _password("New password", autocomplete="new-password")
    again = _password("New password again", autocomplete="new-password")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["new"].help_text = "At least 12 characters. Several unrelated words are harder to guess than signs."

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if "new" in cleaned and "again" in cleaned and cleaned["new"] != cleaned["again"]:
            self.add_error("again", "The two new passwords differ.")
        return cleaned


class CodeForm(forms.Form):
    """A code from an app, or a recovery code."""

    code = forms.CharField(
        label="Code",
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


class PasskeyForm(forms.Form):
    """What a browser made of a challenge."""

    name = forms.CharField(
        label="Name", max_length=60, required=False, help_text="to tell your passkeys apart, such as: blue key"
    )
    credential = forms.JSONField(widget=forms.HiddenInput)


class MailForm(forms.Form):
    """Where one's mail goes."""

    address = forms.CharField(
        label="Mail address",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        help_text="A link is mailed there; nothing else is sent until it was opened.",
    )


class TokenForm(forms.Form):
    """A new API token of one's own."""

    name = forms.CharField(label="What it is for", max_length=120)
    expires_in_days = forms.IntegerField(label="Days until it ends", min_value=1, max_value=366, initial=TOKEN_DAYS)
    scopes = forms.MultipleChoiceField(
        label="What it may do",
        widget=forms.CheckboxSelectMultiple,
        help_text="Tick no more than it needs.",
        error_messages={"required": "Tick at least one right: a token without any opens nothing."},
    )

    def __init__(self, *args: Any, rights: frozenset[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        held = [right for right in MEANINGS if right in rights]
        self.fields["scopes"].choices = [(right, f"{right}: {MEANINGS[right]}") for right in held]  # type: ignore[attr-defined]


class PersonForm(forms.Form):
    """A new person; the first password is made for them."""

    username = forms.CharField(label="Username", max_length=60, help_text="a–z, 0–9, dot, dash, underscore")
    display_name = forms.CharField(
        label="Name", max_length=120, required=False, help_text="shown in pages and dossiers"
    )
    role = forms.ChoiceField(label="Role", choices=Role.choices, initial=Role.READER)


class RoleForm(forms.Form):
    """Another role; `expected` is the one it takes the place of."""

    role = forms.ChoiceField(label="Role", choices=Role.choices)
    expected = forms.CharField(widget=forms.HiddenInput)


class NameForm(forms.Form):
    """The shown name."""

    display_name = forms.CharField(label="Name", max_length=120, required=False)


class SubjectForm(forms.Form):
    """The subject id at the identity provider."""

    subject = forms.CharField(label="Subject id", max_length=191, required=False, help_text="empty: no link")


class LimitsForm(forms.Form):
    """What a key may send in a time; an empty field sets no limit."""

    requests_per_minute = forms.IntegerField(
        label="Requests a minute", min_value=1, max_value=MOST_LIMIT, required=False, help_text="empty: no limit"
    )
    findings_per_minute = forms.IntegerField(
        label="Findings a minute",
        min_value=1,
        max_value=MOST_LIMIT,
        required=False,
        help_text="empty: no limit; a batch that has begun is taken whole",
    )
    mebibytes_per_day = forms.IntegerField(
        label="MiB a day (UTC)",
        min_value=1,
        max_value=MOST_LIMIT,
        required=False,
        help_text="of documents, after decompression; empty: no limit",
    )

    @property
    def limits(self) -> dict[str, int | None]:
        """What was given, by the limit's name."""
        return {name: self.cleaned_data[name] for name in LIMITS}


class DetectorKeyForm(LimitsForm):
    """A new key for a detector."""

    field_order = ("detector", "name", "expires_in_days", "networks", *LIMITS)

    detector = forms.CharField(label="Detector", max_length=120, help_text="one that is registered, or a new name")
    name = forms.CharField(label="What it is for", max_length=120, required=False)
    expires_in_days = forms.IntegerField(label="Days until it ends", min_value=1, max_value=366, initial=KEY_DAYS)
    networks = forms.CharField(
        label="Where it may come from",
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="one network a line, such as 192.0.2.0/24; empty: from anywhere",
    )


class ReplaceKeyForm(forms.Form):
    """The key that takes the place of another."""

    name = forms.CharField(label="What it is for", max_length=120, required=False)
    expires_in_days = forms.IntegerField(
        label="Days until the new key ends", min_value=1, max_value=MOST_DAYS, initial=KEY_DAYS
    )
    overlap_days = forms.IntegerField(
        label="Days the old key still works",
        min_value=0,
        max_value=MOST_DAYS,
        initial=OVERLAP_DAYS,
        help_text="0: it ends at once. It never works longer than it would have.",
    )
