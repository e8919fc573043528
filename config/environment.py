"""Reads settings from the environment; each failure names the variable, the value and what is accepted."""

import os
from collections.abc import Callable, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")


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


def each(name: str, parse: Callable[[str], T]) -> list[T]:
    """What `parse` makes of each part of a list separated by spaces or line feeds; its ValueError says what fits."""
    found = []
    for part in os.environ.get(name, "").split():
        try:
            found.append(parse(part))
        except ValueError as error:
            raise ImproperlyConfigured(f"{name}: {part!r}: {error}") from None
    return found


def named_value(text: str) -> tuple[str, str]:
    """A name and its value, `name=value`. Raises `ValueError` for anything else."""
    name, sign, value = text.partition("=")
    if not (name and sign and value):
        raise ValueError("name=value is accepted")
    return name, value


def web_address(name: str) -> str:
    """An http or https address with or without a path; empty when unset. It carries no name and no password."""
    value = os.environ.get(name, "")
    parts = urlsplit(value)
    if value and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.fragment):
        raise ImproperlyConfigured(f"{name}={value!r}: an address such as https://tsa.example.com/tsr is accepted")
    return value


def readable_file(name: str, *, needed: bool, what: str) -> str:
    """The path of a file that can be read; empty when unset and not needed."""
    value = os.environ.get(name, "")
    if not value and not needed:
        return ""
    if not value or not os.access(value, os.R_OK) or not Path(value).is_file():
        raise ImproperlyConfigured(f"{name}={value!r}: the path of a readable file with {what} is accepted")
    return value


def mail_server(name: str) -> dict[str, Any]:
    """Django's mail settings from smtp://, smtp+tls:// (STARTTLS) or smtps://; the secret part is never repeated."""
    try:
        value = secret(name)
    except ImproperlyConfigured:
        if os.environ.get(f"{name}_FILE"):
            raise
        return {"EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend", "EMAIL_HOST": "localhost"}
    parts = urlsplit(value)
    ports = {"smtp": 25, "smtp+tls": 587, "smtps": 465}
    try:
        port = parts.port or ports[parts.scheme]
        if not parts.hostname or parts.path.strip("/") or parts.query:
            raise ValueError
    except (KeyError, ValueError):
        raise ImproperlyConfigured(
            f"{name}: smtp://, smtp+tls:// or smtps://USER:PASSWORD@HOST:PORT is accepted"
        ) from None
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": port,
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_TLS": parts.scheme == "smtp+tls",
        "EMAIL_USE_SSL": parts.scheme == "smtps",
    }


def integer(name: str, default: int, *, least: int = 1, most: int | None = None) -> int:
    """A whole number of at least 1, or between `least` and `most`."""
    value = os.environ.get(name)
    if not value:
        return default
    fits = value.isascii() and value.isdigit() and int(value) >= least and (most is None or int(value) <= most)
    if not fits:
        span = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise ImproperlyConfigured(f"{name}={value!r}: a whole number {span} is accepted")
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


def secret_or_none(name: str, *, least: int) -> str:
    """A secret of at least so many characters from the variable or the file that NAME_FILE names; empty when unset."""
    if not os.environ.get(name) and not os.environ.get(f"{name}_FILE"):
        return ""
    value = secret(name)
    if len(value) < least or not value.isascii() or not value.isprintable() or " " in value:
        raise ImproperlyConfigured(f"{name}: at least {least} printable ASCII characters without spaces are accepted")
    return value


def network(text: str) -> str:
    """A network or a single address. Raises ValueError."""
    try:
        return str(ip_network(text))
    except ValueError:
        raise ValueError("a network such as 10.1.0.0/16, or an address, is accepted") from None


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
