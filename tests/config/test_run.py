"""`make run` from the outside: the ready line, programs that come back, the end without remains, and a killed run."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import pytest

from config import embedded
from config.embedded import processes
from config.home import CHECKOUT, Home
from config.launch import PROGRAM_MARK
from config.run import _recorded

PATIENCE = 180.0
EMBEDDED_ONLY = {"DATABASE_URL", "RETORT_OWNER_DATABASE_URL", "RETORT_AUDIT_DATABASE_URL", "BROKER_URL"}


class Run:
    """`python -m config.run` on a home and a port of its own, output line by line."""

    def __init__(self, home: Home, port: int) -> None:
        self.home, self.port = home, port
        variables = {name: value for name, value in os.environ.items() if name not in EMBEDDED_ONLY}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "config.run"],
            cwd=CHECKOUT,
            env={**variables, "RETORT_HOME": str(home.path), "RETORT_SAMPLE": "no", "PORT": str(port)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def until_ready(self) -> str:
        """The last line said before the run went quiet: the ready line, or what went wrong."""
        line = ""
        for line in self.process.stdout:
            if "ready" in line:
                break
        return line

    def end(self, number: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """Exit code and remaining output after a signal to the process group, as a terminal sends Ctrl-C."""
        os.killpg(self.process.pid, number)
        output, _ = self.process.communicate(timeout=180)
        return self.process.returncode, output

    def program(self, name: str) -> set[int]:
        """Living processes of one program of this run."""
        same = set(processes.marked(f"{PROGRAM_MARK}={name}"))
        return same & set(processes.marked(f"RETORT_HOME={self.home.path}"))

    def leaders(self, name: str) -> set[int]:
        """Those of a program's processes that the supervisor, or the run itself, started."""
        return {pid for pid in self.program(name) if os.getpgid(pid) == pid}

    def everything(self) -> list[int]:
        return [*processes.marked(f"RETORT_HOME={self.home.path}"), *self.servers()]

    def servers(self) -> list[int]:
        return (
            processes.working_in(self.home.postgres, "")
            + processes.working_in(self.home.valkey, "")
            + processes.working_in(self.home.signer, "")
        )

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as response:
                return response.status == 200
        except (urllib.error.URLError, OSError):
            return False


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    place = tmp_path_factory.mktemp("run") / "a folder"
    place.mkdir(mode=0o700)
    yield Home(place / "home")
    embedded.stop(Home(place / "home"))


@pytest.fixture(scope="module")
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def start(home: Home, port: int) -> Iterator[Callable[[], Run]]:
    """Starts one more run on the module's home and port; those still alive at the end are ended."""
    started: list[Run] = []

    def one_more() -> Run:
        started.append(Run(home, port))
        return started[-1]

    yield one_more
    for run in started:
        if run.process.poll() is None:
            run.end(signal.SIGTERM)


