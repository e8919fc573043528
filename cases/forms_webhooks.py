"""Forms of webhooks: they check shape only, the verbs check the rules."""

from typing import Any

from django import forms

from cases.actions.webhooks import LONGEST_OVERLAP, OVERLAP
from cases.models import Webhook
from cases.webhook_events import CHOICES, EVENTS


class WebhookForm(forms.Form):
    """A webhook to set up, or to change when one is given: its name stays."""

    name = forms.CharField(max_length=60, label="Name", help_text="For the list and the log, such as: Ticketing.")
    url = forms.CharField(
        max_length=1000,
        label="Address",
        help_text="On the list of allowed destinations. The log of Retort shows its host alone.",
        widget=forms.TextInput(attrs={"inputmode": "url", "autocapitalize": "none"}),
    )
    types = forms.MultipleChoiceField(
        label="What it is told",
        choices=[(name, f"{name}: {EVENTS[name].meaning}") for name in CHOICES],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Tick at least one: otherwise nothing is ever sent."},
    )
    revision = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, webhook: Webhook | None = None, **kwargs: Any) -> None:
        if webhook is not None:
            seen = {"url": webhook.url, "types": webhook.types, "revision": webhook.revision}
            kwargs["initial"] = seen
        super().__init__(*args, **kwargs)
        if webhook is not None:
            del self.fields["name"]
            self.fields["revision"].required = True
        else:
            del self.fields["revision"]


class RevisionForm(forms.Form):
    """An act on the webhook as the page showed it."""

    revision = forms.IntegerField(widget=forms.HiddenInput)


class SecretForm(RevisionForm):
    """A new secret, and for how long the old one signs too."""

    hours = forms.IntegerField(
        label="Hours in which the old secret signs too",
        min_value=0,
        max_value=LONGEST_OVERLAP,
        initial=OVERLAP,
        help_text="0: the old one ends at once.",
    )
