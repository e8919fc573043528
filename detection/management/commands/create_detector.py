"""`create_detector NAME`."""

from argparse import ArgumentParser
from typing import Any

from detection import registry
from people.actions.keys import KEY_DAYS
from people.models import LIMITS
from spine.management.base import RetortCommand


class Command(RetortCommand):
    """Register a detector and make it a key."""

    help = (
        "Register a detector, unless it is known, and make a key that may send findings of this detector and nothing "
        "else. The key is printed once, alone on standard output, and not kept."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="a–z, 0–9, dot, dash, underscore; findings carry it as detector.name")
        parser.add_argument("--title", default="", help="what people read")
        parser.add_argument(
            "--expires-in", type=int, default=KEY_DAYS, dest="days", metavar="DAYS", help="default: %(default)s"
        )
        parser.add_argument(
            "--network",
            action="append",
            default=[],
            dest="networks",
            metavar="NETWORK",
            help="where the key may be used from, such as 192.0.2.0/24; may be repeated. Default: anywhere",
        )

        for name in LIMITS:
            parser.add_argument(
                f"--{name.replace('_', '-')}", type=int, metavar="N", help="what the key may send; default: no limit"
            )

    def perform(self, **options: Any) -> str:
        detector, key = registry.create_detector(
            actor=self.actor,
            name=options["name"],
            title=options["title"],
            days=options["days"],
            networks=options["networks"],
            limits={name: options[name] for name in LIMITS},
        )
        self.say(f"Key of {detector.name}; keep it now, it cannot be shown again:")
        return key
