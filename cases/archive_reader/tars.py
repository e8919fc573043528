"""tar, plain or inside one compression; and one file inside one compression, which is listed as its only member."""

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO, cast

from cases.archive_reader.limits import CHUNK, HEAD, Counted, Member, Packed, Stop, described

BLOCK = tarfile.BLOCKSIZE


def of_tar(stream: BinaryIO, counted: Counted) -> Iterator[Member]:
    """The members of a plain tar file that can be sought in: headers alone are read, and each member's first bytes."""
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    with tarfile.open(fileobj=stream, mode="r:", encoding="utf-8", errors="backslashreplace") as archive:
        for one in archive:
            head, there = b"", None
            if one.isreg() and not one.issparse():
                there = max(0, min(one.size, size - one.offset_data))
                stream.seek(one.offset_data)
                head = stream.read(min(HEAD, there))
            yield of_member(one, there, head, cut=there is not None and there < one.size)
            counted.packed = counted.produced = min(size, one.offset_data + one.size)


def of_packed(stream: BinaryIO, kind: str, counted: Counted) -> Iterator[Member]:
    """What is inside a compression: the members of a tar file, else one file."""
    inside = Inflating(stream, kind, counted)
    if not inside.holds_tar():
        yield _only(inside, counted)
        return
    with tarfile.open(
        fileobj=cast(BinaryIO, inside), mode="r|", bufsize=CHUNK, encoding="utf-8", errors="backslashreplace"
    ) as archive:
        for one in archive:
            produced, head, cut = None, b"", False
            if one.isreg() and not one.issparse():
                produced, head, cut = _content(archive, one)
            yield of_member(one, produced, head, cut=cut)


def _content(archive: tarfile.TarFile, one: tarfile.TarInfo) -> tuple[int, bytes, bool]:
    """How much of a member comes, its first bytes, and whether it breaks off."""
    produced, head = 0, b""
    content = archive.extractfile(one)
    try:
        while content is not None and (piece := content.read(CHUNK)):
            produced += len(piece)
            head = head or piece[:HEAD]
    except tarfile.ReadError:
        return produced, head, True
    return produced, head, produced < one.size


def of_member(one: tarfile.TarInfo, produced: int | None, head: bytes, *, cut: bool) -> Member:
    """A member of a tar file as it is written down."""
    flags = ["cut_off"] if cut else []
    kind, target = "file", None
    if one.issym() or one.islnk():
        kind, target = ("link" if one.issym() else "hard link"), one.linkname
    elif one.isdir():
        kind = "folder"
    elif one.issparse():
        flags.append("sparse")
    elif not one.isreg():
        kind = "device"
    target = target.replace("\x00", "\\x00") if target is not None else None
    return described(
        one.name,
        kind=kind,
        size=one.size if kind == "file" else 0,
        flags=flags,
        modified=_moment(one.mtime),
        produced=produced,
        head=head,
        target=target,
    )


def _moment(seconds: float) -> str | None:
    try:
        return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else None
    except (ValueError, OverflowError, OSError):
        return None


def _only(inside: "Inflating", counted: Counted) -> Member:
    """A file that is no tar file: how much comes out of it, and its first bytes."""
    head, size = b"", 0
    while piece := inside.read(CHUNK):
        head = head or piece[:HEAD]
        size += len(piece)
    return described("", kind="file", size=size, flags=["no_name"], produced=size, head=head)


class Inflating:
    """The bytes inside a compression, inflated as they are read and counted against the caps."""

    def __init__(self, stream: BinaryIO, kind: str, counted: Counted) -> None:
        self.counted = counted
        self.made = _made(Packed(stream, counted), kind)
        self.ahead = b""

    def read(self, size: int = -1) -> bytes:
        """At most a chunk."""
        most = min(size, CHUNK) if size >= 0 else CHUNK
        if self.ahead:
            out, self.ahead = self.ahead[:most], self.ahead[most:]
            return out
        return self._next(most)

    def holds_tar(self) -> bool:
        """Whether what comes first is the header of a tar file; nothing of it is lost."""
        while len(self.ahead) < BLOCK and (piece := self._next(BLOCK - len(self.ahead))):
            self.ahead += piece
        try:
            tarfile.TarInfo.frombuf(self.ahead[:BLOCK], "utf-8", "backslashreplace")
        except tarfile.HeaderError:
            return False
        return True

    def _next(self, size: int) -> bytes:
        out: bytes = self.made.read(size)
        self.counted.out(len(out))
        return out


def _made(source: Any, kind: str) -> Any:
    if kind == "gzip":
        return gzip.GzipFile(fileobj=source, mode="rb")
    if kind == "bzip2":
        return bz2.BZ2File(source)
    if kind == "xz":
        return lzma.LZMAFile(source)
    if kind == "zstd":
        import zstandard

        return zstandard.ZstdDecompressor(max_window_size=2**26).stream_reader(source, read_across_frames=True)
    raise Stop(f"What is packed with {kind} is not read.")
