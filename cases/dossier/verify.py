"""Verifying a package inside the product, by the very program that travels in packages."""

from pathlib import Path

from cases.dossier.package_files.verify import Line, Report, show
from cases.dossier.package_files.verify import verify as _verify

__all__ = ["Line", "Report", "show", "verify_package"]


def verify_package(path: Path | str, fingerprint: str | None = None) -> Report:
    """Check a ZIP or an extracted folder; the report's `accepted` says whether every check holds.

    `fingerprint` is 64 lower-case hexadecimal digits that came by another way than the package. Without it the key is
    the package's own word. Never raises for what a package contains.
    """
    return _verify(str(path), fingerprint)
