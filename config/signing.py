"""Becomes the log's signer: `python -m config.launch signer`. Where its key, its memory and its socket are.

Reads only what it needs from the environment and loads no settings, so that it can run as another user that may read
the key, while everything else runs as one that may not.
"""

import os
import signal
import sys
from pathlib import Path

from config import home as homes
from config.home import Home
from spine.checkpoint import NotAccepted
from spine.signer import Signer, serve

MODES = {"": 0o600, "0600": 0o600, "0660": 0o660}


def key_file(home: Home) -> Path:
    """The private key: RETORT_LOG_KEY_FILE, else in the home."""
    return Path(os.environ.get("RETORT_LOG_KEY_FILE") or home.log_key)


def public_key_file(home: Home) -> Path:
    """The public keys: RETORT_LOG_PUBLIC_KEY_FILE, else beside the private key's usual place."""
    return Path(os.environ.get("RETORT_LOG_PUBLIC_KEY_FILE") or home.log_public_key)


def main() -> int:
    """Serve until SIGTERM; 1 with one sentence when it cannot."""
    home = homes.current()
    folder = Path(os.environ.get("RETORT_SIGNER_FOLDER") or home.signer)
    mode = os.environ.get("RETORT_SIGNER_SOCKET_MODE", "")
    if mode not in MODES:
        return _refuse(f"RETORT_SIGNER_SOCKET_MODE={mode!r}: 0600 and 0660 are accepted")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        key, public = key_file(home).resolve(), public_key_file(home).resolve()
        address = Path(os.environ.get("RETORT_SIGNER_SOCKET") or home.signer_socket).resolve()
        os.chdir(folder)  # by this it is found among the processes
        with homes.locked(Path("signer.lock"), wait=False):
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
            serve(Signer(folder.resolve(), key, public), address, mode=MODES[mode])
    except BlockingIOError:
        return _refuse(f"another signer keeps its memory in {folder}")
    except NotAccepted as error:
        return _refuse(f"the signer does not start: {error}")
    except OSError as error:
        return _refuse(f"the signer does not start: {error.strerror} ({error.filename})")
    return 0


def _refuse(reason: str) -> int:
    sys.stderr.write(f"retort: {reason}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
