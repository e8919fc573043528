"""Writes a dossier package: a BagIt 1.0 bag (RFC 8493) in a ZIP whose every byte follows from its files.

Two steps, because the seal lies between them: `plan_bag` fixes every byte that is sealed and gives the digests that the
log takes; `write_zip` adds the seal's files and writes. The form is described in docs/formats/package.md.
"""

import hashlib
import json
import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from cases.dossier.package_files import verify
from spine.canonical import canonical_json

if TYPE_CHECKING:  # writer and verifier run without Django; only what lies in the vault asks for it
    from spine.vault import Stored

PACKAGE_FILES = Path(verify.__file__).parent
CHUNK = 1 << 20
REQUIRED_SEAL = (verify.STATEMENT, verify.PROOF, verify.CHECKPOINT)


Source: TypeAlias = "bytes | Path | Stored"


class NotPackable(ValueError):  # noqa: N818 - what the content is
    """Content that no package can carry; the message names the file or label."""


@dataclass(frozen=True)
class Item:
    """One file: its path in the bag, where its bytes are, and what they were when the bag was planned."""

    path: str
    source: Source
    sha256: str
    crc32: int
    size: int


@dataclass(frozen=True)
class BagPlan:
    """A bag with everything but its seal, and which files that has to have. The same content gives the same plan."""

    name: str
    snapshot_sha256: str
    payload: tuple[Item, ...]
    tags: tuple[Item, ...]
    seal_paths: frozenset[str]

    @cached_property
    def statement(self) -> bytes:
        """What is sealed: `seal/statement.json`."""
        files = {item.path: item.sha256 for item in self.tags}
        return canonical_json({"v": 1, "bag": self.name, "snapshot": self.snapshot_sha256, "files": files})

    @property
    def statement_sha256(self) -> str:
        """The digest that the log's row takes; it covers every file outside `seal/`."""
        return hashlib.sha256(self.statement).hexdigest()

    @property
    def manifest_sha256(self) -> str:
        """The digest of manifest-sha256.txt, which names every payload file."""
        return next(item.sha256 for item in self.tags if item.path == verify.MANIFEST)


@dataclass(frozen=True)
class Package:
    """A written package: the ZIP, its SHA-256 in hex, its size in bytes. `<zip>.sha256` lies beside it."""

    path: Path
    sha256: str
    size: int


def plan_bag(name: str, snapshot_sha256: str, payload: Mapping[str, Source], info: Mapping[str, str]) -> BagPlan:
    """Fix the bytes of every file outside `seal/`.

    `payload` maps paths under `data/` to bytes or files on disk; `info` gives the lines of bag-info.txt in order,
    Bagging-Date (the cut's date) among them, Payload-Oxum being added. A package that will carry a time-stamp token
    says so here (`time_stamp_info`). Raises NotPackable.
    """
    if not verify.BAG_NAME.fullmatch(name):
        raise NotPackable(f"{name!r} cannot name a package")
    if not verify.HEX64.fullmatch(snapshot_sha256):
        raise NotPackable("a snapshot is named by 64 lower-case hexadecimal digits")
    _refuse_paths(payload)
    items = _items(payload)
    if any(label.lower() == verify.OXUM.lower() for label in info):
        raise NotPackable(f"{verify.OXUM} is counted here, not given")
    oxum = f"{sum(item.size for item in items)}.{len(items)}"
    tags = {
        "bag-info.txt": info_bytes({**info, verify.OXUM: oxum}),
        "bagit.txt": verify.BAGIT,
        verify.MANIFEST: manifest_bytes(items),
        "VERIFY.txt": (PACKAGE_FILES / "VERIFY.txt").read_bytes(),
        "verify.py": (PACKAGE_FILES / "verify.py").read_bytes(),
    }
    promised = {verify.TOKEN_LABEL: verify.TOKEN, verify.CHAIN_LABEL: verify.CHAIN}
    seal = [*REQUIRED_SEAL, *(path for label, path in promised.items() if label in info)]
    return BagPlan(name, snapshot_sha256, items, _items(tags), frozenset(seal))


def time_stamp_info(chain: bytes | None) -> dict[str, str]:
    """The bag-info lines of a package that will carry `seal/timestamp.tsr` and, if given, this certificate chain.

    They are sealed, so that dropping the token is noticed.
    """
    lines = {verify.TOKEN_LABEL: verify.TOKEN}
    return lines if chain is None else {**lines, verify.CHAIN_LABEL: hashlib.sha256(chain).hexdigest()}


