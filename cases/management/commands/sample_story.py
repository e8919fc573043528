"""`sample_story`: the first run's story, through the real queue."""

from typing import Any

from cases import sample_story
from spine.management.base import RetortCommand


class Command(RetortCommand):
    """Tell the sample story."""

    help = (
        "Take made-up telemetry through detectors, findings, clusters and leads to an open case with a sealed dossier, "
        "through the queue: a worker has to run. Interrupted, it goes on where it stopped."
    )
    actor = sample_story.ACTOR

    def perform(self, **options: Any) -> str:
        version = sample_story.tell(self.say)
        return version.bag_name
