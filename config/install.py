"""Makes `.venv` with the pinned packages: `python3 config/install.py requirements.txt …`, anew only when pins changed.

Runs on the system's Python with the standard library alone, from the checkout, with relative paths: a space in the path
of the checkout does no harm.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

FOLDER = Path(".venv")
PYTHON = FOLDER / "bin" / "python"
FIRST_VERSION = (3, 11)
TOLD_EVERY = 10.0  # seconds
PIN = re.compile(rb"^[A-Za-z0-9][^\s;\[]*(?:\[[^\]]*\])?==", re.MULTILINE)
PIP_OPTIONS = ["-qq", "--progress-bar=off", "--disable-pip-version-check", "--no-input", "--require-hashes"]


def main(files: list[str]) -> int:
    """0 when `.venv` holds what the files pin; 1 with one sentence when it cannot be made."""
    if sys.version_info < FIRST_VERSION:
        return _refuse("Python 3.11 or newer is needed, and this is " + sys.version.split()[0])
    try:
        with Path(__file__).open() as lock:  # two makes at once: the second finds it done
            fcntl.flock(lock, fcntl.LOCK_EX)
            return _bring_up_to_date(files)
    except OSError as error:
        return _refuse(f"{error.filename or FOLDER}: {error.strerror}")


def _bring_up_to_date(files: list[str]) -> int:
    stamp = FOLDER / f"installed-{'-'.join(Path(name).stem for name in files)}"
    wanted = _digest(files)
    usable = _usable()
    if usable and stamp.exists() and stamp.read_text(encoding="ascii") == wanted:
        return 0
    if not usable:
        _say(f"Making .venv with Python {sys.version.split()[0]}")
        shutil.rmtree(FOLDER, ignore_errors=True)
        try:
            venv.create(FOLDER, with_pip=True)
        except subprocess.CalledProcessError:
            return _refuse(
                "this Python brings no pip for a virtual environment: on Debian, apt-get install python3-venv"
            )
    _say(f"Installing {' and '.join(files)}; the first time this takes some minutes")
    command = [str(PYTHON), "-m", "pip", "install", *PIP_OPTIONS]
    for name in files:
        command += ["--requirement", name]
    if _run_and_tell(command, sum(len(PIN.findall(Path(name).read_bytes())) for name in files)) != 0:
        return _refuse("pip could not install the pinned packages: see above")
    stamp.write_text(wanted, encoding="ascii")
    return 0


def _run_and_tell(command: list[str], pinned: int) -> int:
    """Run pip, which says nothing but errors, and say every few seconds how far it is by the files it makes."""
    before = _in_place()
    with tempfile.TemporaryDirectory(prefix="retort-pip-") as folder:
        environment = {**os.environ, "PIP_ROOT_USER_ACTION": "ignore", "TMPDIR": folder}
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment) as pip:
            while True:
                try:
                    return pip.wait(TOLD_EVERY)
                except subprocess.TimeoutExpired:
                    done = _in_place() - before  # everything is fetched first, into that folder
                    _say(f"  {f'put in place {done}' if done else f'fetched {_fetched(folder)}'} of {pinned} packages")


def _in_place() -> int:
    return sum(1 for _ in FOLDER.glob("lib/python*/site-packages/*.dist-info"))


def _fetched(folder: str) -> int:
    return sum(1 for one in Path(folder).rglob("*") if one.name.endswith((".whl", ".tar.gz")))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _usable() -> bool:
    """Whether `.venv` has a Python that starts; one whose base was removed or moved does not."""
    command = [
        str(PYTHON),
        "-c",
        "import sys; from importlib.util import find_spec as f; sys.exit(sys.version_info < (3, 11) or not f('pip'))",
    ]
    try:
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def _digest(files: list[str]) -> str:
    return hashlib.sha256(b"\0".join(Path(name).read_bytes() for name in files)).hexdigest()


def _refuse(reason: str) -> int:
    sys.stderr.write(f"retort: {reason}\n")
    return 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
