"""`measure_detectors --source NAME`."""

from argparse import ArgumentParser
from typing import Any

from detection import measuring
from detection.models import TelemetrySource
from spine import waiting
from spine.errors import Refused
from spine.management.base import RetortCommand


class Command(RetortCommand):
    """Measure false-positive rates."""

    help = (
        "Run every detector over a telemetry source all of whose accounts are taken to be benign, and keep with each "
        "version how many of them it names, with Wilson's interval at 95 %: of a detector of pools, how many groups of "
        "them drawn at random, which are not look-alikes. New findings print it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--source", "--benign", required=True, help="the source that is taken to be benign")

    def perform(self, **options: Any) -> None:
        source = TelemetrySource.objects.filter(name=options["source"]).first()
        if source is None:
            raise Refused("No such source.")
        if doubt := measuring.doubt(source):
            self.say(doubt)
        result = waiting.finish(measuring.request_measure(actor=self.actor, source=source)).result or {}
        for line in result["lines"]:
            self.stdout.write(line)
