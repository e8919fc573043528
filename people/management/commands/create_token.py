"""`create_token USERNAME`."""

from argparse import ArgumentParser
from typing import Any

from people.actions import create_token
from spine.management.base import RetortCommand


class Command(RetortCommand):
    """Make an API token."""

    help = "Make an API token with a person's rights. It is printed once, alone on standard output, and not kept."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", default="", help="what the token is for")

    def perform(self, **options: Any) -> str:
        return create_token(actor=self.actor, username=options["username"], name=options["name"])
