"""Clears up after a test process, however that ends: stops its servers and removes its home at the end of input."""

import os
import shutil
import signal
import sys
from pathlib import Path

from config import embedded
from config.embedded import processes
from config.home import Home
from config.launch import RUN_MARK


def main(home: Home, mark: str) -> None:
    """Wait until the test process is gone, then leave nothing of it behind."""
    sys.stdin.buffer.read()
    for pid in processes.marked(f"{RUN_MARK}={mark}"):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    embedded.stop(home)
    if (home.run / "sockets").exists() and home.sockets != home.run:
        shutil.rmtree(home.sockets, ignore_errors=True)
    shutil.rmtree(home.path.parent, ignore_errors=True)


if __name__ == "__main__":
    main(Home(Path(sys.argv[1])), sys.argv[2])
