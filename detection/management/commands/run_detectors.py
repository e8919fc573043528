"""`run_detectors [--source NAME] [--from --to]`."""

from argparse import ArgumentParser
from typing import Any

from detection import runs
from detection.models import Run, TelemetrySource
from spine import waiting
from spine.errors import Refused
from spine.management.base import RetortCommand


class Command(RetortCommand):
    """Run every detector, then cluster."""

    help = "Run every detector over a source (or over every source), store findings, cluster accounts, and raise leads."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--source", help="one source; all when left out")
        parser.add_argument("--from", dest="start", help="start of the window, RFC 3339; needs --to")
        parser.add_argument("--to", dest="end", help="end of the window, not included")

    def perform(self, **options: Any) -> None:
        sources = TelemetrySource.objects.order_by("name")
        if options["source"]:
            sources = sources.filter(name=options["source"])
        if not sources:
            raise Refused("No such source." if options["source"] else "There is no telemetry source yet.")
        for source in sources:
            job = runs.request_run(actor=self.actor, source=source, start=options["start"], end=options["end"])
            result = waiting.finish(job).result or {}
            run = Run.objects.get(id=result["run"])
            for answer in run.answers.select_related("detector_version__detector").order_by("place"):
                self.stdout.write(f"{source.name} {answer.detector_version}: {answer.status}; {answer.reason}")
            self.stdout.write(f"{source.name}: {result['clusters']} clusters")
