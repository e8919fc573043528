"""`sanctioned_testers [--add FILE --organisation … --from … --until … --actor …]`."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from cases import testers
from cases.actions import testers as verbs
from cases.forms_testers import read_ids
from cases.management.commands.build_dossier import moment
from people.models import User
from spine.errors import Refused
from spine.management.base import RetortCommand

NEEDED = ("organisation", "purpose", "authorised_by", "authorisation", "from", "until", "actor")


class Command(RetortCommand):
    """Print the list of sanctioned testers, or put a test on it."""

    help = (
        "Without --add: print the tests on the list, one a line: id, from, until, accounts. With --add FILE: list the "
        "accounts in the file, the provider's ids, one a line (- reads standard input), and print the test's id. The "
        "ids are not printed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--add", metavar="FILE", help="account ids, one a line, UTF-8")
        parser.add_argument("--organisation", help="who tests")
        parser.add_argument("--purpose", help="what the test may do")
        parser.add_argument("--authorised-by")
        parser.add_argument("--authorisation", help="the document or exhibit that says so")
        parser.add_argument("--from", type=moment, help="start of the window (RFC 3339; without zone: UTC)")
        parser.add_argument("--until", type=moment, help="end of the window")
        parser.add_argument("--namespace", default="default", help="of the account ids")
        parser.add_argument("--actor", help="user name of the case lead or administrator who lists it")

    def perform(self, **options: Any) -> str:
        if options["add"] is None:
            rows = testers.tests().order_by("at", "id")
            return "\n".join(f"{t.pk} {t.starts_at.isoformat()} {t.until.isoformat()} {t.accounts}" for t in rows)
        missing = [f"--{name.replace('_', '-')}" for name in NEEDED if not options[name]]
        if missing:
            raise Refused(f"With --add these are needed too: {', '.join(missing)}.")
        actor = User.objects.filter(username=options["actor"], is_active=True).first()
        if actor is None:
            raise Refused(f"Nobody active is called {options['actor']}.")
        test = verbs.list_test(
            actor=actor,
            provider_ids=read_ids([_bytes(options["add"])], "add"),
            starts_at=options["from"],
            ends_at=options["until"],
            **{name: options[name] for name in ("organisation", "purpose", "authorised_by", "authorisation")},
            namespace=options["namespace"],
        )
        self.say(f"Listed {test.accounts:,} accounts.")
        return str(test.pk)


def _bytes(name: str) -> bytes:
    import sys

    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise Refused(f"{name} cannot be read: {error.strerror}.") from None
