"""`verify_log [--tables] [--columns] [--checkpoint FILE …] [--tiles DIR] [--consistency OLD NEW]`."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from spine import proofs, protection, verification
from spine.management.base import RetortCommand


class Command(RetortCommand):
    """Verify the log."""

    help = (
        "Re-read the whole log and every protected table and name what disagrees. Checkpoints kept in the data folder "
        "are compared too; give others, for example of a dossier, with --checkpoint, tiles of export_log with --tiles."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tables", action="store_true", help="print the protected tables, one a line, and stop")
        parser.add_argument(
            "--columns",
            action="store_true",
            help="print each table of protected rows with the columns of its row form, personal in brackets, and stop",
        )
        parser.add_argument(
            "--checkpoint", action="append", type=Path, default=[], metavar="FILE", help="a checkpoint kept elsewhere"
        )
        parser.add_argument("--tiles", type=Path, metavar="DIR", help="tiles of export_log that were kept elsewhere")
        parser.add_argument(
            "--consistency",
            nargs=2,
            type=int,
            metavar=("OLD", "NEW"),
            help="prove that the checkpoint at NEW entries continues the one at OLD, and stop",
        )

    def perform(self, **options: Any) -> None:
        if options["tables"]:
            self.stdout.write("\n".join(protection.protected_tables()))
        elif options["columns"]:
            self.stdout.write("\n".join(protection.row_columns()))
        elif options["consistency"]:
            self.prove(*options["consistency"])
        else:
            self.verify(options["checkpoint"], options["tiles"])

    def prove(self, old: int, new: int) -> None:
        """Print the consistency proof and what was checked of it."""
        found = proofs.consistency(old, new)
        self.stdout.write(found.old_note)
        self.stdout.write(found.new_note)
        self.stdout.write("\n".join(found.proof))
        if not found.holds:
            what = "the proof does not hold" if found.signatures_hold else "a signature does not hold"
            raise CommandError(f"{new} entries do not continue {old}: {what}.")
        self.stdout.write(f"Both signatures hold, and the {new} entries begin with the {old}.")

    def verify(self, checkpoints: list[Path], tiles: Path | None) -> None:
        """Print what was read, or name what disagrees."""
        for file in checkpoints:
            if not file.is_file():
                raise CommandError(f"{file}: no such file")
        if tiles is not None and not tiles.is_dir():
            raise CommandError(f"{tiles}: no such folder")
        report = verification.verify(checkpoints, tiles=tiles)
        for table, count in report.tables.items():
            self.say(f"{count} rows of {table}")
        self.stdout.write(
            f"{report.rows} protected rows, {report.entries} entries, {report.checkpoints} checkpoints compared, "
            f"{report.waiting} entries wait for their index"
        )
        if report.problems:
            raise CommandError(
                "\n".join(["The log does not verify:", *(f"  {problem}" for problem in report.problems)])
            )
        self.stdout.write(f"The log verifies. Root {report.root.hex()}")
