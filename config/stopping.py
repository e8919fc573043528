"""How a run hears that it should end: SIGINT, SIGTERM, SIGHUP, and a SIGINT that only `make` above it has got."""

import os
import signal
from pathlib import Path
from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOOK_SECONDS = 0.5


class Stopped(BaseException):
    """A person or the system asked this run to end."""


def listen() -> None:
    """From now on the first wish to end raises `Stopped` in the main thread; more of them do not disturb the end.

    A terminal sends Ctrl-C to the whole process group. A SIGINT sent to `make` alone goes no further: make waits for
    its child with that signal blocked. So its mask is looked at twice a second.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, _stop)
    if _parent_file("comm").strip() in {"make", "gmake"}:
        signal.signal(signal.SIGALRM, _look_at_make)
        signal.setitimer(signal.ITIMER_REAL, LOOK_SECONDS, LOOK_SECONDS)


def silence() -> None:
    """No more looks and no more signals: the interpreter's own end would take the next alarm for its death."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _stop(number: int, frame: FrameType | None) -> None:
    silence()
    raise Stopped


def _look_at_make(number: int, frame: FrameType | None) -> None:
    for line in _parent_file("status").splitlines():
        if line.startswith("SigBlk:") and int(line.split()[1], 16) & 1 << (signal.SIGINT - 1):
            _stop(signal.SIGINT, frame)


def _parent_file(name: str) -> str:
    try:
        return Path(f"/proc/{os.getppid()}/{name}").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
