"""What gunicorn reads before it starts: where its processes leave their counts of requests for /metrics.

Each process writes a file of its own there, prometheus_client adds them up. The folder belongs to this run of the
server; those of runs that were killed go.
"""

import contextlib
import os
import shutil
from typing import Any

from config import home as homes

FOLDER = "request-counts"
VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client's own; read when it is imported


def _begin() -> None:
    above = homes.current().run / FOLDER
    above.mkdir(mode=0o700, parents=True, exist_ok=True)
    for old in above.iterdir():
        if not old.name.isdigit() or not _lives(int(old.name)):
            shutil.rmtree(old, ignore_errors=True)
    own = above / str(os.getpid())
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(mode=0o700)
    os.environ[VARIABLE] = str(own)


def _lives(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, 0)
        return True
    return False


def on_exit(server: Any) -> None:
    """Gunicorn's hook: the server ends in order."""
    shutil.rmtree(os.environ[VARIABLE], ignore_errors=True)


_begin()
