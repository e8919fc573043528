"""What `make run` does: servers, migrations, first users, supervised programs, the sample story, and the end.

Whatever this process starts carries a random mark among its variables, so that a later run finds what a killed one left
behind, and nothing else.
"""

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from config import embedded
from config import home as homes
from config.embedded import processes
from config.home import CHECKOUT, EmbeddedError, Home, locked, write_private
from config.launch import RUN_MARK, become_reaper
from config.stopping import Stopped, listen, silence

READY_SECONDS = 180.0
SAMPLE_ATTEMPTS = 5


def main() -> int:
    """Run until a signal asks for the end; 0 when everything was stopped in order, 1 with one sentence otherwise."""
    listen()
    become_reaper()
    try:
        run(homes.current(), _port())
    except Stopped:
        say("Stopped.")
    except EmbeddedError as error:
        sys.stderr.write(f"retort: {error}\n")
        return 1
    finally:
        silence()
        processes.collect()
    return 0


def run(home: Home, port: int) -> None:
    """Bring everything up, say so, keep watch, and take everything down again, the servers last."""
    home.create()
    with _alone(home):
        say(f"Retort keeps its data in {home.path}")
        _clear_leftovers(home)
        _require_free(port)
        own_servers = not os.environ.get("DATABASE_URL")
        variables = _variables(home, port, own_servers)
        _record(home, port, variables[RUN_MARK])
        with contextlib.ExitStack() as stack:
            files = _begin(["collectstatic", "--noinput", "--verbosity", "0"], variables)
            stack.callback(_end, files, 10.0)
            what = "PostgreSQL, Valkey and the log's signer" if own_servers else "the log's signer"
            say(f"Starting {what}")
            stack.enter_context(embedded.attach(home, own_servers))
            stack.callback(say, f"Stopping {what}")
            _prepare(home, variables)
            _finish("collectstatic", files)
            with Supervisor(variables) as supervisor:
                _wait_ready(home, port, supervisor)
                _sample(home, variables, supervisor)
                say(f"Retort is ready: http://127.0.0.1:{port}/")
                while True:
                    supervisor.keep()
                    time.sleep(0.5)


def say(text: str) -> None:
    """A line of progress. Nobody listening any more is no reason to leave things half stopped."""
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except OSError:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - stays open to the end


class Supervisor:
    """supervisord with web, worker, beat and the servers' watch, in a session of its own, out of Ctrl-C's reach."""

    def __init__(self, variables: dict[str, str]) -> None:
        self.variables = variables
        self.process = self._start()

    def __enter__(self) -> "Supervisor":
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the programs in order: web, worker, beat, watch."""
        say("Stopping web, worker and beat")
        _end(self.process, 60.0)
        _kill_marked(self.variables[RUN_MARK])

    def keep(self) -> None:
        """Start supervisord again when it has died; its programs have got the signal to end from the kernel."""
        processes.collect(spare=self.process.pid)
        code = self.process.poll()
        if code is not None:
            say(f"The supervisor ended with {code}: starting it again")
            _kill_marked(self.variables[RUN_MARK])
            time.sleep(1)
            self.process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        say("Starting web, worker and beat")
        argv = [sys.executable, "-m", "config.launch", "supervisor"]
        return subprocess.Popen(
            argv, cwd=CHECKOUT, env=self.variables, stdin=subprocess.DEVNULL, start_new_session=True
        )


def _port() -> int:
    text = os.environ.get("PORT") or "8000"
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise EmbeddedError(f"PORT={text!r}: a number from 1 to 65535 is accepted")
    return int(text)


@contextlib.contextmanager
def _alone(home: Home) -> Iterator[None]:
    try:
        with locked(home.run / "run.lock", wait=False):
            yield
    except BlockingIOError:
        raise EmbeddedError(
            f"Retort already runs from {home.path} (process {_recorded(home).get('pid', '?')}): stop that one first "
            "or give this one another RETORT_HOME and PORT"
        ) from None


def _record(home: Home, port: int, mark: str) -> None:
    write_private(home.run / "run.json", json.dumps({"pid": os.getpid(), "port": port, "mark": mark}))


def _recorded(home: Home) -> dict[str, str | int]:
    try:
        found = json.loads((home.run / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _clear_leftovers(home: Home) -> None:
    """End what a killed run left: processes with that run's mark. Its servers are used again, not ended."""
    mark = _recorded(home).get("mark")
    if isinstance(mark, str) and list(processes.marked(f"{RUN_MARK}={mark}")):
        say("Ending what an earlier run, which was killed, left behind")
        _kill_marked(mark)


