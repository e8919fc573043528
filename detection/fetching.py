"""Where telemetry files lie: a file, a folder, a pattern, objects of a bucket; each becomes one that can be read."""

import glob
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from django.conf import settings as product

from detection.feeds.base import Broken, Reach, checked
from detection.feeds.s3 import Bucket, S3Settings
from spine import allowlist
from spine.allowlist import NotAllowed
from spine.errors import Refused
from spine.outgoing import NoAnswer, Outgoing

MOST_FILES = 100_000
_PATTERN = frozenset("*?[")
_UNSAFE = re.compile(r"[^\w.+-]", re.ASCII)


def named(uri: str) -> list[str]:
    """The files that a path, a pattern, a folder, file:// or s3://bucket/key names, in order; whole paths or addresses.

    A folder is taken with the folders in it, without what begins with a dot; an s3 address that ends in / with all
    below it. Raises Refused when there is none, or too many.
    """
    found = _objects(uri) if uri.startswith("s3://") else _local(uri)
    if not found:
        raise Refused(f"{uri}: no such file.", field="path")
    if len(found) > MOST_FILES:
        raise Refused(f"{uri}: more than {MOST_FILES:,} files.", field="path")
    return found


def permitted(uri: str) -> str:
    """The address as it is, when a person in the page may name it: in a folder or at the endpoint that is on the list.

    Raises Refused. Who runs commands on the server reads what the server reads; who uses the page does not.
    """
    try:
        if uri.startswith("s3://"):
            _bucket(uri)
        else:
            path = _path(uri)
            fixed = path if not _PATTERN & set(str(path)) else _before_pattern(path)
            allowlist.permitted_folder(product.OUTGOING_ALLOWED, str(fixed if fixed.is_dir() else fixed.parent))
    except NotAllowed as refused:
        raise Refused(str(refused), field="path") from None
    return uri


def take_in(name: str, chunks: Iterable[bytes]) -> Path:
    """Keep an uploaded file until it was read (`discard`), under its own name in a folder of its own."""
    folder = _uploads() / uuid4().hex
    folder.mkdir(mode=0o700, parents=True)
    path = folder / (_UNSAFE.sub("_", name)[-120:].lstrip(".") or "upload")
    with path.open("wb") as to:
        for chunk in chunks:
            to.write(chunk)
    return path


def discard(uri: str) -> None:
    """Remove an uploaded file that was read, or could not be; what lies elsewhere is not ours."""
    path = Path(uri)
    if path.is_relative_to(_uploads()):
        shutil.rmtree(path.parent, ignore_errors=True)


def _uploads() -> Path:
    return Path(product.FILE_UPLOAD_TEMP_DIR).resolve() / "telemetry"


def name_of(uri: str) -> str:
    """The name to show: the last part of the path."""
    return uri.rstrip("/").rpartition("/")[2]


@contextmanager
def fetched(uri: str) -> Iterator[Path]:
    """The file to read; an object of a bucket is copied first and removed afterwards. Raises Refused."""
    if not uri.startswith("s3://"):
        yield Path(uri)
        return
    key = _key(uri)
    with tempfile.TemporaryDirectory(dir=_reach().spool) as folder:
        copy = Path(folder) / "object"
        try:
            with copy.open("wb") as to:
                _bucket(uri).take(key, to)
        except (Broken, NoAnswer, NotAllowed) as broken:
            raise Refused(f"{name_of(uri)}: {broken}") from None
        yield copy


def _local(uri: str) -> list[str]:
    path = _path(uri)
    if path.is_dir():
        return [str(one) for one in _below(path)]
    if path.is_file():
        return [str(path)]
    if not _PATTERN & set(str(path)):
        return []
    return sorted(one for one in glob.glob(str(path), recursive=True) if Path(one).is_file())  # noqa: PTH207 - whole


def _below(folder: Path) -> list[Path]:
    found: list[Path] = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        found += [Path(place) / name for name in sorted(names) if not name.startswith(".")]
    return [path for path in found if path.is_file()]


def _path(uri: str) -> Path:
    parts = urlsplit(uri)
    if parts.scheme and parts.scheme != "file" and "://" in uri:
        raise Refused(f"{uri}: a path, a file:// or an s3:// address is accepted.", field="path")
    if "\0" in uri:
        raise Refused("A path has no NUL character.", field="path")
    return Path(unquote(parts.path) if parts.scheme == "file" else uri).absolute()


def _before_pattern(path: Path) -> Path:
    """The folder in front of the first part that is a pattern."""
    parts = path.parts
    first = next(place for place, part in enumerate(parts) if _PATTERN & set(part))
    return Path(*parts[:first])


def _objects(uri: str) -> list[str]:
    key = _key(uri)
    is_pattern = bool(_PATTERN & set(key))
    try:
        listed = [one.name for one in _bucket(uri).listed()]
    except (Broken, NoAnswer, NotAllowed) as broken:
        raise Refused(f"{uri}: {broken}", field="path") from None
    if is_pattern:
        listed = [name for name in listed if fnmatchcase(name, key)]
    elif key and not key.endswith("/"):
        listed = [name for name in listed if name == key]
    place = urlsplit(uri).netloc
    return [f"s3://{place}/{name}" for name in sorted(listed)]


def _key(uri: str) -> str:
    """The key as it stands behind the bucket; no character of it is special but those of a pattern."""
    return uri.removeprefix("s3://").partition("/")[2]


def _bucket(uri: str) -> Bucket:
    """The bucket at the endpoint of the settings. Raises NotAllowed when it is not on the list, Refused unset."""
    telemetry = product.TELEMETRY_S3
    if not telemetry["endpoint"]:
        raise Refused("s3:// addresses need RETORT_TELEMETRY_S3_ENDPOINT, and that on the list of destinations.")
    key = _key(uri)
    prefix = key if not _PATTERN & set(key) else key[: min(key.index(one) for one in _PATTERN if one in key)]
    given = {
        "endpoint": telemetry["endpoint"],
        "bucket": uri.removeprefix("s3://").partition("/")[0],
        "prefix": prefix,
        "region": telemetry["region"],
        "access_key": telemetry["access_key"],
    }
    understood = checked(S3Settings, given)
    if not isinstance(understood, S3Settings):
        raise Refused("An address such as s3://bucket/folder/ is accepted.", field="path")
    reach = _reach()
    reach.outgoing.place(understood.endpoint)
    return Bucket(understood, telemetry["secret_key"], reach)


def _reach() -> Reach:
    spool = Path(product.FILE_UPLOAD_TEMP_DIR)
    spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    outgoing = Outgoing(product.OUTGOING_ALLOWED, product.OUTGOING_CA_FILE)
    return Reach(outgoing, spool, file_bytes=product.MAX_BULK_BYTES)
