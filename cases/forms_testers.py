"""Forms of the list of sanctioned testers: they check shape only, the verbs check the rules."""

from collections.abc import Iterable

from django import forms

from cases.actions.testers import LONGEST, MOST
from cases.forms import MomentField, lines
from spine.errors import Refused

LARGEST = MOST * (LONGEST * 4 + 2)  # bytes of a file whose every line is as long as it may be


class ListTestForm(forms.Form):
    """Put the accounts of an authorised test on the list."""

    organisation = forms.CharField(max_length=200, label="Who tests", help_text="The team or company.")
    purpose = forms.CharField(max_length=500, label="What the test may do", widget=lines(2))
    authorised_by = forms.CharField(max_length=200, label="Authorised by")
    authorisation = forms.CharField(
        max_length=300, label="Authorisation", help_text="The document that says so, or the exhibit that holds it."
    )
    starts_at = MomentField(label="From", help_text="UTC")
    ends_at = MomentField(label="Until", help_text="UTC")
    accounts = forms.CharField(
        required=False,
        strip=False,
        widget=lines(6),
        label="Account ids",
        help_text=f"The provider's ids, one a line, at most {MOST:,}. They are kept, and shown as pseudonyms only.",
    )
    file = forms.FileField(required=False, label="Or a file of account ids", help_text="UTF-8 text, one id a line.")

    def provider_ids(self) -> list[str]:
        """What was pasted and what was uploaded. Raises Refused for a file that is no text of ids."""
        pasted = str(self.cleaned_data["accounts"]).splitlines()
        file = self.cleaned_data["file"]
        return [*pasted, *read_ids(file.chunks(), "file")] if file else pasted


class EndTestForm(forms.Form):
    """End a test before its time."""

    reason = forms.CharField(max_length=500)


class LookUpForm(forms.Form):
    """Ask which of some accounts stand on the list."""

    accounts = forms.CharField(strip=False, widget=lines(4), label="Account ids", help_text="One a line.")


def read_ids(chunks: Iterable[bytes], field: str) -> list[str]:
    """The lines of a small text file. Raises Refused when it is too large or not UTF-8."""
    content = b""
    for chunk in chunks:
        content += chunk
        if len(content) > LARGEST:
            raise Refused(f"The file is larger than {LARGEST:,} bytes.", field=field)
    try:
        return content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise Refused("The file is not text in UTF-8.", field=field) from None
