"""Servers and a database for one benchmark, in a folder that is gone afterwards; no installation is touched."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config import embedded, launch
from config.home import CHECKOUT, Home, environment


@contextmanager
def installation() -> Iterator[Home]:
    """Start PostgreSQL and Valkey, migrate, and set Django up in this process."""
    folder = Path(tempfile.mkdtemp(prefix="retort-bench-"))
    home = Home(folder / "home")
    for name in [name for name in os.environ if name.startswith("RETORT_")]:
        del os.environ[name]
    os.environ.update({"RETORT_HOME": str(home.path), **environment(home), "DJANGO_SETTINGS_MODULE": "config.settings"})
    try:
        with embedded.attach(home):
            for command in ("migrate", "collectstatic --noinput"):
                argv = [sys.executable, "manage.py", *command.split(), "--verbosity", "0"]
                subprocess.run(argv, cwd=CHECKOUT, check=True)
            import django

            django.setup()
            yield home
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def web() -> Iterator[tuple[str, int]]:
    """A real gunicorn on a free port of this machine; gives its address and process id."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = begin("web", port=port, RETORT_LOG_LEVEL="ERROR")
    try:
        _wait(f"{url}/healthz")
        yield url, process.pid
    finally:
        end(process)


@contextmanager
def worker() -> Iterator[None]:
    """A real worker and beat; what they print is left out."""
    programs: list[subprocess.Popen[bytes]] = []
    try:
        for name in ("worker", "beat"):
            programs.append(begin(name, log=Path(os.devnull), RETORT_LOG_LEVEL="ERROR"))
        yield
    finally:
        for program in programs:
            end(program)


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def begin(name: str, *, port: int = 0, log: Path | None = None, **variables: str) -> "subprocess.Popen[bytes]":
    """Start a program of the product in a process group of its own; `log` takes what it prints."""
    if port:
        variables = {"PORT": str(port), "RETORT_PUBLIC_URL": f"http://127.0.0.1:{port}", **variables}
    with contextlib.ExitStack() as stack:
        out = stack.enter_context(log.open("ab")) if log else None
        return subprocess.Popen(
            launch.command(name, port=port),
            cwd=CHECKOUT,
            env={**os.environ, **variables},
            stdout=out,
            stderr=out,
            start_new_session=True,
        )


def end(program: "subprocess.Popen[bytes]", *, at_once: bool = False) -> None:
    """Let a program stop in order within half a minute, or kill its whole group at once."""
    if not at_once:
        program.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(30)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(program.pid, signal.SIGKILL)
    program.wait()


def _wait(url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(f"{url} did not answer")


def peak_memory(pid: int) -> int:
    """The largest resident set, in bytes, that any process of the group had so far."""
    peaks = [0]
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            text = status.read_text()
            if os.getpgid(int(status.parent.name)) == pid:
                peaks.append(int(text.partition("VmHWM:")[2].split()[0]) * 1024)
        except (OSError, IndexError, ValueError):
            continue
    return max(peaks)
