"""Makes `.venv` with the pinned packages: `python3 config/install.py requirements.txt …`, anew only when pins changed.

Runs on the system's Python with the standard library alone, from the checkout, with relative paths: a space in the path
of the checkout does no harm.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

FOLDER = Path(".venv")
PYTHON = FOLDER / "bin" / "python"
FIRST_VERSION = (3, 11)
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
        sys.stdout.write(f"Making .venv with Python {sys.version.split()[0]}\n")
        sys.stdout.flush()
        shutil.rmtree(FOLDER, ignore_errors=True)
        try:
            venv.create(FOLDER, with_pip=True)
        except subprocess.CalledProcessError:
            return _refuse(
                "this Python brings no pip for a virtual environment: on Debian, apt-get install python3-venv"
            )
    sys.stdout.write(f"Installing {' and '.join(files)}; the first time this takes some minutes\n")
    sys.stdout.flush()
    command = [str(PYTHON), "-m", "pip", "install", *PIP_OPTIONS]
    for name in files:
        command += ["--requirement", name]
    done = subprocess.run(
        command, check=False, stdin=subprocess.DEVNULL, env={**os.environ, "PIP_ROOT_USER_ACTION": "ignore"}
    )
    if done.returncode != 0:
        return _refuse("pip could not install the pinned packages: see above")
    stamp.write_text(wanted, encoding="ascii")
    return 0


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
