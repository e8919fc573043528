"""`verify_log [--tables] [--checkpoint FILE …]`."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from spine import protection, verification
from spine.management.base import RetortCommand


class Command(RetortCommand):
    """Verify the log."""

    help = (
        "Re-read the whole log and every protected table and name what disagrees. Checkpoints kept in the data folder "
        "are compared too; give others, for example from a dossier, with --checkpoint."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tables", action="store_true", help="print the protected tables, one a line, and stop")
        parser.add_argument(
            "--checkpoint", action="append", type=Path, default=[], metavar="FILE", help="a checkpoint kept elsewhere"
        )

    def perform(self, **options: Any) -> None:
        if options["tables"]:
            self.stdout.write("\n".join(protection.protected_tables()))
            return
        for file in options["checkpoint"]:
            if not file.is_file():
                raise CommandError(f"{file}: no such file")
        report = verification.verify(options["checkpoint"])
        self.stdout.write(
            f"{report.rows} protected rows, {report.entries} entries, {report.checkpoints} checkpoints compared, "
            f"{report.waiting} entries wait for their index"
        )
        if report.problems:
            raise CommandError(
                "\n".join(["The log does not verify:", *(f"  {problem}" for problem in report.problems)])
            )
        self.stdout.write(f"The log verifies. Root {report.root.hex()}")
