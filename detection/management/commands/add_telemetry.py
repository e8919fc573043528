"""`add_telemetry NAME URI… [--format] [--accounts FILE] [--networks FILE] [--models FILE]`."""

from argparse import ArgumentParser
from typing import Any

from detection import fetching, sources
from detection.models import FileKind, TelemetrySource
from detection.telemetry.adapters import ADAPTERS
from spine import waiting
from spine.errors import Refused
from spine.management.base import RetortCommand


class Command(RetortCommand):
    """Read telemetry into a source."""

    help = (
        "Read telemetry files into the source NAME, which is made when it is new. The same file twice adds nothing. "
        "Bad lines are counted and kept with their number and reason. A file that cannot be read keeps no other from "
        "being read; it is named, and the command fails at its end. Account ids share one namespace unless "
        "--namespace says otherwise."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the source")
        parser.add_argument(
            "uri", nargs="*", help="exchanges, plain, gzip or zstd: a file, a folder, a pattern, file:// or s3://"
        )
        formats = "; ".join(f"{name}: {adapter.title}" for name, adapter in ADAPTERS.items())
        parser.add_argument("--format", choices=sorted(ADAPTERS), help=f"of the exchanges, else recognised. {formats}")
        parser.add_argument("--accounts", metavar="FILE", help="the accounts table, NDJSON")
        parser.add_argument("--networks", metavar="FILE", help="the networks table, NDJSON")
        parser.add_argument("--models", metavar="FILE", help="the model releases, NDJSON")
        parser.add_argument("--namespace", default="default", help="of the account ids")

    def perform(self, **options: Any) -> None:
        given = [(kind, options[kind]) for kind in ("accounts", "networks", "models") if options[kind]]
        given += [(FileKind.EXCHANGES.value, uri) for uri in options["uri"]]
        if not given:
            raise Refused("Nothing to add: name at least one file.")
        files = [(kind, uri) for kind, some in given for uri in fetching.named(some)]
        source = sources.source_named(options["name"], options["namespace"])
        failed = [uri for kind, uri in files if not self._added(source, kind, uri, options["format"] or "")]
        if failed:
            count = f"{len(failed)} of {len(files)} files were" if len(files) > 1 else "The file was"
            raise Refused(f"{count} not read whole. What is named as added stands.")

    def _added(self, source: TelemetrySource, kind: str, uri: str, adapter: str) -> bool:
        """Read one file; says what came of it, and gives whether it was read to its end."""
        name = fetching.name_of(uri)
        try:
            job = sources.request_telemetry(actor=self.actor, source=source, kind=kind, path=uri, adapter=adapter)
            result = waiting.finish(job).result or {}
        except Refused as refused:
            self.say(f"{name}: {refused.message}")
            return False
        was = "added" if result["new"] else "was there already"
        self.stdout.write(
            f"{name}: {was}; {result['rows']} rows, {result['bad']} bad lines, {result['repeated']} repeated"
        )
        if result["truncated"]:
            self.say(f"{name}: {result['truncated']}")
        return not result["truncated"]
