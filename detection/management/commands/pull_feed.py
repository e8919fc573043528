"""`pull_feed NAME`."""

import json
from argparse import ArgumentParser
from typing import Any

from pydantic_core import PydanticCustomError

from detection import feed_verbs
from detection.finding_schema import rfc3339
from detection.models import Feed, FeedPull
from detection.pulling import COUNTS
from spine import waiting
from spine.errors import Refused
from spine.management.base import RetortCommand


class Command(RetortCommand):
    """Pull a feed now."""

    help = (
        "Pull the feed NAME now and wait for the end; with --from and --to a window of the past. Counts go to standard "
        "output as JSON; the exit code is 0 only when the source was read to its end."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--from", dest="start", help="start of a window of the past, RFC 3339; needs --to")
        parser.add_argument("--to", dest="end", help="end of the window, not included")

    def perform(self, **options: Any) -> None:
        feed = Feed.objects.filter(name=options["name"]).first()
        if feed is None:
            raise Refused(f"There is no feed {options['name']}.")
        if options["start"] or options["end"]:
            start, end = (_moment(options[name]) for name in ("start", "end"))
            job = feed_verbs.request_backfill(feed, actor=self.actor, start=start, end=end)
        else:
            job = feed_verbs.request_pull(feed, actor=self.actor)
        waiting.finish(job)
        pull = FeedPull.objects.get(job_id=job.id)
        for one in pull.rejections:
            self.say(f"{one['place']}:{one['line']}: {one['pointer'] or '/'}: {one['detail']}")
        self.stdout.write(json.dumps({name: getattr(pull, name) for name in COUNTS}))
        if pull.state != FeedPull.State.DONE:
            raise Refused(f"The pull ended early: {pull.error.rstrip('.')}.")


def _moment(text: str | None) -> Any:
    try:
        return rfc3339(text)
    except PydanticCustomError as error:
        raise Refused(f"--from and --to: {error.message()}") from None
