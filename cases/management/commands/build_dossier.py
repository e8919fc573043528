"""`build_dossier REF --edition E [--recipient --basis --as-of --actor] --out DIR`."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from cases.actions import dossiers
from cases.dossier import build, freeze
from cases.models import Case, DossierVersion
from cases.models.dossier import Edition
from people.models import User
from people.rights import may
from spine import vault
from spine.errors import Refused
from spine.management.base import RetortCommand


class Command(RetortCommand):
    """Find or freeze a dossier version, render it, write its package."""

    help = (
        "Find or freeze the version for this case, edition, recipient, basis and cut, and render it from its frozen "
        "snapshot. Writes DIR/<bag folder>.zip and .zip.sha256 and prints the path. Without recipient and basis it is "
        "an internal copy; a version that nobody has approved is a draft without a seal."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("ref", help="the case, such as RT-2026-K7Q4M")
        parser.add_argument("--edition", required=True, choices=Edition.values)
        parser.add_argument("--recipient", default="", help="whom it is for; needs --basis")
        parser.add_argument("--basis", default="", help="the legal basis; needs --recipient")
        parser.add_argument("--as-of", type=moment, help="the case as it stood then (RFC 3339); default: now")
        parser.add_argument("--actor", help="who prepares a new version; default: who the case is assigned to")
        parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="the folder to write into")

    def perform(self, **options: Any) -> str:
        case = Case.objects.filter(ref=options["ref"]).first()
        if case is None:
            raise Refused(f"There is no case {options['ref']}.")
        version = self._version(case, options)
        try:
            package = build.build(version, options["out"], actor=self.actor)
        except (OSError, vault.Missing) as error:
            raise CommandError(f"The package could not be written: {error}") from None
        self.say(f"{package.path.name}: SHA-256 {package.sha256}, {package.size:,} bytes")
        return str(package.path)

    def _version(self, case: Case, options: dict[str, Any]) -> DossierVersion:
        """The version of this cut; one that is not there yet is frozen in the actor's name."""
        as_of = options["as_of"]
        names = {name: options[name] for name in ("edition", "recipient", "basis")}
        asked = dossiers.checked(**names, as_of=as_of)
        known = freeze.existing(case, **asked, as_of=as_of)
        if known is not None:
            return known
        actor = preparer(case, options["actor"])
        self.say(f"Freezing {case.ref} in the name of {actor.username}.")
        return dossiers.freeze(case, actor=actor, as_of=as_of, **names)


def preparer(case: Case, username: str | None) -> User:
    """Who prepares a new version: the person named, else the case's assignee. Raises Refused."""
    person = User.objects.filter(username=username, is_active=True).first() if username else case.assignee
    if person is None:
        raise Refused(f"Nobody active is called {username}." if username else "The case has no assignee: name --actor.")
    if not person.is_active or not may(person, "cases.write"):
        raise Refused(f"{person.username} may not prepare dossiers: name another --actor.")
    return person


def moment(text: str) -> datetime:
    """A time on the command line; one without zone is UTC."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
