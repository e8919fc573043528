"""`recall_version DETECTOR VERSION`."""

from argparse import ArgumentParser
from typing import Any

from detection import detector_verbs
from detection.models import DetectorVersion, VersionRecall
from spine.errors import Refused
from spine.management.base import RetortCommand


class Command(RetortCommand):
    """Declare a detector's version not to be relied on, or take that back."""

    help = (
        "Declare VERSION of DETECTOR not to be relied on, with all its parameters: its findings join no cluster from "
        "now on, and a worker flags every case that leans on it. With --reinstate the declaration is taken back."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("detector", metavar="DETECTOR")
        parser.add_argument("version_", metavar="VERSION")
        parser.add_argument("--reason", required=True, help="shown wherever this matters later")
        parser.add_argument("--reinstate", action="store_true", help="let it be relied on again")

    def perform(self, **options: Any) -> None:
        found = DetectorVersion.objects.select_related("detector").filter(
            detector__name=options["detector"], version=options["version_"]
        )
        if not found:
            raise Refused(f"There is no version {options['version_']} of {options['detector']}.")
        if options["reinstate"]:
            standing = VersionRecall.objects.filter(detector_version__in=found, reinstated=None)
            if not standing:
                raise Refused("It is not recalled.")
            for one in standing.select_related("detector_version__detector"):
                detector_verbs.reinstate_version(one, actor=self.actor, reason=options["reason"])
        else:
            for version in found:
                detector_verbs.recall_version(version, actor=self.actor, reason=options["reason"])
        self.say(f"{found.count()} set of parameters of it.")
