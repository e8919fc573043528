"""What `make check` does: lint, format, strict types, missing migrations, deploy checks, known vulnerabilities."""

import json
import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from config.home import CHECKOUT, Home

STEPS = {
    "lint": ["-m", "ruff", "check", "."],
    "format": ["-m", "ruff", "format", "--check", "."],
    "types": ["-m", "mypy"],
    "missing migrations": ["manage.py", "makemigrations", "--check", "--dry-run"],
    "deploy checks": ["manage.py", "check", "--deploy", "--fail-level", "WARNING"],
}
AUDIT = [
    *("-m", "pip_audit", "--strict", "--require-hashes", "--disable-pip", "--requirement", "requirements.txt"),
    *("--format", "json", "--progress-spinner", "off", "--timeout", "15"),
]
NOT_CHECKED = "known vulnerabilities: not checked (advisory data could not be reached)"


def main() -> int:
    """Run every step, also after one failed; 1 when one did."""
    with tempfile.TemporaryDirectory(prefix="retort-check-") as folder:
        variables = {**os.environ, **_production_like(Path(folder))}
        failed = [name for name, arguments in STEPS.items() if not _passes(name, arguments, variables)]
    if not _vulnerabilities():
        failed.append("known vulnerabilities")
    sys.stdout.write(f"failed: {', '.join(failed)}\n" if failed else "all checks passed\n")
    return 1 if failed else 0


def _passes(name: str, arguments: list[str], variables: dict[str, str]) -> bool:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=CHECKOUT,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    _tell(f"{name}: {'passed' if done.returncode == 0 else 'FAILED'}")
    if done.returncode != 0:
        _tell((done.stdout + done.stderr).rstrip())
    return done.returncode == 0


def _production_like(folder: Path) -> dict[str, str]:
    """Settings as an installation with servers of its own has them. No step needs them to answer."""
    Home(folder).create()
    server = "postgresql://{}:none@127.0.0.1:9/retort"
    return {
        "RETORT_HOME": str(folder),
        "RETORT_PUBLIC_URL": "https://retort.example.com",
        "RETORT_SECRET_KEY": secrets.token_urlsafe(50),
        "DATABASE_URL": server.format("retort_app"),
        "RETORT_OWNER_DATABASE_URL": server.format("retort_owner"),
        "RETORT_AUDIT_DATABASE_URL": server.format("retort_audit"),
        "BROKER_URL": "redis://127.0.0.1:9/0",
    }


def _vulnerabilities() -> bool:
    """Whether no pinned package has a known vulnerability; true and said so when the advisories cannot be reached.

    Without --strict pip-audit reports no vulnerabilities for packages it could get no advisories for.
    """
    done = subprocess.run(
        [sys.executable, *AUDIT], cwd=CHECKOUT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    found = _report(done.stdout)
    if found is None:
        _tell(NOT_CHECKED)
        _tell(f"  pip-audit: {(done.stderr.strip().splitlines() or ['gave no reason'])[-1]}")
        return True
    affected = [package for package in found if package.get("vulns")]
    for package in affected:
        names = ", ".join(str(one["id"]) for one in package["vulns"])
        _tell(f"known vulnerabilities: {package['name']} {package['version']}: {names}")
    if not affected:
        _tell(f"known vulnerabilities: none in {len(found)} packages")
    return not affected


def _report(text: str) -> list[dict[str, Any]] | None:
    """The audited packages; None when pip-audit gave no report or left a package out."""
    try:
        packages: list[dict[str, Any]] = json.loads(text)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return None
    return None if any("skip_reason" in package for package in packages) else packages


def _tell(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
