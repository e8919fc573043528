"""`reset_second_factor USERNAME`."""

from argparse import ArgumentParser
from typing import Any

from people.actions import reset_second_factor
from people.models import User
from spine.errors import Refused
from spine.management.base import RetortCommand


class Command(RetortCommand):
    """Take a person's second factors away."""

    help = "Take every second factor of a person away, who has lost them; their sessions end."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")

    def perform(self, **options: Any) -> None:
        person = User.objects.filter(username=options["username"]).first()
        if person is None:
            raise Refused(f"Nobody is called {options['username']}.", field="username")
        reset_second_factor(person, actor=self.actor)
        self.say(f"{person.username} signs in without a second factor until one is set up again.")
