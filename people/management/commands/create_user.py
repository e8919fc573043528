"""`create_user USERNAME --role SLUG`."""

from argparse import ArgumentParser
from typing import Any

from people.actions import create_user
from people.models import Role
from spine.management.base import RetortCommand


class Command(RetortCommand):
    """Create a person who can sign in."""

    help = "Create a person who can sign in. The password is asked for, or read as one line from standard input."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--role", required=True, choices=Role.values)
        parser.add_argument("--name", default="", help="the name shown in pages and dossiers")

    def perform(self, **options: Any) -> None:
        create_user(
            actor=self.actor,
            username=options["username"],
            role=options["role"],
            password=self.ask_password(),
            display_name=options["name"],
        )
        self.say(f"Created {options['username']} as {options['role']}.")