@pytest.fixture(scope="module")
def running(start: Callable[[], Run]) -> Run:
    """One run for the tests that follow each other, until one kills it."""
    return start()


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process of somebody else that is called like ours."""
    argv = [sys.executable, "-c", "import time; time.sleep(600)", "gunicorn celery postgres valkey-server supervisord"]
    with subprocess.Popen(argv) as process:
        yield process
        process.kill()


def test_port_in_use_is_told_in_one_sentence(tmp_path, port):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        run = Run(Home(tmp_path / "h"), port)
        output, _ = run.process.communicate(timeout=30)
    assert (run.process.returncode, output.splitlines()[-1]) == (
        1,
        f"retort: port {port} cannot be used (Address already in use): stop the program that has it or choose another "
        f"port, for example: make run PORT={port % 60000 + 1}",
    )


def test_run_reaches_the_ready_line(running, port):
    assert running.until_ready() == f"Retort is ready: http://127.0.0.1:{port}/\n"
    assert running.answers()


def test_run_while_another_runs_is_refused(running, start, home):
    second = start()
    output, _ = second.process.communicate(timeout=30)
    assert (second.process.returncode, output) == (
        1,
        f"retort: Retort already runs from {home.path} (process {running.process.pid}): stop that one first or give "
        "this one another RETORT_HOME and PORT\n",
    )


def test_command_uses_the_running_servers(running, home):
    before = embedded.status(home)
    with embedded.attach(home):
        assert embedded.status(home) == before
    assert embedded.status(home) == before


@pytest.mark.parametrize("name", ["postgres", "valkey"])
def test_killed_server_comes_back(running, home, name):
    before = getattr(embedded.status(home), name)
    os.kill(before, signal.SIGKILL)
    assert processes.wait_until(lambda: getattr(embedded.status(home), name) not in (None, before), PATIENCE)
    assert processes.wait_until(running.answers, PATIENCE)


@pytest.mark.parametrize("name", ["worker", "web", "beat"])
def test_killed_program_comes_back_without_the_old_one(running, name):
    before = running.program(name)
    (leader,) = running.leaders(name)
    os.kill(leader, signal.SIGKILL)
    assert processes.wait_until(lambda: running.leaders(name) and not running.program(name) & before, PATIENCE)
    assert processes.wait_until(running.answers, PATIENCE)


def test_killed_supervisor_comes_back(running):
    (before,) = running.leaders("supervisor")
    os.kill(before, signal.SIGKILL)
    assert processes.wait_until(lambda: running.leaders("web") and running.leaders("supervisor") != {before}, PATIENCE)
    assert processes.wait_until(running.answers, PATIENCE)


def test_run_after_a_killed_one_clears_up_keeps_the_data_and_ends_whole(running, start, home, port, bystander):
    leaders = [pid for name in ("supervisor", "web", "worker") for pid in running.leaders(name)]
    passwords, servers = home.first_run_file.read_bytes(), embedded.status(home)
    for pid in [running.process.pid, *leaders]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    running.process.communicate()

    again = start()
    assert again.until_ready() == f"Retort is ready: http://127.0.0.1:{port}/\n"
    assert (embedded.status(home), home.first_run_file.read_bytes()) == (servers, passwords)

    code, output = again.end(signal.SIGINT)
    assert (code, output.splitlines()[-3:]) == (
        0,
        ["Stopping web, worker and beat", "Stopping PostgreSQL, Valkey and the log's signer", "Stopped."],
    )
    assert (again.everything(), bystander.poll()) == ([], None)


WAITING = """
import sys, time
from config.stopping import Stopped, listen
listen()
try:
    print("listening", flush=True)
    time.sleep(30)
except Stopped:
    print("stopped", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_to_make_alone_reaches_the_run(tmp_path, number):
    if signal.getsignal(number) == signal.SIG_IGN:  # the tests run in a shell's background, and make would inherit it
        signal.signal(number, signal.SIG_DFL)
    (tmp_path / "waiting.py").write_text(WAITING)
    (tmp_path / "Makefile").write_text(f"run:\n\t@exec '{sys.executable}' '{tmp_path}/waiting.py'\n")
    argv = ["make", "--no-print-directory", "-f", str(tmp_path / "Makefile"), "run"]
    variables = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=variables) as make:
        assert make.stdout.readline() == "listening\n"
        make.send_signal(number)
        assert make.communicate(timeout=120)[0] == "stopped\n"


def test_malformed_port_is_told_in_one_sentence(tmp_path):
    variables = {**os.environ, "RETORT_HOME": str(tmp_path / "h"), "PORT": "80a"}
    done = subprocess.run(
        [sys.executable, "-m", "config.run"], cwd=CHECKOUT, env=variables, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (1, "retort: PORT='80a': a number from 1 to 65535 is accepted\n")


def test_recorded_run_of_an_empty_home_is_unknown(tmp_path):
    assert _recorded(Home(tmp_path)) == {}
