"""Secrets that have to be read again are stored sealed under a key outside the database; each purpose has its own."""

import base64
import hashlib
from functools import cache
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


class Unreadable(Exception):  # noqa: N818 - the word the product uses
    """Stored under another key than the present one."""


def seal(text: str, *, purpose: str) -> str:
    """Fernet (AES-128-CBC with HMAC-SHA256); the first 8 digits name the key."""
    name, fernet = _key(settings.SECOND_FACTOR_KEY_FILE, purpose)
    return f"{name}:{fernet.encrypt(text.encode()).decode('ascii')}"


def unseal(stored: str, *, purpose: str) -> str:
    """The text again. Raises Unreadable when it was stored under another key or for another purpose, or changed."""
    name, fernet = _key(settings.SECOND_FACTOR_KEY_FILE, purpose)
    made_with, _, token = stored.partition(":")
    try:
        return fernet.decrypt(token.encode("ascii", "replace")).decode()
    except InvalidToken:
        raise Unreadable(f"stored under the key {made_with}, and the present one is {name}") from None


@cache
def _key(path: str, purpose: str) -> tuple[str, Fernet]:
    try:
        material = bytes.fromhex(Path(path).read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise ImproperlyConfigured(f"RETORT_SECOND_FACTOR_KEY_FILE: {path} cannot be read: {error}") from None
    if len(material) < 32:
        raise ImproperlyConfigured(f"RETORT_SECOND_FACTOR_KEY_FILE: {path} needs at least 64 hexadecimal digits")
    derived = HKDF(SHA256(), 32, salt=None, info=f"retort {purpose} 1".encode()).derive(material)
    return hashlib.sha256(derived).hexdigest()[:8], Fernet(base64.urlsafe_b64encode(derived))
