"""The form that asks for simulated telemetry: it checks shape, the verb checks the rules."""

from typing import Any

from django import forms
from django.conf import settings

from detection.simulating import DAYS, LONGEST_NAME, MOST_CAMPAIGNS, USUAL
from detection.simulation.kinds import CAMPAIGNS
from detection.simulation.scale import Scale

KINDS = [(kind, kind.replace("_", " ")) for kind in CAMPAIGNS]
LOOK_ALIKES = [("all", "all kinds"), ("few", "a few kinds"), ("none", "none")]
LENGTHS = [("normal", "as people write"), ("short", "short, about 100 characters")]
COLUMNS = [("all", "all, as every detector needs"), ("core", "the usual 13")]


class SimulateForm(forms.Form):
    """What to make, beginning with what is found in a minute or two."""

    name = forms.CharField(
        max_length=LONGEST_NAME, label="Name", help_text="The source is called “simulated: ” and this name."
    )
    accounts = forms.IntegerField(min_value=1)
    exchanges = forms.IntegerField(min_value=1)
    days = forms.IntegerField(min_value=DAYS[0], max_value=DAYS[1], help_text="The window begins on 2 March 2026.")
    kinds = forms.MultipleChoiceField(
        choices=KINDS, widget=forms.CheckboxSelectMultiple, label="Kinds of suspected campaign"
    )
    campaigns = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=MOST_CAMPAIGNS,
        help_text="Goes round the kinds. Empty: one of each. 0: innocent traffic alone, to measure detectors on.",
    )
    campaign_accounts = forms.FloatField(
        min_value=0, label="Accounts of all campaigns", help_text="Below 1 a share of the accounts, else a number."
    )
    campaign_exchanges = forms.FloatField(
        min_value=0, max_value=1, label="The campaigns’ share of the exchanges", help_text="Below 1."
    )
    look_alikes = forms.ChoiceField(
        choices=LOOK_ALIKES, label="Innocent look-alikes", help_text="Groups that look like campaigns and are none."
    )
    prompt_length = forms.ChoiceField(choices=LENGTHS, label="Prompts")
    columns = forms.ChoiceField(choices=COLUMNS)
    seed = forms.IntegerField(
        min_value=0, max_value=2**63 - 1, help_text="The same numbers with the same seed give the same telemetry."
    )

    def __init__(self, data: Any = None) -> None:
        plain = [name for name in self.base_fields if name not in {"name", "kinds", "campaigns"}]
        initial = {name: getattr(USUAL, name) for name in plain} | {"kinds": list(CAMPAIGNS)}
        super().__init__(data, initial=initial, auto_id="simulate_%s")
        most = settings.SIMULATE_MOST
        self.fields["accounts"].help_text = f"At most {most['accounts']:,}."
        self.fields["exchanges"].help_text = f"About so many; at most {most['exchanges']:,}."

    def scale(self) -> Scale:
        """What the form asks for."""
        given = {name: value for name, value in self.cleaned_data.items() if name not in {"name", "kinds"}}
        return Scale(**given, kinds=tuple(self.cleaned_data["kinds"]))
