"""`preserve REF --source S --data D … --scope … --custodian … --authority …`: ask a log owner, print the letter."""

from argparse import ArgumentParser
from typing import Any

from cases.access import visible_cases
from cases.actions import request_preservation
from cases.actions.preservation import letter
from detection.models import DataClass, TelemetrySource
from people.models import User
from spine.errors import Refused
from spine.management.base import RetortCommand
from spine.principal import acting_as


class Command(RetortCommand):
    """Ask a log owner to preserve."""

    help = (
        "Ask the log owner of a source to preserve what it has of a case, in somebody's name, as the Preservation tab "
        "does: what is gone already is written down. Prints the letter to send for each kind of data."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("ref", help="the case, such as RT-2026-K7Q4M")
        parser.add_argument("--source", required=True, help="the telemetry source's name")
        parser.add_argument("--data", required=True, action="append", choices=DataClass.values, help="may be repeated")
        parser.add_argument("--scope", required=True, help="what is to be kept, in words the log owner can act on")
        parser.add_argument("--custodian", required=True, help="who is asked")
        parser.add_argument("--contact", default="")
        parser.add_argument("--authority", required=True, help="on what authority")
        parser.add_argument("--actor", required=True, help="in whose name")

    def perform(self, **options: Any) -> str:
        actor = User.objects.filter(username=options["actor"], is_active=True).first()
        if actor is None:
            raise Refused(f"Nobody active is called {options['actor']}.")
        with acting_as(actor.principal):
            case = visible_cases(actor).filter(ref=options["ref"]).first()
            source = TelemetrySource.objects.filter(name=options["source"]).first()
            if case is None or source is None:
                raise Refused("There is no such case." if case is None else "There is no such source.")
            words = {name: options[name] for name in ("scope", "custodian", "contact", "authority")}
            asked = request_preservation(case, actor=actor, source=source, data_classes=options["data"], **words)
            return "\n".join(letter(one) for one in asked)
