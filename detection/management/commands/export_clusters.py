"""`export_clusters [--source NAME] --out FILE`."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from detection import cluster_export
from detection.models import Run, TelemetrySource
from spine.errors import Refused
from spine.management.base import RetortCommand


class Command(RetortCommand):
    """Export clusters."""

    help = (
        "Write the clusters of the latest finished run (of each source, or of one) as a JSON array. The accounts are "
        "the provider's ids: treat the file as customer data. The log says that they were given out."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--source", help="one source; all when left out")
        parser.add_argument("--out", type=Path, required=True, help="the file to write")

    def perform(self, **options: Any) -> None:
        sources = TelemetrySource.objects.order_by("name")
        if options["source"]:
            sources = sources.filter(name=options["source"])
        latest = [Run.objects.filter(source=source).order_by("-finished_at").first() for source in sources]
        runs = [run for run in latest if run]
        if not runs:
            raise Refused("No run has finished yet for that.")
        try:
            with options["out"].open("wb") as out:
                written = cluster_export.write(runs, out, actor=self.actor)
        except OSError as error:
            raise Refused(f"{options['out']} cannot be written: {error.strerror}.") from None
        for run in runs:
            self.say(f"{run.source.name}: the run over {run.window_start:%Y-%m-%d} until {run.window_end:%Y-%m-%d}.")
        self.say(f"{written.clusters} clusters written to {options['out']}.")
