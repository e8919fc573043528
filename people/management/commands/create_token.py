"""`create_token USERNAME`."""

from argparse import ArgumentParser
from typing import Any

from people.actions import create_token
from people.actions.keys import TOKEN_DAYS
from spine.management.base import RetortCommand


class Command(RetortCommand):
    """Make an API token."""

    help = "Make an API token with a person's rights. It is printed once, alone on standard output, and not kept."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", default="", help="what the token is for")
        parser.add_argument(
            "--scope",
            action="append",
            dest="scopes",
            metavar="RIGHT",
            help="a right of the person that the token holds, such as cases.read; may be repeated; else all of them",
        )
        parser.add_argument(
            "--expires-in", type=int, default=TOKEN_DAYS, dest="days", metavar="DAYS", help="default: %(default)s"
        )

    def perform(self, **options: Any) -> str:
        return create_token(
            actor=self.actor,
            username=options["username"],
            name=options["name"],
            rights=options["scopes"],
            days=options["days"],
        )
