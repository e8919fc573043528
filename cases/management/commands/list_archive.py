"""`list_archive REF NUMBER [--again] [--actor]`: what is in an archive, as JSON lines; a worker lists it."""

import json
import time
from argparse import ArgumentParser
from typing import Any

from cases.access import visible_cases
from cases.actions import listings
from cases.management.commands.build_dossier import preparer
from cases.models import ArchiveListing, Case, EvidenceItem
from cases.models.archive import newest_of
from people.models import User
from spine.errors import Refused
from spine.management.base import RetortCommand
from spine.models import Job, JobState
from spine.principal import acting_as


class Command(RetortCommand):
    """Print what is in an archive."""

    help = (
        "Print the members of the archive that is exhibit NUMBER of the case REF, one JSON object a line "
        "(docs/formats/archive-listing.md). One that is not listed yet, or with --again, is listed by a worker first; "
        "nothing is unpacked. Ends with 1 when it could not be read to its end."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("ref", help="the case, for example RT-2026-K7Q4M")
        parser.add_argument("number", type=int, help="the exhibit's number")
        parser.add_argument("--again", action="store_true", help="list it anew")
        parser.add_argument("--wait", type=int, default=600, metavar="SECONDS", help="for the worker; default: 600")
        parser.add_argument("--actor", help="in whose name; without it the case's assignee")

    def perform(self, **options: Any) -> None:
        case = Case.objects.select_related("assignee").filter(ref=options["ref"]).first()
        if case is None:
            raise Refused(f"There is no case {options['ref']}.")
        actor = preparer(case, options["actor"])
        with acting_as(actor.principal):
            item = EvidenceItem.objects.filter(
                case__in=visible_cases(actor), case=case, number=options["number"]
            ).first()
            if item is None:
                raise Refused(f"{case.ref} has no exhibit {options['number']}.")
            listing = None if options["again"] else newest_of(item.id)
            if listing is None:
                listing = self._listed(item, actor, options["wait"])
        for member in listing.members:
            self.stdout.write(json.dumps(member))
        self.say(f"{item.exhibit}: {listing.count:,} members, {listing.flagged:,} with something to note")
        if listing.stopped:
            raise Refused(listing.stopped)

    def _listed(self, item: EvidenceItem, actor: User, seconds: int) -> ArchiveListing:
        job = listings.request_listing(item, actor=actor)
        end = time.monotonic() + seconds
        while job.state in {JobState.QUEUED, JobState.RUNNING} and time.monotonic() < end:
            time.sleep(0.2)
            job = Job.objects.get(pk=job.pk)
        found = ArchiveListing.objects.filter(job=job.pk).first()
        if found is None:
            raise Refused(job.error or f"No worker has listed it in {seconds} seconds; ask again later.")
        return found
