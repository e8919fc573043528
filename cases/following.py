"""What follows an act of the log elsewhere: in a transaction of its own, soon after the act's, once."""

from typing import Any

from cases import recalls, telling, webhook_events
from spine.models import LogEntry

FOLLOWED = frozenset({*webhook_events.BY_ACT, *telling.FOLLOWED, *recalls.FOLLOWED, "case.restricted"})


def on_act(payload: dict[str, Any]) -> None:
    """Tell webhooks and people of an act, `{"entry": id}`, and flag what leans on a recalled version by it.

    Done again, it adds nothing.
    """
    entry = LogEntry.objects.get(pk=payload["entry"])
    webhook_events.on_entry(entry)
    telling.on_entry(entry)
    recalls.on_entry(entry)


def on_feed_stalled(payload: dict[str, Any]) -> None:
    """Tell webhooks and people that a feed's condition began: `{"feed": id}`."""
    webhook_events.on_feed_stalled(payload)
    telling.on_feed_stalled(payload)
