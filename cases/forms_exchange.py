"""Forms of exchange sets and samples: they check shape only, the verbs check the rules."""

import re
from typing import Any

from django import forms

from cases import history
from cases.filters import NO_VERDICT, AccountFilter
from cases.forms import MomentField, SeenId, lines
from cases.models import Case
from cases.models.exchange_sets import StratumKind
from cases.vocabulary import VerdictValue
from detection.models import TelemetrySource
from detection.telemetry.exchange_rows import COMMITTED


class SetForm(forms.Form):
    """Make an exchange set."""

    source = forms.ModelChoiceField(queryset=TelemetrySource.objects.order_by("name"), label="Telemetry source")
    start = MomentField(label="From", help_text="UTC")
    end = MomentField(label="Up to", help_text="UTC, not included")
    verdict = forms.ChoiceField(
        required=False,
        label="Accounts with the verdict",
        choices=[("", "any"), (NO_VERDICT, "no verdict"), *VerdictValue.choices],
    )
    cluster = forms.ChoiceField(required=False, label="Accounts in the cluster")
    listed = forms.CharField(
        required=False,
        label="Only these accounts",
        max_length=200_000,
        widget=lines(2),
        help_text="Pseudonyms, with spaces or line ends between. Empty: every account that meets the choices above.",
    )
    title = forms.CharField(required=False, max_length=200, help_text="Empty: named by its numbers.")
    authority = forms.CharField(
        required=False, max_length=300, label="On what authority", help_text="Stands in the custody log."
    )

    def __init__(self, *args: Any, case: Case, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        held = history.held_at(case).select_related("cluster").order_by("cluster__title")
        choices = [("", "any"), *((str(one.cluster_id), one.cluster.title) for one in held)]
        self.fields["cluster"].choices = choices  # type: ignore[attr-defined]
        sources = list(TelemetrySource.objects.order_by("name")[:2])
        if len(sources) == 1:
            self.initial.setdefault("source", sources[0].pk)

    def wanted(self) -> tuple[AccountFilter, tuple[str, ...]]:
        """The choice as the verb takes it: conditions, and pseudonyms."""
        given = self.cleaned_data
        listed = tuple(one for one in re.split(r"[\s,;]+", given["listed"]) if one)
        return AccountFilter(verdict=given["verdict"], cluster=given["cluster"]), listed


class ProveForm(forms.Form):
    """Prove one exchange."""

    request_id = forms.CharField(
        max_length=500,
        label="Request id",
        help_text="As the source has it. Ids of drawn exchanges are offered; others stand in findings.",
        widget=forms.TextInput(attrs={"list": "drawn-ids", "autocomplete": "off"}),
    )
    columns = forms.MultipleChoiceField(
        required=False,
        label="Open in the proof",
        choices=[(name, name) for name in COMMITTED],
        widget=forms.CheckboxSelectMultiple,
        help_text="What is not opened stays a commitment: it can be opened later, and says nothing until then.",
    )
    purpose = forms.CharField(required=False, max_length=300, help_text="Stands in the custody log.")


class PlanForm(forms.Form):
    """Draw a sample by a plan."""

    question = forms.CharField(
        max_length=300,
        label="What is to be found out",
        help_text="For example: how many of these exchanges come from accounts that the actor controls? "
        f"Reviewers answer with a verdict for each exchange ({', '.join(VerdictValue.labels)}), "
        "and the result is the share of each in the set.",
    )
    strata_by = forms.ChoiceField(choices=StratumKind.choices, required=False, label="Divide the set by")
    per_stratum = forms.IntegerField(min_value=1, max_value=1000, initial=60, label="Exchanges from each stratum")
    seed = forms.CharField(
        max_length=60, help_text="Any text, chosen before anybody looks: it alone decides which rows are drawn."
    )
    confidence_level = forms.TypedChoiceField(
        choices=[(95, "95 %"), (90, "90 %"), (99, "99 %")], coerce=int, initial=95, label="Level of the interval"
    )


class ResultForm(forms.Form):
    """Say what a drawn exchange is."""

    value = forms.ChoiceField(
        choices=VerdictValue.choices,
        widget=forms.RadioSelect,
        label="As this exchange shows it, the account is",
        help_text="An answer about this exchange alone: the account's verdict in the case stays as it is.",
    )
    note = forms.CharField(required=False, max_length=500, help_text="What you saw in it.")
    supersedes = SeenId()
