"""`ingest --detector NAME FILE…`."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import CommandError

from detection import ingest, registry, streams
from detection.ingest import Counts
from detection.repeats import Repeats
from detection.streams import BrokenStream, Line
from spine.errors import Refused
from spine.management.base import RetortCommand

MOST_ARRAY_BYTES = 256 * 1024 * 1024
MOST_IN_ARRAY = 1_000_000
FIGURES = ("received", "created", "duplicate", "superseded", "rejected")


class Command(RetortCommand):
    """Read findings from files."""

    help = (
        "Read findings of the detector NAME from files: one JSON document, a JSON array, or NDJSON; plain, gzip or "
        "zstd; native, or OCSF Detection Findings (class 2004). "
        "The same finding again adds nothing. Counts go to standard output as JSON, what was not accepted to "
        "standard error with file, line and place; the exit code is 0 only when everything was accepted."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--detector", required=True, metavar="NAME", help="whose findings these are")
        parser.add_argument(
            "--format", choices=["json", "ndjson", "ocsf"], help="found out from the file when left out"
        )
        parser.add_argument("--namespace", default="default", help="of the account ids")
        parser.add_argument(
            "--check",
            action="store_true",
            help="validate alone, each finding and against those before it in these files; write nothing",
        )
        parser.add_argument("file", nargs="+", type=Path)

    def perform(self, **options: Any) -> None:
        if options["detector"] in registry.built_in_titles():
            raise Refused(f"{options['detector']} is built in: its findings come from run_detectors.")
        if not registry.NAME.fullmatch(options["detector"]):
            raise Refused("A detector's name has 1 to 120 characters: a–z, 0–9, dot, dash, underscore.")
        missing = [str(path) for path in options["file"] if not path.is_file()]
        if missing:
            raise Refused("No such file.", missing=missing)
        total = Counts()
        with Repeats() as repeats:
            for path in options["file"]:
                total.add(self._file(path, options, repeats))
        self.stdout.write(json.dumps({name: getattr(total, name) for name in FIGURES}))
        if not total.received:
            raise CommandError("No finding is in these files." if len(options["file"]) > 1 else "No finding is in it.")
        if total.rejected:
            raise CommandError(f"{total.rejected:,} of {total.received:,} findings were not accepted.")

    def _file(self, path: Path, options: dict[str, Any], repeats: Repeats) -> Counts:
        form: ingest.Form = "ocsf" if options["format"] == "ocsf" else "either"
        documents = _documents(path, None if form == "ocsf" else options["format"])
        if options["check"]:
            counts = ingest.validate(documents, detector=options["detector"], form=form, repeats=repeats)
        else:
            counts = ingest.store(
                documents,
                actor=self.actor,
                detector=options["detector"],
                namespace=options["namespace"],
                form=form,
            )
        for error in counts.errors:
            self.say(f"{path.name}:{error.line}: {error.pointer or '/'}: {error.detail}")
        return counts


def _documents(path: Path, form: str | None) -> Iterator[Line]:
    """The findings in a file; raises BrokenStream where it cannot be followed."""
    try:
        with path.open("rb") as file:
            encoding = streams.encoding_of(file.read(4))
            file.seek(0)
            raw = iter(lambda: file.read(streams.CHUNK), b"")
            found, chunks = streams.guessed(streams.decoded(raw, encoding, limit=settings.MAX_BULK_BYTES), path.name)
            if (form or found) == "ndjson":
                yield from streams.lines(chunks)
            else:
                document = streams.whole(_capped(chunks))
                yield from streams.items(document, most=MOST_IN_ARRAY)
    except OSError as error:
        raise BrokenStream(f"the file cannot be read: {error.strerror}") from None


def _capped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """A JSON document is held in memory; more than this should be lines."""
    return streams.decoded(chunks, "", limit=MOST_ARRAY_BYTES)
