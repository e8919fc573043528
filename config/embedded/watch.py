"""Keeps the embedded servers up: `python -m config.embedded.watch` starts one again when it has died, with back-off."""

import os
import signal
import sys
import time

from config import embedded, home

CHECK_SECONDS = 0.5
LONGEST_PAUSE = 15.0


def watch(where: home.Home, servers: bool) -> None:
    """Look twice a second and start what is missing, for ever; a failed start is told and tried again more slowly."""
    pause = CHECK_SECONDS
    while True:
        now = embedded.status(where)
        if missing := now.missing(servers):
            _tell(f"{missing} is not running: starting it again")
            try:
                embedded.start(where, servers)
                _tell("All of them run")
                pause = CHECK_SECONDS
            except embedded.EmbeddedError as error:
                pause = min(pause * 2, LONGEST_PAUSE)
                _tell(f"{error}; trying again in {pause:.0f} seconds")
        time.sleep(pause)


def _tell(text: str) -> None:
    sys.stdout.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    watch(home.current(), os.environ.get("RETORT_EMBEDDED") != "false")
