"""`set_password USERNAME`."""

from argparse import ArgumentParser
from typing import Any

from people.actions import set_password
from spine.management.base import RetortCommand


class Command(RetortCommand):
    """Give a person a new password."""

    help = "Give a person a new password; it is asked for, or read as one line from standard input."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")

    def perform(self, **options: Any) -> None:
        set_password(actor=self.actor, username=options["username"], password=self.ask_password())
        self.say(f"Set the password of {options['username']}.")
