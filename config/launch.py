"""Becomes one program of a run: `python -m config.launch web`. Supervisor and tests start them through here."""

import ctypes
import os
import signal
import sys

from config import home as homes
from config.embedded import processes

RUN_MARK = "RETORT_RUN"  # a random word that every process of one run carries among its variables
PROGRAM_MARK = "RETORT_PROGRAM"
CONFIGURATION = homes.CHECKOUT / "config" / "supervisord.conf"
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def command(program: str, *, port: int = 8000) -> list[str]:
    """The command line of web, worker, beat, signer, servers or supervisor, which is run from the checkout."""
    run = homes.current().run
    commands = {
        "web": [
            *("gunicorn", "config.wsgi:application", "--bind", f"127.0.0.1:{port}", "--no-control-socket"),
            *("--config", "python:config.web", "--logger-class", "config.logs_web.Lines", "--access-logfile", "-"),
            *("--worker-class", "gthread", "--workers", "2", "--threads", str(homes.WEB_THREADS)),
            *("--timeout", "300", "--graceful-timeout", "8", "--keep-alive", "5"),
        ],
        "worker": [
            *("celery", "--quiet", "--app", "config.celery", "worker", "--hostname", "worker@%h", "--loglevel", "INFO"),
            *("--concurrency", "2", "--prefetch-multiplier", "1", "--without-gossip", "--without-mingle"),
        ],
        "beat": [
            *("celery", "--quiet", "--app", "config.celery", "beat", "--loglevel", "INFO"),
            *("--schedule", str(run / "beat-schedule"), "--pidfile="),
        ],
        "signer": ["config.signing"],
        "servers": ["config.embedded.watch"],
        "supervisor": ["supervisor.supervisord", "--configuration", str(CONFIGURATION)],
    }
    return [sys.executable, "-m", *commands[program]]


def stop_remains(program: str) -> None:
    """Kill what an earlier, killed instance of the program in the same run left behind, such as a worker's children."""
    run = os.environ.get(RUN_MARK)
    if run is None:
        return
    same = set(processes.marked(f"{PROGRAM_MARK}={program}"))
    for pid in same & set(processes.marked(f"{RUN_MARK}={run}")):
        os.kill(pid, signal.SIGKILL)


def end_with_parent() -> None:
    """Ask the kernel for SIGTERM when the supervisor dies, however it dies; execve keeps the wish (prctl(2))."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit("the supervisor ended while this program started")


def become_reaper() -> None:
    """Let orphans below this process become its children, so that it can collect them all (prctl(2))."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def main() -> None:
    """Clear the way and become the program."""
    program = sys.argv[1]
    stop_remains(program)
    end_with_parent()
    os.environ[PROGRAM_MARK] = program
    argv = command(program, port=int(os.environ.get("PORT") or 8000))
    os.execv(argv[0], argv)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
