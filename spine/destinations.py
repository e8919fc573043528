"""Where checkpoints leave to: a folder on another system, a mailbox, a bucket with object lock.

An address of the table in RETORT_CHECKPOINT_DESTINATIONS is one of

    file:///mnt/worm/retort
    mailto:custodian@example.com
    s3://bucket/prefix?endpoint=https://s3.example.com&region=eu-west-1&lock_days=3650

Nothing here overwrites: a copy that is there with other content means another history, and is a failure that is told.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

SECONDS = 15
ACCEPTED = (
    "file:///FOLDER, mailto:ADDRESS and s3://BUCKET/PREFIX?endpoint=URL&region=NAME&lock_days=NUMBER are accepted"
)
MAILBOX = re.compile(r"[^\s@,<>\"]+@[^\s@,<>\"]+\.[^\s@,<>\"]+")
ENDPOINT = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+/?")
BUCKET_OPTIONS = {"endpoint", "region", "lock_days"}


class NotSent(Exception):  # noqa: N818 - what happened
    """Why a copy did not leave, in a sentence without secrets."""


@dataclass(frozen=True)
class Destination:
    """One place outside; `address` as it was configured, without secrets."""

    address: str
    kind: str
    send: Callable[[str, str], None] = field(compare=False, repr=False)
    folder: Path | None = None


def parse(address: str) -> Destination:
    """The destination an address names. Raises ValueError with what is accepted."""
    parts = urlsplit(address)
    if parts.scheme == "file" and not parts.netloc and parts.path.startswith("/") and not parts.query:
        folder = Path(unquote(parts.path))
        return Destination(address, "folder", lambda name, note: _to_folder(folder, name, note), folder)
    if parts.scheme == "mailto" and MAILBOX.fullmatch(parts.path) and not parts.query:
        return Destination(address, "mail", lambda name, note: _to_mailbox(parts.path, name, note))
    if parts.scheme == "s3" and parts.netloc and "@" not in parts.netloc:
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        days = options.get("lock_days", "0")
        endpoint = options.get("endpoint", "https://x")
        if options.keys() <= BUCKET_OPTIONS and re.fullmatch(r"\d{1,5}", days) and ENDPOINT.fullmatch(endpoint):
            prefix = parts.path.strip("/")
            return Destination(
                address, "bucket", lambda name, note: _to_bucket(parts.netloc, prefix, options, name, note)
            )
    raise ValueError(ACCEPTED)


def _to_folder(folder: Path, name: str, note: str) -> None:
    try:
        path = folder / name
        if not folder.is_dir():
            raise NotSent("the folder is not there; it is not made here, because it may be a disk that is not mounted")
        if path.exists():
            return _demand_same(path.read_bytes(), note)
        temporary = folder / f".{name}-{os.getpid()}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o444)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(held)
        finally:
            os.close(held)
    except OSError as error:
        raise NotSent(f"the folder cannot be written: {error.strerror}") from None


def _to_mailbox(to: str, name: str, note: str) -> None:
    from smtplib import SMTPException

    from django.core.mail import EmailMessage

    size = note.splitlines()[1]
    body = (
        f"This is the signed checkpoint of a Retort log at {size} entries. Keep it: with it anybody can show whether "
        f"the log was changed, shortened or rewritten afterwards (`verify_log --checkpoint {name}`). It tells nothing "
        f"of any case.\n\n{note}"
    )
    mail = EmailMessage(subject=f"Retort log checkpoint {size}", body=body, to=[to])
    mail.attach(name, note, "text/plain")
    try:
        if mail.send() != 1:
            raise NotSent("the mail server took no recipient")
    except (SMTPException, OSError) as error:
        raise NotSent(f"the mail server did not take it ({type(error).__name__})") from None


def _to_bucket(bucket: str, prefix: str, options: dict[str, str], name: str, note: str) -> None:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    key = f"{prefix}/{name}" if prefix else name
    bounded = Config(connect_timeout=SECONDS, read_timeout=SECONDS, retries={"max_attempts": 1})
    days = int(options.get("lock_days", "0"))
    lock: dict[str, Any] = {}
    if days:
        until = datetime.now(UTC) + timedelta(days=days)
        lock = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until}
    try:
        client = boto3.client(
            "s3",
            endpoint_url=options.get("endpoint") or None,
            region_name=options.get("region") or None,
            config=bounded,
        )
        held = _held(client, bucket, key)
        if held is not None:
            return _demand_same(held, note)
        client.put_object(Bucket=bucket, Key=key, Body=note.encode(), ContentType="text/plain; charset=utf-8", **lock)
    except (BotoCoreError, ClientError) as error:
        code = getattr(error, "response", {}).get("Error", {}).get("Code", type(error).__name__)
        raise NotSent(f"the bucket did not take it ({code})") from None


def _held(client: Any, bucket: str, key: str) -> bytes | None:
    from botocore.exceptions import ClientError

    try:
        return bytes(client.get_object(Bucket=bucket, Key=key)["Body"].read())
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in {"NoSuchKey", "404"}:
            return None
        raise


def _demand_same(held: bytes, note: str) -> None:
    if held != note.encode():
        raise NotSent("another checkpoint of this size is kept there already: two histories")
