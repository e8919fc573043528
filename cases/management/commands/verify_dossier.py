"""`verify_dossier PATH [--key FINGERPRINT]`: the same checks that `verify.py` makes inside a package."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from cases.dossier.package_files.verify import fingerprint_argument
from cases.dossier.verify import show, verify_package
from spine.management.base import RetortCommand


class Command(RetortCommand):
    """Check a package; exit code 1 and what fails when it is refused."""

    help = "Check a dossier package, a ZIP or a folder. Exits 1 and names each file that fails. Needs no server."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path)
        parser.add_argument("--key", type=fingerprint_argument, metavar="FINGERPRINT", help="from the receipt")

    def perform(self, **options: Any) -> str:
        path: Path = options["path"]
        if not path.exists():
            raise CommandError(f"There is no {path}.")
        report = verify_package(path, options["key"])
        said = show(report, path.name)
        if not report.accepted:
            raise CommandError(said)
        return said
