"""How the log stands: what is numbered, signed, stamped, and what has left; for the pages and the API.

Read as the system: it tells sizes and times of the log as a whole, nothing of what any entry is about.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from spine import checking, departures, sequencer, signing, timestamps
from spine.errors import Refused
from spine.models import Checkpoint, Departure, Job, LogEntry, Pending, TimeStamp, TimeStampDue
from spine.principal import acting_as


@dataclass(frozen=True)
class Signer:
    """Whether the signer answers, and why it refused last or does not."""

    answers: bool
    signed_size: int
    trouble: str


@dataclass(frozen=True)
class Stamps:
    """Time stamps: whether an authority is configured, how many tokens count and do not, how many checkpoints wait."""

    configured: bool
    counted: int
    quarantined: int
    due: int
    newest: TimeStamp | None
    error: str


@dataclass(frozen=True)
class Standing:
    """The whole."""

    size: int
    waiting: int
    checkpoint: Checkpoint | None
    covers: datetime | None
    unsigned: int
    keys: list[Any]
    signer: Signer
    stamps: Stamps
    departures: departures.State
    last_verification: Job | None


@acting_as("system:standing")
def standing() -> Standing:
    """Ask everything once: about a dozen small queries and one question to the signer."""
    newest, size = Checkpoint.objects.order_by("-size").first(), sequencer.log_size()
    return Standing(
        size=size,
        waiting=Pending.objects.count(),
        checkpoint=newest,
        covers=covered_until(newest),
        unsigned=size - (newest.size if newest else 0),
        keys=signing.public_keys()[::-1],
        signer=_signer(),
        stamps=_stamps(),
        departures=departures.state(),
        last_verification=next(iter(checking.past(1)), None),
    )


@acting_as("system:standing")
def covered_until(checkpoint: Checkpoint | None) -> datetime | None:
    """The time of the newest entry under this checkpoint."""
    entries = LogEntry.objects.filter(sequence__index=checkpoint.size - 1) if checkpoint else LogEntry.objects.none()
    return entries.values_list("at", flat=True).first()


@acting_as("system:standing")
def covered(sizes: Sequence[int]) -> dict[int, datetime]:
    """The time of the newest entry under a checkpoint of each of these sizes."""
    entries = LogEntry.objects.filter(sequence__index__in=[size - 1 for size in sizes])
    return {index + 1: at for index, at in entries.values_list("sequence__index", "at")}


def recent_departures(limit: int = 10) -> list[Departure]:
    """The newest attempts to the present destinations, newest first."""
    addresses = [one.address for one in settings.CHECKPOINT_DESTINATIONS]
    return list(Departure.objects.filter(destination__in=addresses).order_by("-at")[:limit])


def _signer() -> Signer:
    try:
        answer = signing.ask("status")
    except Refused as refused:
        return Signer(False, 0, refused.message)
    refusal = answer.get("last_refusal")
    return Signer(True, int(answer["size"]), str(refusal["why"]) if refusal else "")


def _stamps() -> Stamps:
    counted = TimeStamp.objects.filter(quarantine=None)
    due = TimeStampDue.objects.order_by("size")
    return Stamps(
        configured=timestamps.is_configured(),
        counted=counted.count(),
        quarantined=TimeStamp.objects.exclude(quarantine=None).count(),
        due=due.count(),
        newest=counted.order_by("-size").first(),
        error=due.values_list("error", flat=True).first() or "",
    )
