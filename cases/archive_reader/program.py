"""The program itself: confines itself, reads the file it was given as stdin, and prints what it found."""

import json
import lzma
import struct
import sys
import tarfile
import time
import zlib
from collections.abc import Iterator

from cases.archive_reader.limits import Counted, Member, Stop, confine, found
from cases.archive_reader.tars import of_packed, of_tar
from cases.archive_reader.zips import of_zip

EVERY = 0.5  # seconds between two lines of progress
DAMAGE = (OSError, EOFError, ValueError, IndexError, OverflowError, struct.error, zlib.error, lzma.LZMAError)


def main(kind: str) -> int:
    """List the file on stdin; 0 whatever came of that."""
    damage: tuple[type[Exception], ...] = (*DAMAGE, tarfile.TarError)
    if kind == "zstd":
        import zstandard  # before the limit on memory, which counts its code

        damage += (zstandard.ZstdError,)
    confine()
    counted, members, stopped = Counted(Telling()), list[Member](), ""
    try:
        for member in members_of(kind, counted):
            counted.member(member, len(members))
            members.append(member)
    except Stop as stop:
        stopped = str(stop)
    except MemoryError:
        stopped = "Reading it needs more memory than is allowed; it was read no further."
    except RecursionError:
        stopped = "It is nested deeper than is read."
    except damage as error:
        stopped = f"It is damaged or not well formed ({type(error).__name__}); it was read no further."
    say(found(members, counted, stopped))
    return 0


class Telling:
    """Says how many bytes of the archive were read, now and then."""

    def __init__(self) -> None:
        self.last = time.monotonic()

    def __call__(self, counted: Counted) -> None:
        if time.monotonic() - self.last > EVERY:
            self.last = time.monotonic()
            say({"packed": counted.packed})


def members_of(kind: str, counted: Counted) -> Iterator[Member]:
    """What is in the file on stdin."""
    stream = sys.stdin.buffer
    if kind == "zip":
        return of_zip(stream, counted)
    if kind == "tar":
        return of_tar(stream, counted)
    return of_packed(stream, kind, counted)


def say(line: object) -> None:
    """One line of JSON; characters beyond ASCII are escaped, so that no locale matters."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
