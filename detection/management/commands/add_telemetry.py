"""`add_telemetry NAME URI… [--accounts FILE] [--networks FILE] [--models FILE]`."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from detection import sources
from detection.models import FileKind
from detection.telemetry.adapters import ADAPTERS
from spine import waiting
from spine.errors import Refused
from spine.management.base import RetortCommand


class Command(RetortCommand):
    """Read telemetry into a source."""

    help = (
        "Read telemetry files into the source NAME, which is made when it is new. The same file twice adds nothing. "
        "Bad lines are counted and kept with their number and reason. Account ids share one namespace unless "
        "--namespace says otherwise."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the source")
        parser.add_argument("uri", nargs="*", help="files of exchanges, plain or gzip; a path or a file:// address")
        parser.add_argument("--format", choices=sorted(ADAPTERS), default="ndjson", help="of the exchanges")
        parser.add_argument("--accounts", metavar="FILE", help="the accounts table, NDJSON")
        parser.add_argument("--networks", metavar="FILE", help="the networks table, NDJSON")
        parser.add_argument("--models", metavar="FILE", help="the model releases, NDJSON")
        parser.add_argument("--namespace", default="default", help="of the account ids")

    def perform(self, **options: Any) -> None:
        files = [(kind, options[kind]) for kind in ("accounts", "networks", "models") if options[kind]]
        files += [(FileKind.EXCHANGES.value, uri) for uri in options["uri"]]
        if not files:
            raise Refused("Nothing to add: name at least one file.")
        paths = [(kind, _path(uri)) for kind, uri in files]
        source = sources.source_named(options["name"], options["namespace"])
        for kind, path in paths:
            job = sources.request_telemetry(actor=self.actor, source=source, kind=kind, path=path)
            result = waiting.finish(job).result or {}
            was = "added" if result["new"] else "was there already"
            self.stdout.write(
                f"{path.name}: {was}; {result['rows']} rows, {result['bad']} bad lines, {result['repeated']} repeated"
            )


def _path(uri: str) -> Path:
    parts = urlsplit(uri)
    if parts.scheme not in {"", "file"}:
        raise Refused(f"{uri}: a path or a file:// address is accepted.")
    path = Path(unquote(parts.path)) if parts.scheme else Path(uri)
    if not path.is_file():
        raise Refused(f"{path}: no such file.")
    return path
