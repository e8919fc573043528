"""`prove_exchange REF EXHIBIT REQUEST_ID --out FILE`: that one exchange belongs to an exchange set."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from cases.actions import exchange_checks
from cases.management.commands.build_dossier import preparer
from cases.models import Case, ExchangeSet
from spine import sequencer
from spine.errors import Refused
from spine.management.base import RetortCommand


class Command(RetortCommand):
    """Write the proof of one exchange."""

    help = (
        "Write the proof that one exchange belongs to an exchange set; verify.py --exchange-proof checks it. "
        "A custody event of the exhibit tells of it. Prints the path."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("ref", help="the case, such as RT-2026-K7Q4M")
        parser.add_argument("exhibit", type=int, help="the number of the exhibit that is the set")
        parser.add_argument("request_id", help="of the exchange")
        parser.add_argument("--open", action="append", default=[], metavar="COLUMN", help="open it, e.g. account_id")
        parser.add_argument("--purpose", default="", help="stands in the custody log")
        parser.add_argument("--actor", help="in whose name; default: who the case is assigned to")
        parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="the file to write; must not exist")

    def perform(self, **options: Any) -> str:
        case = Case.objects.filter(ref=options["ref"]).first()
        sets = ExchangeSet.objects.select_related("item__case", "case", "source")
        held = sets.filter(case=case, item__number=options["exhibit"]).first() if case else None
        if case is None or held is None:
            raise Refused(f"There is no exchange set {options['exhibit']} in a case {options['ref']}.")
        sequencer.sequence()
        content = exchange_checks.prove_exchange(
            held,
            actor=preparer(case, options["actor"]),
            request_id=options["request_id"],
            columns=options["open"],
            purpose=options["purpose"],
        )
        try:
            descriptor = os.open(options["out"], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as out:
                out.write(content)
        except OSError as error:
            raise CommandError(f"{options['out']} could not be written: {error.strerror}") from None
        return str(options["out"])
