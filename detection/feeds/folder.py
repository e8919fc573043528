"""A folder of files, with the folders in it."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, Annotated

from pydantic import Field

from detection.feeds.base import Broken, Kind, Opening
from detection.feeds.files import FileSettings, FilesSource, Listed
from spine import allowlist
from spine.outgoing import Outgoing

CHUNK = 1024 * 1024


class FolderSettings(FileSettings):
    """Settings of a folder."""

    folder: Annotated[str, Field(min_length=1, max_length=1000)]


@dataclass
class FolderShelf:
    """The files of a folder; no link is followed out of it, and what is no plain file is left alone."""

    root: Path
    pattern: str
    most: int

    def listed(self) -> Iterator[Listed]:
        """Every plain file below the folder whose name fits; those that begin with a dot are left out."""
        if not self.root.is_dir():
            raise Broken("the folder is not there; it may be a disk that is not mounted")
        for folder, folders, names in os.walk(self.root, onerror=_unreadable):
            folders[:] = sorted(one for one in folders if not one.startswith("."))
            for name in names:
                if name.startswith(".") or not fnmatchcase(name, self.pattern or "*"):
                    continue
                path = Path(folder) / name
                try:
                    about = path.lstat()
                except OSError:
                    continue  # it has gone meanwhile
                if stat.S_ISREG(about.st_mode):
                    shown = path.relative_to(self.root).as_posix()
                    stamp = f"{about.st_size}:{about.st_mtime_ns}"
                    yield Listed(shown, stamp, datetime.fromtimestamp(about.st_mtime, UTC))

    def copy(self, one: Listed, to: IO[bytes]) -> None:
        """The bytes of a file, if it is still a plain file of this folder."""
        path = self.root / one.name
        try:
            if not path.parent.resolve().is_relative_to(self.root):
                raise Broken("it is not in the folder any more")
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise Broken("it is no plain file")
                total = 0
                while chunk := file.read(CHUNK):
                    total += len(chunk)
                    if total > self.most:
                        raise Broken(f"it is larger than {self.most:,} bytes")
                    to.write(chunk)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise
            raise Broken(f"it cannot be read ({error.strerror})") from None


def _unreadable(error: OSError) -> None:
    raise Broken(f"the folder cannot be read ({error.strerror})")


@contextmanager
def _open(opening: Opening) -> Iterator[FilesSource]:
    settings: FolderSettings = opening.settings
    root = allowlist.permitted_folder(opening.reach.outgoing.allowed, settings.folder)
    source = FilesSource(settings, FolderShelf(root, settings.pattern, opening.reach.file_bytes), opening)
    try:
        yield source
    finally:
        source.close()


def _check(settings: FolderSettings, outgoing: Outgoing) -> None:
    allowlist.permitted_folder(outgoing.allowed, settings.folder)


KIND = Kind(
    name="folder",
    title="Folder",
    meaning="NDJSON, JSON, CSV or Parquet files in a folder that workers can read",
    secret="",
    settings=FolderSettings,
    open=_open,
    check=_check,
    place=lambda settings: "",
    start=(),
)
