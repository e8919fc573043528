"""Asking the signer, which alone has the log's key; and the public keys by which everything else checks."""

import json
import socket
from pathlib import Path
from typing import Any

from django.conf import settings

from spine import keyring
from spine.errors import Refused
from spine.keyring import PublicKey

SECONDS = 5.0
LONGEST_ANSWER = 4 * 1024 * 1024


class SignerAway(Refused):
    """The signer does not answer now. Nothing is lost: what waits for it is signed when it is back."""


class SignerRefused(Refused):
    """The signer answers and does not sign, with its reason."""


def ask(do: str, **question: Any) -> dict[str, Any]:
    """One question to the signer and its answer. Raises SignerAway, SignerRefused."""
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(SECONDS)
            line.connect(str(settings.SIGNER_SOCKET))
            line.sendall(json.dumps({"do": do, **question}).encode() + b"\n")
            with line.makefile("rb") as lines:
                answer = json.loads(lines.readline(LONGEST_ANSWER))
    except (OSError, ValueError) as error:
        raise SignerAway(f"The log's signer does not answer ({type(error).__name__}).") from None
    if not isinstance(answer, dict):
        raise SignerAway("The log's signer does not answer in its form.")
    if "refused" in answer:
        raise SignerRefused(f"The log's signer refuses: {answer['refused']}.")
    return answer


def public_keys() -> list[PublicKey]:
    """The log's public keys, oldest first. Raises checkpoint.NotAccepted, OSError."""
    return keyring.read(Path(settings.LOG_PUBLIC_KEY_FILE))


def current_key() -> PublicKey:
    """The key that signs now."""
    return public_keys()[-1]


def key_of(size: int) -> PublicKey:
    """The key that signed the checkpoint of this size."""
    keys = public_keys()
    return ([key for key in keys if key.after < size] or keys[:1])[-1]
