"""Reads settings from the environment; each failure names the variable, the value and what is accepted."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str) -> str:
    """A string, the default when unset or empty."""
    return os.environ.get(name) or default


def line(name: str, default: str, *, most: int) -> str:
    """One line of at most so many characters, without control characters."""
    value = text(name, default).strip()
    if not value or len(value) > most or not value.isprintable():
        raise ImproperlyConfigured(f"{name}={value!r}: one line of 1 to {most} printable characters is accepted")
    return value


def address(name: str, default: str) -> str:
    """An http or https address without a path, as people's browsers send it in `Origin`."""
    value = text(name, default).rstrip("/")
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path or parts.query or parts.username:
        raise ImproperlyConfigured(f"{name}={value!r}: an address such as https://retort.example.com is accepted")
    return value


def words(name: str, default: Sequence[str]) -> list[str]:
    """A list separated by commas."""
    value = os.environ.get(name)
    return [word.strip() for word in value.split(",") if word.strip()] if value else list(default)


def listed(name: str, accepted: Sequence[str]) -> list[str]:
    """A list separated by commas, each of the accepted words; empty when unset."""
    chosen = words(name, [])
    for word in chosen:
        if word not in accepted:
            raise ImproperlyConfigured(f"{name}: {word!r} is not accepted; accepted are {', '.join(accepted)}")
    return chosen


def integer(name: str, default: int) -> int:
    """A whole number of at least 1."""
    value = os.environ.get(name)
    if not value:
        return default
    if not value.isascii() or not value.isdigit() or int(value) < 1:
        raise ImproperlyConfigured(f"{name}={value!r}: a whole number of at least 1 is accepted")
    return int(value)


def boolean(name: str, default: bool) -> bool:
    """`yes` or `no`."""
    return choice(name, "yes" if default else "no", ["yes", "no"]) == "yes"


def choice(name: str, default: str, accepted: Sequence[str]) -> str:
    """One of the accepted words."""
    value = os.environ.get(name) or default
    if value not in accepted:
        raise ImproperlyConfigured(f"{name}={value!r}: accepted are {', '.join(accepted)}")
    return value


def secret(name: str, default_file: Path | None = None) -> str:
    """A secret from the variable, the file that NAME_FILE names, or the default file. There is no default value."""
    value = os.environ.get(name)
    if value:
        return value
    file = os.environ.get(f"{name}_FILE")
    path = Path(file) if file else default_file
    if path is None:
        raise ImproperlyConfigured(f"{name} is not set: give the value, or a file's path in {name}_FILE")
    try:
        value = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}: cannot read {path}: {error.strerror}") from None
    if not value:
        raise ImproperlyConfigured(f"{name}: {path} is empty")
    return value


def database(name: str, fallback: str = "") -> dict[str, Any]:
    """Django's settings from a postgresql:// URL; the secret part is never repeated in an error."""
    value = os.environ.get(name) or os.environ.get(fallback, "")
    parts = urlsplit(value)
    if parts.scheme not in {"postgres", "postgresql"} or len(parts.path) < 2:
        raise ImproperlyConfigured(f"{name}: postgresql://USER:PASSWORD@HOST:PORT/NAME is accepted")
    options = dict(parse_qsl(parts.query))
    host = options.pop("host", unquote(parts.hostname or ""))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path[1:]),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(parts.port or options.pop("port", "")),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 10, **options},
    }