def seal_files(plan: BagPlan, proof: bytes, token: bytes | None = None, chain: bytes | None = None) -> dict[str, bytes]:
    """The files under `seal/`: the statement, the proof of its row (`canonical.proof_bytes`), the note in it."""
    note: str = json.loads(proof)["checkpoint"]
    files = {verify.STATEMENT: plan.statement, verify.PROOF: proof, verify.CHECKPOINT: note.encode()}
    optional = {verify.TOKEN: token, verify.CHAIN: chain}
    return files | {path: content for path, content in optional.items() if content is not None}


def write_zip(plan: BagPlan, seal: Mapping[str, bytes], target: Path) -> Package:
    """Write the package to `target` and its digest beside it, each whole or not at all.

    `seal` comes from `seal_files`; empty, it makes a draft, which is a valid bag that verify.py refuses. Raises
    NotPackable when a file on disk is no longer what was planned, or the seal is not one; OSError.
    """
    if seal and (seal.keys() != plan.seal_paths or seal[verify.STATEMENT] != plan.statement):
        raise NotPackable("these files are not the seal of this package")
    sealed = _items(seal)
    tagmanifest = _item(verify.TAGMANIFEST, manifest_bytes([*plan.tags, *sealed]))
    items = sorted([*plan.payload, *plan.tags, *sealed, tagmanifest], key=lambda item: item.path.encode())
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = _write_whole(target, _zip_chunks(plan.name, items))
    _write_whole(target.with_name(f"{target.name}.sha256"), [f"{digest}  {target.name}\n".encode()])
    return Package(target, digest, size)


def manifest_bytes(items: Iterable[Item]) -> bytes:
    """A manifest in its one form: digest, two spaces, path, line feed, sorted by the path's bytes."""
    ordered = sorted(items, key=lambda item: item.path.encode())
    return "".join(f"{item.sha256}  {item.path}\n" for item in ordered).encode()


def info_bytes(info: Mapping[str, str]) -> bytes:
    """bag-info.txt of these labels and values, in their order. Raises NotPackable for what one line cannot hold."""
    for label, value in info.items():
        if not verify.INFO_LINE.fullmatch(f"{label}: {value}"):
            raise NotPackable(f"bag-info.txt cannot hold {label!r} with the value {value!r}")
    return "".join(f"{label}: {value}\n" for label, value in info.items()).encode()


def _refuse_paths(payload: Mapping[str, Source]) -> None:
    if not payload:
        raise NotPackable("a package without a file under data/")
    for path in payload:
        fault = verify.path_fault(path) or ("" if path.startswith("data/") else "a payload path begins with data/")
        if fault:
            raise NotPackable(f"{path!r}: {fault}")
    for path, other in verify.clashes(list(payload)):
        raise NotPackable(f"{path!r} and {other!r} are one name where case is ignored")


def _items(files: Mapping[str, Source] | Mapping[str, bytes]) -> tuple[Item, ...]:
    return tuple(_item(path, files[path]) for path in sorted(files, key=str.encode))


def _item(path: str, source: Source) -> Item:
    digest, crc, size = hashlib.sha256(), 0, 0
    for chunk in _chunks(source):
        digest.update(chunk)
        crc, size = zlib.crc32(chunk, crc), size + len(chunk)
    return Item(path, source, digest.hexdigest(), crc, size)


def _chunks(source: Source) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    if isinstance(source, Path):
        with source.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                yield chunk
        return
    from spine import vault

    yield from vault.pieces(source.sha256)


def _zip_chunks(bag: str, items: list[Item]) -> Iterator[bytes]:
    """The ZIP in order: each file behind its header, the directory, the end. No clock and no machine in it."""
    offset, directory = 0, []
    for item in items:
        name = f"{bag}/{item.path}".encode()
        header = verify.local_header(name, item.crc32, item.size)
        directory.append(verify.central_header(name, item.crc32, item.size, offset))
        yield header
        yield from _as_planned(item)
        offset += len(header) + item.size
    records = b"".join(directory)
    yield records
    yield verify.end_record(len(items), len(records), offset)


def _as_planned(item: Item) -> Iterator[bytes]:
    digest = hashlib.sha256()
    for chunk in _chunks(item.source):
        digest.update(chunk)
        yield chunk
    if digest.hexdigest() != item.sha256:
        raise NotPackable(f"{item.path} changed while the package was made")


def _write_whole(target: Path, chunks: Iterable[bytes]) -> tuple[str, int]:
    """SHA-256 and size of what was written: temporary name, fsync, rename, fsync of the folder."""
    digest, size = hashlib.sha256(), 0
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as out:
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                out.write(chunk)
            out.flush()
            os.fsync(out.fileno())
        Path(name).replace(target)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        Path(name).unlink(missing_ok=True)
    return digest.hexdigest(), size
