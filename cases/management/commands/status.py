"""`status`: how workers, queues, feeds and the log stand, also when the pages do not answer."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from rest_framework.utils.encoders import JSONEncoder

from cases.api.system import as_data
from cases.system import System, system
from spine.management.base import RetortCommand


class Command(RetortCommand):
    """Print how the installation stands."""

    help = (
        "Print how workers, queues, feeds and the log stand: sentences, or with --json what GET /api/v1/system/ "
        "answers. With --check it ends with 1 when something needs a person."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="as one JSON object")
        parser.add_argument("--check", action="store_true", help="end with 1 when something needs a person")

    def perform(self, **options: Any) -> str | None:
        now = system()
        text = json.dumps(as_data(now), cls=JSONEncoder, indent=1) if options["json"] else "\n".join(sentences(now))
        if options["check"] and now.needs_attention:
            self.stdout.write(text)
            raise CommandError("Something needs a person.")
        return text


def sentences(now: System) -> list[str]:
    """The same in words, a line each."""
    work, head = now.work, now.work.head
    lines = [f"! {one.text}" for one in work.conditions]
    lines += [
        f"worker {one.name}: {'alive' if one.alive else f'silent for {one.silent_seconds:,.0f} s'}, "
        f"{len(one.doing)} of {one.slots} jobs"
        for one in work.workers
    ]
    lines += ["no worker has shown itself within a day"] if not work.workers else []
    lines += [
        f"jobs {one.kind}: {one.queued:,} wait, {one.running:,} run, {one.failed:,} failed, {one.parked:,} set aside"
        for one in work.queues
        if not one.is_idle
    ]
    lines += [f"follow-ups {one.topic}: {one.waiting:,} wait, {one.failing:,} fail" for one in work.follow_ups]
    lines += [f"feed {one.feed.name}: {one.health.words}" for one in now.feeds]
    lines += [
        f"findings of {one.detector}: {one.created:,} new, {one.duplicate:,} repeated, {one.superseded:,} superseded, "
        f"{one.rejected:,} rejected, {one.last_day:,} in the last day"
        for one in now.tallies
    ]
    return [*lines, f"log: {head.entries:,} entries, {head.unnumbered:,} wait for a number, {head.unsigned:,} unsigned"]
