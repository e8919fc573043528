"""What the list of findings can be narrowed to, as it stands in the address."""

from datetime import date
from typing import Any

from django import forms

from cases.forms import MomentField
from cases.forms_destruction import day
from detection import finding_groups
from detection.models import Account, Detector

STANDINGS: dict[str, dict[str, bool]] = {
    "counts": {"current": True, "set_aside": False, "recalled": False},
    "superseded": {"current": False},
    "set_aside": {"set_aside": True},
    "recalled": {"recalled": True},
}
STANDING_WORDS = [
    ("", "any"),
    ("counts", "counts now"),
    ("superseded", "superseded"),
    ("set_aside", "set aside"),
    ("recalled", "recalled version"),
]


class DayField(forms.DateField):
    """A day in UTC, as the API has it too."""

    def __init__(self, **kwargs: Any) -> None:
        said = {"invalid": "A day is written as year, month and day: 2026-05-04."}
        super().__init__(widget=day(), input_formats=["%Y-%m-%d"], error_messages=said, **kwargs)


class FindingFilterForm(forms.Form):
    """Conditions on findings; what is empty does not restrict."""

    signal = forms.ChoiceField(required=False)
    detector = forms.ChoiceField(required=False)
    version = forms.CharField(required=False, max_length=60, label="Detector’s version")
    account = forms.CharField(required=False, max_length=20, label="Account, by its pseudonym")
    min_score = forms.FloatField(required=False, min_value=0, max_value=1, label="Score at least")
    since = MomentField(required=False, label="Received from (UTC)")
    until = MomentField(required=False, label="Received before (UTC)")
    window_from = DayField(required=False, label="Window on or after (day, UTC)")
    window_until = DayField(required=False, label="Window on or before (day, UTC)")
    standing = forms.ChoiceField(required=False, choices=STANDING_WORDS)
    attribute = forms.UUIDField(required=False, widget=forms.HiddenInput)
    by = forms.ChoiceField(
        required=False, choices=[("", ""), *((by, by) for by in finding_groups.BY)], widget=forms.HiddenInput
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        signals = [(name, name.replace("_", " ")) for name in finding_groups.signals()]
        names = Detector.objects.order_by("name").values_list("name", flat=True)
        for field, choices in (("signal", signals), ("detector", [(name, name) for name in names])):
            self.fields[field].choices = [("", "any"), *choices]  # type: ignore[attr-defined]
        self.fields["min_score"].widget.attrs["step"] = "0.01"

    def clean_account(self) -> Account | None:
        """The account of this pseudonym. Not by the provider's id: that would stand in the address."""
        pseudonym = self.cleaned_data["account"]
        if not pseudonym:
            return None
        found = Account.objects.filter(pseudonym=pseudonym).first()
        if found is None:
            raise forms.ValidationError(
                "No account has this pseudonym. By the provider’s id, look it up under Accounts."
            )
        return found

    def clean_window_until(self) -> date | None:
        """The last day, which is not before the first."""
        first, last = self.cleaned_data.get("window_from"), self.cleaned_data["window_until"]
        if first and last and last < first:
            raise forms.ValidationError("The last day is before the first.")
        return last  # type: ignore[no-any-return]

    def wanted(self) -> dict[str, Any]:
        """What `detection.queries.findings` takes."""
        given = self.cleaned_data
        times = ("since", "until", "window_from", "window_until")
        names = ("signal", "detector", "version", "min_score", *times, "attribute")
        account: Account | None = given["account"]
        return {
            **{name: given[name] for name in names if given[name] not in ("", None)},
            **({"account": account.pk} if account else {}),
            **STANDINGS.get(given["standing"], {}),
        }
