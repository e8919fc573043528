"""The log's signer beside the embedded servers: a process of its own that alone reads the signing key."""

import os
import signal
import socket
import sys
from pathlib import Path
from typing import NamedTuple

from config.embedded import processes
from config.home import CHECKOUT, EmbeddedError, Home

START_SECONDS = 60.0
STOP_STEPS = [(signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)]
PROGRAM = "python"
PASSED_ON = ("RETORT_LOG_KEY_FILE", "RETORT_LOG_PUBLIC_KEY_FILE")


def is_ours() -> bool:
    """Whether this installation runs the signer itself; not where RETORT_SIGNER_SOCKET names one."""
    return not os.environ.get("RETORT_SIGNER_SOCKET")


class Launched(NamedTuple):
    """A process on its way up: its id, and whether it is the one that was started now rather than found."""

    pid: int
    new: bool


def launch(home: Home) -> Launched | None:
    """Start the process unless it runs, without waiting for it. The caller holds the servers' lock."""
    if not is_ours():
        return None
    pid = running(home)
    if pid is not None:
        return Launched(pid, new=False)
    passed = {name: str(Path(os.environ[name]).resolve()) for name in PASSED_ON if os.environ.get(name)}
    started = processes.spawn(
        [sys.executable, "-m", "config.signing"],
        log=home.logs / "signer.log",
        variables={"RETORT_HOME": str(home.path.resolve()), "PYTHONPATH": str(CHECKOUT), **passed},
    )
    return Launched(started, new=True)


def wait(home: Home, launched: Launched | None) -> None:
    """Return when it answers. One that was found and has died meanwhile (it was being killed) is started again.

    Raises:
        EmbeddedError: it does not come up; it has said why in its log.
    """
    if launched is None:
        return
    log, pid = home.logs / "signer.log", launched.pid
    processes.wait_until(
        lambda: answers(home) or processes.reap(pid) or not processes.exists(pid),
        START_SECONDS,
    )
    if answers(home):
        return
    if not launched.new and not processes.exists(pid):
        wait(home, launch(home))
        return
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["it gave no reason"]
    raise EmbeddedError(f"the log's signer did not start: {lines[-1].removeprefix('retort: ')} (see {log})")


def running(home: Home) -> int | None:
    """The process id of this home's signer, None when there is none."""
    return next(iter(processes.working_in(home.signer, PROGRAM)), None)


def stop(home: Home) -> None:
    """Stop it. It holds nothing that is not on the disk."""
    for pid in processes.working_in(home.signer, PROGRAM):
        processes.stop(pid, STOP_STEPS, lambda one: not processes.reap(one) and processes.exists(one))


def answers(home: Home) -> bool:
    """Whether somebody listens at the socket."""
    try:
        with socket.socket(socket.AF_UNIX) as trial:
            trial.settimeout(2)
            trial.connect(str(home.signer_socket))
    except OSError:
        return False
    return True
