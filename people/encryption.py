"""Secrets of second factors, which have to be read again: stored sealed under a key outside the database."""

from spine import sealing
from spine.sealing import Unreadable

__all__ = ["Unreadable", "decrypt", "encrypt"]

PURPOSE = "second factors"


def encrypt(text: str) -> str:
    """The text sealed; the first 8 digits name the key."""
    return sealing.seal(text, purpose=PURPOSE)


def decrypt(stored: str) -> str:
    """The text again. Raises Unreadable when it was stored under another key, or changed."""
    return sealing.unseal(stored, purpose=PURPOSE)
