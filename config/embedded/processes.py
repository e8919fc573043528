"""Processes of our own: started in sessions of their own, found again by the folder they work in, stopped in steps."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

PROC = Path("/proc")


def spawn(argv: Sequence[str], *, log: Path, variables: Mapping[str, str] | None = None) -> int:
    """Start a program in a session of its own, output appended to `log`, and return its process id.

    It inherits no signal handling, no descriptor but the log and no variable but those that find programs and words
    and the `variables` given, so that it neither hears Ctrl-C nor passes for a part of the run that happened to start
    it.
    """
    environment = {
        name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH", "TZDIR") if name in os.environ
    }
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        return os.posix_spawn(
            argv[0],
            list(argv),
            {**environment, "LC_ALL": "C", "TZ": "UTC", **(variables or {})},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, output, 1),
                (os.POSIX_SPAWN_DUP2, output, 2),
            ],
            setsid=True,
            setsigmask=[],
            setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE, signal.SIGCHLD],
        )
    finally:
        os.close(output)


def working_in(folder: Path, program: str) -> list[int]:
    """Living processes whose working folder is `folder` and whose program's name starts with `program`.

    Servers stay in their data folder, so this finds exactly the ones of that folder; a zombie has no working folder.
    """
    wanted = os.path.realpath(folder)
    found = []
    for pid in _all():
        try:
            if str((PROC / str(pid) / "cwd").readlink()) != wanted:
                continue
            if (PROC / str(pid) / "exe").readlink().name.startswith(program):
                found.append(pid)
        except OSError:  # gone meanwhile, or not ours to look at
            continue
    return found


def marked(mark: str) -> Iterator[int]:
    """Living processes that were started with `mark` (NAME=value) among their variables, without this one."""
    wanted = mark.encode()
    for pid in _all():
        try:
            variables = (PROC / str(pid) / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if wanted in variables and pid != os.getpid():
            yield pid


def stop(pid: int, steps: Sequence[tuple[signal.Signals, float]], alive: Callable[[int], bool]) -> None:
    """Send each signal in turn and wait its seconds, until `alive(pid)` is false."""
    for number, seconds in steps:
        if not alive(pid):
            return
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        wait_until(lambda: not alive(pid), seconds)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether the condition came true in time; asked twenty times a second."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def reap(pid: int) -> bool:
    """Whether a child of ours has ended, collecting it; false for a process that is no child of ours."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return False


def collect(spare: int | None = None) -> None:
    """Collect every ended child, the adopted ones too, but leave `spare` to whoever waits for it."""
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) and ended.si_pid != spare:
            os.waitpid(ended.si_pid, os.WNOHANG)


def exists(pid: int) -> bool:
    """Whether a process lives; a zombie does not."""
    fields = _stat(pid)
    return fields is not None and fields[0] not in {"Z", "X"}


def group(pgid: int) -> list[int]:
    """Living processes of a process group."""
    return [pid for pid in _all() if (fields := _stat(pid)) and fields[0] not in {"Z", "X"} and int(fields[2]) == pgid]


def _stat(pid: int) -> list[str] | None:
    """State, parent, process group … of a process (proc_pid_stat(5)), without its id and name; None when it is gone."""
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def _all() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]
