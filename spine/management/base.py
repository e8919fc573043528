"""What all commands share: they act as a named system principal, and say refusals as one sentence with exit code 1."""

import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError, ProgrammingError

from spine.errors import Refused, sqlstate
from spine.principal import acting_as
from spine.startup import collect_seldom

NO_SUCH = {"42P01", "42703"}  # undefined_table, undefined_column


class RetortCommand(BaseCommand):
    """A command whose `perform` returns when the work is finished; messages go to stderr, results to stdout."""

    requires_system_checks: list[str] = []
    actor = "system:command"

    def handle(self, *args: Any, **options: Any) -> str | None:
        collect_seldom()
        with acting_as(self.actor):
            try:
                return self.perform(**options)
            except Refused as refused:
                raise CommandError("\n".join([refused.message, *(f"  - {item}" for item in refused.missing)])) from None
            except (OperationalError, InterfaceError) as error:
                raise CommandError(f"The database does not answer: {str(error).strip().splitlines()[0]}") from error
            except ProgrammingError as error:
                if sqlstate(error) not in NO_SUCH:
                    raise
                raise CommandError("The database lacks tables of this version: run manage.py migrate.") from error

    def perform(self, **options: Any) -> str | None:
        """Do the work."""
        raise CommandError("this command has nothing to do")

    def say(self, message: str) -> None:
        """A message for the person at the terminal."""
        self.stderr.write(message, self.style.NOTICE if self.stderr.isatty() else None)

    def ask_password(self) -> str:
        """A password from the terminal, or from a line on standard input when there is no terminal."""
        import sys

        if not sys.stdin.isatty():
            return sys.stdin.readline().rstrip("\n")
        first = getpass.getpass("Password: ")
        if first != getpass.getpass("Password again: "):
            raise CommandError("The two passwords differ.")
        return first
