"""`replace_key DETECTOR PREFIX`."""

from argparse import ArgumentParser
from typing import Any

from people.actions import replace_detector_key
from people.actions.keys import KEY_DAYS, OVERLAP_DAYS
from people.models import DetectorKey
from spine.errors import Refused
from spine.management.base import RetortCommand


class Command(RetortCommand):
    """Replace a detector's key."""

    help = (
        "Make a key that takes the place of another one of the same detector, with its networks and limits. The old "
        "one goes on working for a while. The new key is printed once, alone on standard output, and not kept."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("detector")
        parser.add_argument("prefix", help="the eight characters after rt_det_ of the key to replace")
        parser.add_argument("--name", help="what the key is for; default: as the old one")
        parser.add_argument(
            "--expires-in", type=int, default=KEY_DAYS, dest="days", metavar="DAYS", help="default: %(default)s"
        )
        parser.add_argument(
            "--overlap",
            type=int,
            default=OVERLAP_DAYS,
            metavar="DAYS",
            help="how long the old key still works, 0: it ends at once; default: %(default)s",
        )

    def perform(self, **options: Any) -> str:
        found = DetectorKey.objects.filter(detector=options["detector"], prefix=options["prefix"])
        key = found.order_by("-created_at").first()
        if key is None:
            raise Refused(f"The detector {options['detector']} has no key that begins rt_det_{options['prefix']}_.")
        _, value = replace_detector_key(
            key,
            actor=self.actor,
            name=options["name"],
            days=options["days"],
            overlap=options["overlap"],
        )
        key.refresh_from_db()
        until = f"works until {key.expires_at:%Y-%m-%d %H:%M} UTC" if key.is_usable else "has ended"
        self.say(f"The old key {until}. The new one; keep it now, it cannot be shown again:")
        return value
