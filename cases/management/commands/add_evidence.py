"""`add_evidence REF FILE --title … --source … --acquired-at … [--authority …] [--kind …] [--detail NAME=VALUE]`."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from cases import actions
from cases.actions.evidence import TAKEN
from cases.kinds import ADDABLE
from cases.management.commands.build_dossier import moment, preparer
from cases.models import Case
from spine.errors import NoRoom, Refused, Unreachable
from spine.management.base import RetortCommand


class Command(RetortCommand):
    """Add a file of this machine to a case as an exhibit."""

    help = (
        "Add FILE to the case REF as its next exhibit. The file is streamed, hashed as it is read, left in place. "
        "Prints exhibit number, SHA-256 and size. The same bytes again are refused, naming the exhibit that has them."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("ref", help="the case, for example RT-2026-K7Q4M")
        parser.add_argument("file", type=Path)
        parser.add_argument("--title", required=True)
        parser.add_argument("--source", required=True, help="where it comes from")
        parser.add_argument("--acquired-at", required=True, help="when the bytes were taken at the source (ISO 8601)")
        parser.add_argument("--authority", default="", help="on what authority; stands in the custody log")
        parser.add_argument("--clock", default="", help="whose clock --acquired-at was read from")
        parser.add_argument("--method", default="", help="how the bytes were taken")
        parser.add_argument("--tool", default="", help="with which tool")
        parser.add_argument("--tool-version", default="")
        parser.add_argument("--kind", choices=ADDABLE, default="file")
        parser.add_argument("--detail", action="append", default=[], metavar="NAME=VALUE", help="what the kind needs")
        parser.add_argument("--actor", help="who adds it; without it the case's assignee")

    def perform(self, **options: Any) -> None:
        case = Case.objects.select_related("assignee").filter(ref=options["ref"]).first()
        if case is None:
            raise Refused(f"There is no case {options['ref']}.")
        actor = preparer(case, options["actor"])
        try:
            acquired_at = moment(options["acquired_at"])
        except ValueError:
            raise Refused(
                f"--acquired-at {options['acquired_at']}: a time such as 2026-05-12T08:00Z is read."
            ) from None
        details = dict(_pair(text) for text in options["detail"])
        try:
            with options["file"].open("rb") as file:
                item = actions.add_evidence(
                    case,
                    actor=actor,
                    title=options["title"],
                    source=options["source"],
                    acquired_at=acquired_at,
                    file=file,
                    file_name=options["file"].name,
                    authority=options["authority"],
                    kind=options["kind"],
                    details=details,
                    **{name: options[name] for name in TAKEN},
                )
        except (NoRoom, Unreachable) as error:
            raise Refused(str(error)) from None
        except OSError as error:
            raise Refused(f"{options['file']}: {error.strerror}.") from None
        self.stdout.write(f"{item.exhibit} {item.sha256} {item.size}")


def _pair(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found:
        raise Refused(f"--detail {text}: NAME=VALUE is read.")
    return name, value
