"""Pytest plugin, loaded with `-p tests.servers` before the settings: a home and servers for each test process.

The servers are the product's embedded ones. They start with the first test that needs them and are stopped by a
guardian process, also when pytest is killed. Fixtures: `servers`, `clean_database`, `worker`, `live_site`; the
`django_db` marker works for the aliases default, owner and audit.
"""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from config import embedded, launch
from config.embedded import postgres, processes
from config.home import CHECKOUT, Home, environment, locked

KEPT_VARIABLES = {"RETORT_CHROMIUM", "RETORT_REQUIRE_ALL"}
WORKER_NAME = "retort-test-worker"  # how PostgreSQL names the worker's connections
SHORT_TIMES = {"RETORT_JOB_LEASE_SECONDS": "2", "RETORT_SWEEP_SECONDS": "1", "RETORT_SEQUENCE_SECONDS": "1"}
# What comes by the clock comes to no test by chance: the daily check is half a day off, the vault's after any test.
SELDOM = {
    "RETORT_VERIFY_HOUR": str((datetime.now(UTC).hour + 12) % 24),
    "RETORT_VERIFY_SECONDS": "86400",
}
BEAT_SCHEDULE = "test-beat-schedule"


def _prepare() -> tuple[Home, str, "subprocess.Popen[bytes]"]:
    """Make this process's home, point every variable at it, and start its guardian."""
    for name in [name for name in os.environ if name.startswith("RETORT_") and name not in KEPT_VARIABLES]:
        del os.environ[name]
    os.environ.pop("PORT", None)
    home = Home(Path(tempfile.mkdtemp(prefix="retort-test-")) / "a home")
    mark = secrets.token_hex(16)
    os.environ.update(
        {
            "RETORT_HOME": str(home.path),
            "RETORT_SAMPLE": "no",
            "RETORT_OUTGOING_ALLOWED": (home.path / "drop").as_uri(),
            launch.RUN_MARK: mark,
            **environment(home),
        }
    )
    guardian = subprocess.Popen(
        [sys.executable, "-m", "tests.guardian", str(home.path), mark],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        start_new_session=True,
        env={name: value for name, value in os.environ.items() if name != launch.RUN_MARK},
    )
    return home, mark, guardian


HOME, MARK, GUARDIAN = _prepare()


def pytest_unconfigure(config: pytest.Config) -> None:
    assert GUARDIAN.stdin is not None
    GUARDIAN.stdin.close()
    GUARDIAN.wait(timeout=120)


# A skip is a failure where everything has to run.


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    return _refuse_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, Any]:
    return _refuse_skip((yield))


def _refuse_skip(report: Any) -> Any:
    if os.environ.get("RETORT_REQUIRE_ALL") == "1" and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"skipped, and RETORT_REQUIRE_ALL=1 allows no skip: {reason}"
    return report


# The database


@pytest.fixture(scope="session")
def servers() -> Iterator[Home]:
    """This process's home, its servers and signer running and the database empty until `django_db_setup`."""
    with locked(HOME.run / "users.lock", shared=True):  # commands that a test starts leave them running
        embedded.start(HOME)
        yield HOME


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.import_plugin("tests.database")


# Programs


class Program:
    """One real program of the product in a process group of its own, started with the product's own command line."""

    def __init__(self, name: str, argv: list[str], variables: dict[str, str]) -> None:
        self.name = name
        self.argv = argv
        self.variables = variables
        self.log = HOME.logs / f"{name}-{secrets.token_hex(4)}.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id, which is the process group's too."""
        assert self.process is not None, f"{self.name} is not running"
        return self.process.pid

    @property
    def output(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def start(self, ready: Callable[[], bool], seconds: float = 60.0) -> None:
        """Start it and wait until `ready()`; fails with the end of its output when it ends first or takes too long."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.argv,
                cwd=CHECKOUT,
                env={**os.environ, **self.variables},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + seconds
        while not ready():
            assert self.process.poll() is None, f"{self.name} ended:\n{self.output[-4000:]}"
            assert time.monotonic() < deadline, f"{self.name} is not ready:\n{self.output[-4000:]}"
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL to the whole process group, as a machine that dies would end it. No harm when it is gone."""
        if self.process is None:
            return
        pgid = self.process.pid
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pgid, signal.SIGKILL)
        self.process.wait(timeout=20)
        assert processes.wait_until(lambda: not processes.group(pgid), 20), f"{self.name} does not die"
        self.process = None


class Worker(Program):
    """A Celery worker with beat inside. `kill()` and `restart()` may be used as often as a test likes."""

    def __init__(self, variables: dict[str, str]) -> None:
        argv = [
            *launch.command("worker"),
            *("--beat", "--schedule", str(HOME.run / BEAT_SCHEDULE)),
        ]
        super().__init__("worker", argv, {"PGAPPNAME": WORKER_NAME, **SHORT_TIMES, **SELDOM, **variables})

    def restart(self, **variables: str) -> None:
        """Start it (again), with more or other variables if need be, and wait until it takes jobs."""
        self.kill()
        self.variables.update(variables)
        before = self.output.count(" ready.")
        self.start(lambda: self.output.count(" ready.") > before)


@pytest.fixture
def worker(transactional_db: None) -> Iterator[Worker]:
    """A real worker on the test servers: leases of 2 seconds, swept every second. Nothing of it outlives the test.

    Beat knows no earlier test: what is done every hour is not due because an hour of other tests has passed.
    """
    for schedule in HOME.run.glob(f"{BEAT_SCHEDULE}*"):
        schedule.unlink()
    handle = Worker({})
    try:
        handle.restart()
        yield handle
    finally:
        handle.kill()
        _end_connections(WORKER_NAME)


def _end_connections(name: str) -> None:
    """End what the server still does for killed clients, so that no lock outlives the test."""
    query = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE application_name = %s"
    with postgres.connect(HOME) as connection:
        connection.execute(query, [name])


@pytest.fixture(scope="session")
def _site(django_db_setup: None) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    site = Program("web", launch.command("web", port=port), {"PORT": str(port), "RETORT_PUBLIC_URL": url})
    try:
        site.start(lambda: _answers(f"{url}/healthz"))
        yield url
    finally:
        site.kill()


@pytest.fixture
def live_site(transactional_db: None, _site: str) -> str:
    """The address of a real gunicorn with the product on the test servers, without a slash at the end."""
    return _site


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
