"""Where evidence bytes lie, behind Django's storage API: a folder here, a bucket in `spine.bucket`.

Both keep a file whole under its name or not at all, and neither is asked to change or remove one: names are digests, so
the same name is the same content. `spine.vault` is the one user.
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from django.core.files.base import File
from django.core.files.storage import FileSystemStorage


@dataclass(frozen=True)
class About:
    """What a store says of itself. `lock` is empty where nothing keeps an owner from removing files."""

    kind: str
    place: str
    lock: str
    free: int | None


class Spooled(File):  # type: ignore[type-arg]
    """A finished, synchronised file on its way into a store."""

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        super().__init__(stream, name=str(path))
        self.path = path


class Folder(FileSystemStorage):
    """A folder of this machine or a mounted one. Temporary name, fsync, rename, fsync of the folders."""

    @property
    def root(self) -> Path:
        """The folder."""
        return Path(self.location)

    def workshop(self) -> Path:
        """Where temporary files are made: in the folder itself, so that a rename is enough."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.root

    def destroy(self, name: str) -> None:
        """Remove a file for good, and see it written to the folder; one that is not there is no error."""
        final = self.root / name
        final.unlink(missing_ok=True)
        if final.parent.is_dir():
            sync_folder(final.parent)

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        """The name itself: it is the content's digest."""
        return name

    def _save(self, name: str, content: Any) -> str:
        final = self.root / name
        temporary = self.workshop() / f".incoming-{secrets.token_hex(8)}"
        try:
            _copy(content, temporary)
            temporary.chmod(0o400)
            final.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary.replace(final)
            for folder in (final.parent, final.parent.parent, self.root):
                sync_folder(folder)
        finally:
            temporary.unlink(missing_ok=True)
        return name

    def stored(self) -> Iterator[tuple[str, int]]:
        """Name and size of everything that lies here."""
        for path in self.root.glob("[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]/*"):
            with suppress(FileNotFoundError):
                yield path.name, path.stat().st_size

    def about(self) -> About:
        """Kind, place, and how many bytes fit yet."""
        disk = os.statvfs(self.workshop())
        return About("folder", str(self.root), "", disk.f_bavail * disk.f_frsize)


def _copy(content: Any, target: Path) -> None:
    """A second name for a spooled file; a synchronised copy of anything else, or where that one lies elsewhere."""
    if isinstance(content, Spooled):
        with suppress(OSError):
            target.hardlink_to(content.path)
            return
    with target.open("xb") as out:
        shutil.copyfileobj(content, out, 1024 * 1024)
        out.flush()
        os.fsync(out.fileno())


def sync_folder(folder: Path) -> None:
    """Make a folder's names outlast a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
