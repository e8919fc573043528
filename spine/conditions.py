"""What is wrong now and lasts: told when it begins, shown as a banner and in /readyz, settled when it is over."""

import logging

from django.utils import timezone

from spine import presence
from spine.models import Condition

logger = logging.getLogger(__name__)


def tell(name: str, text: str) -> None:
    """Say that it is so, or still so; since when is kept. Safe from any number of processes at once."""
    now = timezone.now()
    row = Condition(name=name, text=text[:1000], since=now, seen=now)
    Condition.objects.bulk_create([row], update_conflicts=True, unique_fields=["name"], update_fields=["text", "seen"])
    logger.warning("%s lasts; the page System says what it is", name)  # the text may quote what a source answered


def settle(name: str) -> None:
    """It is over, if it ever was."""
    if Condition.objects.filter(name=name).delete()[0]:
        logger.info("%s: settled", name)


def standing() -> list[Condition]:
    """Everything that is wrong now, oldest first; also what no process is left to tell. Two queries."""
    return sorted([*Condition.objects.all(), *presence.silences()], key=lambda one: (one.since, one.name))