def _kill_marked(mark: str) -> None:
    """SIGTERM to every process with the mark, SIGKILL to those that are still there some seconds later."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in processes.marked(f"{RUN_MARK}={mark}"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        if processes.wait_until(lambda: not any(processes.marked(f"{RUN_MARK}={mark}")), 5.0):
            return


def _require_free(port: int) -> None:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
        except PermissionError:
            raise EmbeddedError(f"port {port} is for root alone on this machine: choose another, PORT=8000") from None
        except OSError as error:
            raise EmbeddedError(
                f"port {port} cannot be used ({error.strerror}): stop the program that has it or choose another port, "
                f"for example: make run PORT={port % 60000 + 1}"
            ) from None


def _variables(home: Home, port: int, own_servers: bool) -> dict[str, str]:
    """The environment of everything this run starts. Only `migrate` gets to see the owner's address beside it."""
    addresses = homes.environment(home) if own_servers else {}
    return {
        **addresses,
        **os.environ,
        "RETORT_HOME": str(home.path),
        "PORT": str(port),
        "PYTHONUNBUFFERED": "1",
        "RETORT_PYTHON": sys.executable,
        "RETORT_EMBEDDED": "true" if own_servers else "false",
        RUN_MARK: secrets.token_hex(16),
    }


def _prepare(home: Home, variables: dict[str, str]) -> None:
    """Database up to date, first users there."""
    first = not home.first_run_file.exists()
    if "RETORT_OWNER_DATABASE_URL" in variables:
        say("Bringing the database up to date")
        _manage(["migrate", "--verbosity", "0"], variables)
    else:
        say("Leaving the database as it is: RETORT_OWNER_DATABASE_URL is not set")
    variables.pop("RETORT_OWNER_DATABASE_URL", None)  # the programs that follow are not to know the owner's password
    if first and not (home.path / "sample").exists():
        wanted = os.environ.get("RETORT_SAMPLE", "yes") != "no"
        write_private(home.path / "sample", "wanted\n" if wanted else "left out\n")
    _manage(["first_run"], variables)


def _manage(arguments: list[str], variables: dict[str, str]) -> None:
    """Run one management command to its end, output shown.

    Raises:
        EmbeddedError: it failed; it has said why.
    """
    process = _begin(arguments, variables)
    try:
        _finish(arguments[0], process)
    finally:
        _end(process, 10.0)


def _begin(arguments: list[str], variables: dict[str, str]) -> "subprocess.Popen[bytes]":
    """Start one management command, out of Ctrl-C's reach: this process ends it."""
    argv = [sys.executable, "manage.py", *arguments]
    return subprocess.Popen(argv, cwd=CHECKOUT, env=variables, stdin=subprocess.DEVNULL, start_new_session=True)


def _finish(name: str, process: "subprocess.Popen[bytes]") -> None:
    code = process.wait()
    if code != 0:
        raise EmbeddedError(f"`manage.py {name}` failed with {code}: see above")


def _end(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    """SIGTERM, and SIGKILL to the whole session's group when that does not help in time."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=seconds)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _wait_ready(home: Home, port: int, supervisor: Supervisor) -> None:
    say("Waiting until the pages answer")
    deadline = time.monotonic() + READY_SECONDS
    while (reason := _trouble(port)) is not None:
        supervisor.keep()
        if time.monotonic() > deadline:
            raise EmbeddedError(
                f"the pages do not answer after {READY_SECONDS:.0f} seconds ({reason}): see {home.logs}"
            )
        time.sleep(0.25)


def _trouble(port: int) -> str | None:
    """Why /readyz does not answer 200 yet; None when it does. Asked under the public name, as a proxy would."""
    public = urlsplit(os.environ.get("RETORT_PUBLIC_URL") or f"http://127.0.0.1:{port}")
    headers = {"Host": public.netloc, "X-Forwarded-Proto": public.scheme}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/readyz", headers=headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as response:
            return None if response.status == 200 else f"status {response.status}"
    except (urllib.error.URLError, OSError) as error:
        return str(error)


def _sample(home: Home, variables: dict[str, str], supervisor: Supervisor) -> None:
    """On the first run, take the sample story through the queue; a server that dies meanwhile does not end it."""
    note = home.path / "sample"
    if os.environ.get("RETORT_SAMPLE") == "no" or not note.exists() or note.read_text(encoding="utf-8") != "wanted\n":
        return
    say("Taking the sample story from telemetry to a sealed dossier (RETORT_SAMPLE=no leaves it out)")
    for attempt in range(1, SAMPLE_ATTEMPTS + 1):
        try:
            _manage(["sample_story"], variables)
        except EmbeddedError:
            if attempt == SAMPLE_ATTEMPTS:
                raise
            say("The sample story was interrupted: going on with it")
            _wait_ready(home, int(variables["PORT"]), supervisor)
        else:
            write_private(note, "done\n")
            return


if __name__ == "__main__":
    sys.exit(main())
