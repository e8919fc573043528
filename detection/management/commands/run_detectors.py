"""`run_detectors [--source NAME] [--from --to | --days N | --schedule …]`."""

from argparse import ArgumentParser
from typing import Any

from detection import run_schedule, runs
from detection.models import Run, RunEvery, TelemetrySource
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
        parser.add_argument("--days", type=int, help="over the newest days, instead of --from and --to")
        parser.add_argument(
            "--schedule",
            choices=RunEvery.values,
            help="do not run now: have it run by itself, over the newest --days (45 unless set before)",
        )

    def perform(self, **options: Any) -> None:
        sources = TelemetrySource.objects.order_by("name")
        if options["source"]:
            sources = sources.filter(name=options["source"])
        if not sources:
            raise Refused("No such source." if options["source"] else "There is no telemetry source yet.")
        days = options["days"]
        if days is not None and (options["start"] or options["end"]):
            raise Refused("Either --days or --from and --to.")
        if options["schedule"] and (options["start"] or options["end"]):
            raise Refused("--schedule has it run over the newest days: give --days instead of --from and --to.")
        if days is not None and not 1 <= days <= run_schedule.LONGEST:
            raise Refused(f"--days: 1 to {run_schedule.LONGEST:,} are accepted.")
        for source in sources:
            if options["schedule"]:
                self._schedule(source, options["schedule"], days or source.run_days)
                continue
            job = runs.request_run(
                actor=self.actor, source=source, start=options["start"], end=options["end"], days=days
            )
            result = waiting.finish(job).result or {}
            run = Run.objects.get(id=result["run"])
            for answer in run.answers.select_related("detector_version__detector").order_by("place"):
                self.stdout.write(f"{source.name} {answer.detector_version}: {answer.status}; {answer.reason}")
            self.stdout.write(f"{source.name}: {result['clusters']} clusters")

    def _schedule(self, source: TelemetrySource, every: str, days: int) -> None:
        if (every, days) != (source.run_every, source.run_days):
            run_schedule.set_run_schedule(source, actor=self.actor, revision=source.revision, every=every, days=days)
        self.stdout.write(f"{source.name}: {RunEvery(every).label}, over the newest {days} days")
