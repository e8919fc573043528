"""What follows an act of the log elsewhere: in a transaction of its own, soon after the act's, once."""

from typing import Any

from cases import webhook_events
from spine.models import LogEntry

FOLLOWED = frozenset({*webhook_events.BY_ACT, "case.restricted"})


def on_act(payload: dict[str, Any]) -> None:
    """Tell webhooks of an act: `{"entry": id}`; done again, it adds nothing."""
    webhook_events.on_entry(LogEntry.objects.get(pk=payload["entry"]))
