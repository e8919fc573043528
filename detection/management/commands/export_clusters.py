"""`export_clusters [--source NAME] --out FILE`."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from detection.models import Cluster, Run, TelemetrySource
from spine.errors import Refused
from spine.management.base import RetortCommand


class Command(RetortCommand):
    """Export clusters."""

    help = (
        "Write the clusters of the latest finished run (of each source, or of one) as a JSON array. The accounts are "
        "the provider's ids: treat the file as customer data."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--source", help="one source; all when left out")
        parser.add_argument("--out", type=Path, required=True, help="the file to write")

    def perform(self, **options: Any) -> None:
        sources = TelemetrySource.objects.order_by("name")
        if options["source"]:
            sources = sources.filter(name=options["source"])
        latest = [Run.objects.filter(source=source).order_by("-finished_at").first() for source in sources]
        runs = [run for run in latest if run]
        if not runs:
            raise Refused("No run has finished yet for that.")
        try:
            written = _write(options["out"], runs)
        except OSError as error:
            raise Refused(f"{options['out']} cannot be written: {error.strerror}.") from None
        self.say(f"{written} clusters written to {options['out']}.")


def _write(path: Path, runs: list[Run]) -> int:
    written = 0
    with path.open("w", encoding="utf-8") as out:
        out.write("[")
        for document in (d for run in runs for d in _documents(run)):
            out.write(",\n" if written else "\n")
            json.dump(document, out, ensure_ascii=False)
            written += 1
        out.write("\n]\n")
    return written


def _documents(run: Run) -> Iterator[dict[str, Any]]:
    for cluster in Cluster.objects.filter(run=run).order_by("place").iterator(chunk_size=200):
        members = cluster.members.order_by("place").values_list("account__provider_id", flat=True)
        yield {
            "cluster": cluster.key,
            "assessment": cluster.assessment,
            "score": cluster.score,
            "accounts": list(members),
            "signals": cluster.signals,
            "first_seen": cluster.first_seen.isoformat(),
            "last_seen": cluster.last_seen.isoformat(),
        }
