"""Servers and a database for one benchmark, in a folder that is gone afterwards; no installation is touched."""

import os
import shutil
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
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    variables = {**os.environ, "PORT": str(port), "RETORT_PUBLIC_URL": url, "RETORT_LOG_LEVEL": "WARNING"}
    argv = launch.command("web", port=port)
    with subprocess.Popen(argv, cwd=CHECKOUT, env=variables, start_new_session=True) as process:
        try:
            _wait(f"{url}/healthz")
            yield url, process.pid
        finally:
            process.terminate()


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
