"""Standard Webhooks (standardwebhooks.com, specification 1.0): secrets, and the three headers that prove a sender.

Signed is `id.timestamp.body`, with HMAC-SHA256 under the bytes of the secret; nothing here knows a framework.
"""

import base64
import hmac
import secrets
from collections.abc import Sequence

PREFIX = "whsec_"
SECRET_BYTES = 32  # the specification takes 24 to 64


def fresh_secret() -> str:
    """A new secret in the form receivers are given: `whsec_` and Base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode("ascii")


def signature(secret: str, *, message_id: str, timestamp: int, body: bytes) -> str:
    """One signature, `v1,` and Base64."""
    key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode("ascii")


def headers(using: Sequence[str], *, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of a message, with one signature for each secret, so that a receiver may hold either of two."""
    made = [signature(one, message_id=message_id, timestamp=timestamp, body=body) for one in using]
    return {"webhook-id": message_id, "webhook-timestamp": str(timestamp), "webhook-signature": " ".join(made)}
