"""Reads `RETORT_EVIDENCE_STORAGE`: a folder, or a bucket of an S3-compatible store with object lock."""

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from config.environment import secret

NAME = "RETORT_EVIDENCE_STORAGE"
ACCEPTED = "the path of a folder, or s3://BUCKET/PREFIX?endpoint=https://…&region=…&object_lock=compliance:3650d"
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
LOCK = re.compile(r"(compliance|governance):([1-9][0-9]{0,5})d")
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def storage(default: Path) -> dict[str, Any]:
    """The `evidence` entry of Django's STORAGES. Raises ImproperlyConfigured naming what is accepted."""
    value = os.environ.get(NAME) or ""
    if not value:
        return _folder(default)
    parts = urlsplit(value)
    if parts.scheme == "s3":
        return {"BACKEND": "spine.bucket.LockedBucket", "OPTIONS": _bucket(value)}
    if "://" in value or not Path(value).is_absolute():
        raise _refusal(value, "it is no absolute path and no s3:// address")
    return _folder(Path(value))


def _folder(path: Path) -> dict[str, Any]:
    return {"BACKEND": "spine.storages.Folder", "OPTIONS": {"location": path}}


def _bucket(value: str) -> dict[str, Any]:
    parts = urlsplit(value)
    try:
        given = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
    except ValueError:
        raise _refusal(value, "what follows the question mark is not well formed") from None
    if not BUCKET.fullmatch(parts.netloc):
        raise _refusal(value, "it names no bucket; credentials go into their own variables")
    options: dict[str, Any] = {"bucket_name": parts.netloc, "location": unquote(parts.path).strip("/"), **_keys()}
    endpoint = given.pop("endpoint", "")
    if endpoint:
        if urlsplit(endpoint).scheme not in {"http", "https"} or not urlsplit(endpoint).hostname:
            raise _refusal(value, "the endpoint is no http or https address")
        options |= {"endpoint_url": endpoint, "addressing_style": "path"}
    region = given.pop("region", "")
    if region:
        options["region_name"] = region
    lock = given.pop("object_lock", "")
    if lock not in {"", "none"}:
        found = LOCK.fullmatch(lock)
        if found is None:
            raise _refusal(value, "object_lock is compliance:<days>d, governance:<days>d or none")
        options |= {"lock_mode": found[1].upper(), "lock_days": int(found[2])}
    if given:
        raise _refusal(value, f"{min(given)} is no option of it")
    return options


def _keys() -> dict[str, str]:
    """The two halves of an access key, each from its variable or the file it names; none for a machine's own role."""
    named = [name for name in KEYS if os.environ.get(name) or os.environ.get(f"{name}_FILE")]
    if not named:
        return {}
    if len(named) == 1:
        missing = next(name for name in KEYS if name not in named)
        raise ImproperlyConfigured(f"{missing} is not set although {named[0]} is: give both or neither")
    return {"access_key": secret(KEYS[0]), "secret_key": secret(KEYS[1])}


def _refusal(value: str, reason: str) -> ImproperlyConfigured:
    """The value without what may be a secret in it: a user part and anything that is no known option."""
    shown = re.sub(r"//[^/@]*@", "//…@", value)
    return ImproperlyConfigured(f"{NAME}={shown!r}: {reason}; accepted are {ACCEPTED}")
