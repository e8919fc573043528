"""`export_log --out DIR`."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from spine import sequencer, tiles
from spine.management.base import RetortCommand
from spine.models import Checkpoint, Node, Sequence


class Command(RetortCommand):
    """Write the log's tree as tiles."""

    help = (
        "Write the tree of the newest checkpoint as tiles (C2SP tlog-tiles form, 256 hashes a file), the checkpoint "
        "beside them. They hold hashes alone. Keep them where nobody here can change them: `verify_log --tiles` names "
        "the entries of a rewritten history by them. Exporting to the same folder again adds what is new."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--out", type=Path, required=True, metavar="DIR", help="folder to write to; made if missing"
        )

    def perform(self, **options: Any) -> None:
        sequencer.sequence()
        newest = Checkpoint.objects.order_by("-size").first()
        if newest is None:
            raise CommandError("The log has no checkpoint yet.")
        try:
            written = tiles.write(options["out"], newest.size, newest.note, stored_hashes)
        except (tiles.NotTiles, OSError, LookupError) as error:
            raise CommandError(f"{options['out']}: {error}") from None
        self.say(f"{written} tiles written of a log of {newest.size} entries")
        self.stdout.write(str(options["out"]))


def stored_hashes(level: int, first: int, count: int) -> list[bytes]:
    """Stored nodes of one level in order. Raises LookupError when one is missing."""
    if level == 0:
        found = Sequence.objects.filter(index__gte=first, index__lt=first + count).order_by("index")
        hashes = [bytes(value) for value in found.values_list("leaf_hash", flat=True)]
    else:
        nodes = Node.objects.filter(level=level, index__gte=first, index__lt=first + count).order_by("index")
        hashes = [bytes(value) for value in nodes.values_list("hash", flat=True)]
    if len(hashes) != count:
        raise LookupError(f"the log has {len(hashes)} of {count} nodes at level {level} from {first} on")
    return hashes
