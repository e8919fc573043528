"""What follows an act of the log elsewhere: in a transaction of its own, soon after the act's, once."""

from typing import Any

from cases import telling, webhook_events
from spine.models import LogEntry

FOLLOWED = frozenset({*webhook_events.BY_ACT, *telling.FOLLOWED, "case.restricted"})


def on_act(payload: dict[str, Any]) -> None:
    """Tell webhooks and people of an act: `{"entry": id}`; done again, it adds nothing."""
    entry = LogEntry.objects.get(pk=payload["entry"])
    webhook_events.on_entry(entry)
    telling.on_entry(entry)


def on_feed_stalled(payload: dict[str, Any]) -> None:
    """Tell webhooks and people that a feed's condition began: `{"feed": id}`."""
    webhook_events.on_feed_stalled(payload)
    telling.on_feed_stalled(payload)
