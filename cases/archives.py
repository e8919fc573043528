"""Lists archives by a program of its own (`cases.archive_reader`), and says what was found in words."""

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from django.conf import settings

from cases.dossier import plain
from spine import vault

KINDS = {
    "application/zip": "zip",
    "application/x-tar": "tar",
    "application/gzip": "gzip",
    "application/x-bzip2": "bzip2",
    "application/x-xz": "xz",
    "application/zstd": "zstd",
}
# Archives that are recognised and not listed.
NOT_READ = {"application/x-7z-compressed": "7z"}
DECEIVING = "characters in the name that are hidden, turn their neighbours round, or imitate others"
FLAGS = {
    "absolute_name": "names or points to a place outside",
    "archive_inside": "an archive itself: not looked into",
    "broken_off": "a limit was reached in it",
    "cut_off": "the archive ends before it does",
    "damaged": "damaged: not all of it could be read",
    "encrypted": "encrypted: its content was not read",
    "leads_out": "leads out of its folder",
    "method_not_read": "packed in a way that is not read here",
    "name_twice": "an earlier member has this name",
    "no_name": "the one file inside, without a name of its own",
    "not_where_it_says": "not where the directory says it is",
    "odd_name": "a name with control characters, or very long",
    "overlaps": "lies where another member does: not followed",
    "size_untrue": "not the size it declares",
    "sparse": "with holes: its content was not read",
    "two_names": "called otherwise where it lies",
}
HARMLESS = {"no_name"}
SECONDS = 180  # by the clock on the wall; the program itself counts the processor's
START = "import sys; sys.path.insert(0, sys.argv[1]); from cases.archive_reader.program import main; main(sys.argv[2])"
Told = Callable[[int], None]


@dataclass(frozen=True)
class Listed:
    """What came of reading an archive; docs/formats/archive-listing.md describes `members`."""

    members: list[dict[str, Any]]
    produced: int
    packed: int
    stopped: str

    @property
    def flagged(self) -> int:
        """How many members have something to note."""
        return sum(bool(set(member["flags"]) - HARMLESS) for member in self.members)


def is_archive(media: str) -> bool:
    """Whether content of this type is listed."""
    return media in KINDS


def read(sha256: str, media: str, told: Told = lambda done: None) -> Listed:
    """List an archive of the vault; `told` hears how many of its bytes were read.

    Whatever the archive is made to do is done to a program of its own, under limits of memory, time and writing.
    Raises spine.vault.Missing, LookupError for a type that is not listed.
    """
    kind = KINDS[media]
    with _seekable(sha256) as stream:
        return _run(stream, kind, told)


@contextmanager
def _seekable(sha256: str) -> Iterator[IO[bytes]]:
    """The stored file itself where it is one, else a copy of it that goes away."""
    try:
        with vault.path_of(sha256).open("rb") as stream:
            yield stream
    except LookupError:
        with tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as spooled:
            for piece in vault.pieces(sha256):
                spooled.write(piece)
            spooled.seek(0)
            yield spooled
    except FileNotFoundError:
        raise vault.Missing(f"the vault has no file {sha256[:12]}…") from None


def _run(stream: IO[bytes], kind: str, told: Told) -> Listed:
    root = Path(__file__).resolve().parent.parent
    program = [sys.executable, "-I", "-c", START, str(root), kind]
    late = threading.Event()
    with subprocess.Popen(
        program, stdin=stream, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={}, cwd="/", close_fds=True
    ) as process:
        clock = threading.Timer(SECONDS, _end, [process, late])
        clock.start()
        try:
            found = _heard(process, told)
        finally:
            clock.cancel()
            if process.poll() is None and not _ends(process):
                process.kill()
    if found is not None:
        return Listed(found["members"], found["produced"], found["packed"], found["stopped"])
    over = f"Reading it took longer than {SECONDS} seconds." if late.is_set() else "Reading it broke off at a limit."
    return Listed([], 0, 0, f"{over} Nothing is known of what is in it.")


def _end(process: "subprocess.Popen[bytes]", late: threading.Event) -> None:
    late.set()
    process.kill()


def _heard(process: "subprocess.Popen[bytes]", told: Told) -> dict[str, Any] | None:
    """The last line of the program, the whole list; None when it died before."""
    assert process.stdout is not None
    for line in process.stdout:
        with suppress(ValueError):
            said = json.loads(line)
            if "members" in said:
                found: dict[str, Any] = said
                return found
            told(said["packed"])
    return None


def _ends(process: "subprocess.Popen[bytes]") -> bool:
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        return False
    return True


def words_of(member: dict[str, Any]) -> list[str]:
    """What is to be noted of a member, in words."""
    found = [FLAGS.get(flag, flag) for flag in member["flags"]]
    names = f"{member['name']}{member.get('target') or ''}"
    return [*found, DECEIVING] if plain.visible(names) != names else found
