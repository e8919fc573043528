#!/usr/bin/env python3
"""Checks a sealed dossier package, with Python 3.8 or newer and nothing else.

    python3 -I -S verify.py [--key FINGERPRINT] [--json] [PATH]
    python3 -I -S verify.py [--key FINGERPRINT] [--json] --exchange-proof FILE

PATH is the package: the ZIP as delivered, or the folder it was extracted to; without it, the folder this file lies in.
FINGERPRINT is the log's key fingerprint from the receipt. Exit code 0: every check holds. 1: refused. 2: wrong usage.

FILE is the proof that one exchange belongs to an exchange set.

The forms are described in docs/formats/package.md, log.md and exchange-set.md of the software.
"""

from __future__ import annotations

import argparse
import base64
import calendar
import hashlib
import json
import os
import re
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import time
import unicodedata
import zlib
from pathlib import Path
from typing import Any, Iterator, NamedTuple

BAGIT = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
MANIFEST, TAGMANIFEST = "manifest-sha256.txt", "tagmanifest-sha256.txt"
SEALED = ("VERIFY.txt", "bag-info.txt", "bagit.txt", MANIFEST, "verify.py")
STATEMENT, PROOF, CHECKPOINT = "seal/statement.json", "seal/log-proof.json", "seal/checkpoint.txt"
SNAPSHOT = "data/snapshot.json"
SAMPLE_PROOFS = "data/schedules/sampled_exchanges/"
TOKEN, CHAIN = "seal/timestamp.tsr", "seal/tsa-chain.pem"
REQUIRED = (*SEALED, TAGMANIFEST, STATEMENT, PROOF, CHECKPOINT)
OXUM, TOKEN_LABEL, CHAIN_LABEL = "Payload-Oxum", "Time-Stamp-Token", "Time-Stamp-Chain"
SEAL_TABLE, EXHIBIT_TABLE = "cases_dossierseal", "cases_evidenceitem"
EXCHANGE_PROOF, EXCHANGE_SET = "retort-exchange-proof", "retort-exchange-set"
SAMPLE_FORMAT = "retort-sample-proofs"
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")

BAG_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
HEX64 = re.compile(r"[0-9a-f]{64}")
MANIFEST_LINE = re.compile(r"([0-9a-f]{64})  ([^\n]+)\n")
INFO_LINE = re.compile(r"([A-Za-z0-9-]+): ((?!\s)[^\x00-\x1f\x7f-\x9f\u2028\u2029]+(?<!\s))")
NOTE = re.compile(
    "(retort/log/[0-9a-f]{16})\n(0|[1-9][0-9]{0,17})\n([A-Za-z0-9+/]{43}=)\n\n\u2014 (\\1) ([A-Za-z0-9+/]{91}=)\n"
)
CHUNK = 1 << 20
SMALL = 1 << 20
LARGE = 1 << 27
LARGEST_INTEGER = 2**53 - 1
DEEPEST = 40


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SET_MEMBERS = words(
    "v format id case source window accounts query rows key_sha256 leaves nodes files originals program made"
)
EXCHANGE_REQUIRED = words("v ts request_id account_id model")
EXCHANGE_PLAIN = words(
    "v ts request_id model surface country ja4 user_agent error_code finish_reason asn input_tokens output_tokens "
    "reasoning_tokens cache_read_tokens n top_logprobs logit_bias_count max_tokens status temperature "
    "issued_block_hashes presented_block_hashes prompt_bytes response_bytes tools_bytes"
)
EXCHANGE_COMMITTED = words(
    "account_id org_id api_key_id conversation_id end_user_id ip payment_fingerprint prompt_sha256 response_sha256 "
    "prompt response tools"
)


class Refused(Exception):  # noqa: N818 - what the package is
    """Why the package is refused, and the file it is refused for."""

    def __init__(self, subject: str, reason: str) -> None:
        super().__init__(f"{subject}: {reason}")
        self.subject = subject
        self.reason = reason


class Line(NamedTuple):
    """One check: whether it holds, the file it is about, and the finding in words."""

    ok: bool
    subject: str
    text: str


class Report:
    """What was found, line by line. Nothing found, or one line that failed, and the package is refused."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._failed: set[Line] = set()
        self.bag = ""
        self.fingerprint = ""
        self.key_compared = False

    @property
    def accepted(self) -> bool:
        return bool(self.lines) and all(line.ok for line in self.lines)

    @property
    def failures(self) -> list[Line]:
        return [line for line in self.lines if not line.ok]

    def ok(self, subject: str, text: str) -> None:
        self.lines.append(Line(True, subject, text))

    def fail(self, subject: str, text: str) -> None:
        line = Line(False, subject, text)
        if line not in self._failed:
            self._failed.add(line)
            self.lines.append(line)

    def as_dict(self) -> dict[str, Any]:
        return {
            "accepted": self.accepted,
            "bag": self.bag,
            "fingerprint": self.fingerprint,
            "key_compared": self.key_compared,
            "lines": [line._asdict() for line in self.lines],
        }


# Names


def path_fault(path: str) -> str:
    """Why a path may not stand in a package, or nothing. Only what every system and `sha256sum -c` reads alike may."""
    if unicodedata.normalize("NFC", path) != path:
        return "the name is not in Unicode form NFC"
    if any(unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") for character in path):
        return "the name has a control, format or surrogate character"
    if any(character in '\\%<>:"|?*' for character in path):
        return "the name has a character that not every system can keep"
    for part in path.split("/"):
        if part in ("", ".", ".."):
            return "the path is absolute or climbs"
        if part != part.strip() or part.endswith("."):
            return "a part of the path begins or ends with a space, or ends with a dot"
    return ""


def clashes(paths: list[str]) -> list[tuple[str, str]]:
    """Pairs of paths that are one file, or a file and a folder, where case is ignored."""
    seen: dict[str, str] = {}
    found = []
    for path in sorted(paths):
        parts = path.split("/")
        for end in range(1, len(parts) + 1):
            part = "/".join(parts[:end]) + ("/" if end < len(parts) else "")
            first = seen.setdefault(part.rstrip("/").casefold(), part)
            if first != part:
                found.append((path, first))
    return found


# The two forms of a package: a ZIP in exactly the form it is written in, and a folder.


def local_header(name: bytes, crc: int, size: int) -> bytes:
    """What stands before a file in the ZIP: stored, UTF-8 name, 1980-01-01; ZIP64 sizes from 4 GiB − 1."""
    large = size >= ZIP64_FROM
    extra = struct.pack("<HHQQ", 1, 16, size, size) if large else b""
    short = 0xFFFFFFFF if large else size
    fixed = struct.pack(
        "<4s5H3I2H", b"PK\3\4", 45 if large else 20, 0x0800, 0, 0, 0x21, crc, short, short, len(name), len(extra)
    )
    return fixed + name + extra


def central_header(name: bytes, crc: int, size: int, offset: int) -> bytes:
    """A file's record in the directory at the end of the ZIP: an ordinary file, mode 0644."""
    wide = ([size, size] if size >= ZIP64_FROM else []) + ([offset] if offset >= ZIP64_FROM else [])
    extra = struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
    short = 0xFFFFFFFF if size >= ZIP64_FROM else size
    place = 0xFFFFFFFF if offset >= ZIP64_FROM else offset
    needed = 45 if wide else 20
    fixed = struct.pack("<4s6H3I", b"PK\1\2", 0x0314, needed, 0x0800, 0, 0, 0x21, crc, short, short)
    return fixed + struct.pack("<5H2I", len(name), len(extra), 0, 0, 0, 0o100644 << 16, place) + name + extra


def end_record(count: int, size: int, offset: int) -> bytes:
    """The end of the ZIP, without a comment: how many files, and where the directory is."""
    wide = b""
    if count >= 0xFFFF or size >= ZIP64_FROM or offset >= ZIP64_FROM:
        wide = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 0x0314, 45, 0, 0, count, count, size, offset)
        wide += struct.pack("<4sIQI", b"PK\6\7", 0, offset + size, 1)
    short = min(count, 0xFFFF)
    size, offset = (0xFFFFFFFF if value >= ZIP64_FROM else value for value in (size, offset))
    return wide + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, short, short, size, offset, 0)


ZIP64_FROM = 0xFFFFFFFF
ODD_ZIP = "is not byte for byte the form packages are written in"


class Member(NamedTuple):
    """A file in the ZIP: where its bytes begin, how many, and their CRC-32."""

    start: int
    size: int
    crc: int
    header: bytes


class ZipPackage:
    """A package as delivered. Every byte outside the files' content is compared with the one form it can have."""

    def __init__(self, path: Path) -> None:
        self.label = path.name
        self.faults: list[tuple[str, str]] = []
        self.stream = path.open("rb")
        self.members: dict[str, Member] = {}
        self.bag = ""
        try:
            self._read_directory()
        except BaseException:
            self.stream.close()
            raise

    def _read_directory(self) -> None:
        total = self.stream.seek(0, os.SEEK_END)
        count, size, offset = self._end(total)
        if size > LARGE or offset + size + len(end_record(count, size, offset)) != total:
            raise Refused(self.label, f"the ZIP's end {ODD_ZIP}: something was added, cut off or changed")
        directory = self._bytes(offset, size)
        position, place, names = 0, 0, []
        for _ in range(count):
            name, member, used = self._record(directory, position, place)
            names.append(name)
            position, place = position + used, member.start + member.size
            self.members[name.partition("/")[2]] = member
        if position != size or place != offset:
            raise Refused(self.label, f"the ZIP's directory {ODD_ZIP}: bytes between or after the files")
        tops = {name.partition("/")[0] for name in names}
        if len(tops) != 1 or len(self.members) != len(names):
            raise Refused(self.label, "the ZIP does not have exactly one top folder, or has a name twice")
        if [name.encode() for name in names] != sorted(name.encode() for name in names):
            raise Refused(self.label, f"the order of files {ODD_ZIP}")
        self.bag = tops.pop()

    def _end(self, total: int) -> tuple[int, int, int]:
        tail = self._bytes(max(0, total - 98), min(total, 98))
        if tail[-22:-18] != b"PK\5\6":
            raise Refused(self.label, "is not a ZIP that ends where a package ends: bytes were added or cut off")
        count, size, offset = struct.unpack("<10xHIIH", tail[-22:])[:3]
        if len(tail) == 98 and (count == 0xFFFF or ZIP64_FROM in (size, offset)):
            count, size, offset = struct.unpack("<32x3Q", tail[:56])
        expected = end_record(count, size, offset)
        if not tail.endswith(expected):
            raise Refused(self.label, f"the ZIP's end {ODD_ZIP}")
        return count, size, offset

    def _record(self, directory: bytes, position: int, place: int) -> tuple[str, Member, int]:
        fixed = directory[position : position + 46]
        if len(fixed) != 46:
            raise Refused(self.label, "the ZIP's directory is cut off")
        crc, size, length, extra_length = struct.unpack("<16xI4xIHH14x", fixed)
        name = directory[position + 46 : position + 46 + length]
        if size == ZIP64_FROM:
            extra = directory[position + 46 + length : position + 46 + length + extra_length]
            size = int.from_bytes(extra[4:12], "little")
        try:
            text = name.decode("utf-8")
        except UnicodeDecodeError:
            raise Refused(self.label, "a name in the ZIP's directory is not UTF-8") from None
        record = central_header(name, crc, size, place)
        if "/" not in text or directory[position : position + len(record)] != record:
            raise Refused(self.label, f"the ZIP's record of {text} {ODD_ZIP}")
        header = local_header(name, crc, size)
        return text, Member(place + len(header), size, crc, header), len(record)

    def _bytes(self, start: int, count: int) -> bytes:
        self.stream.seek(start)
        return self.stream.read(count)

    def chunks(self, path: str) -> Iterator[bytes]:
        member = self.members[path]
        if self._bytes(member.start - len(member.header), len(member.header)) != member.header:
            raise Refused(path, f"its header in the ZIP {ODD_ZIP}, or does not fit the directory")
        crc, left, position = 0, member.size, member.start
        while left:
            chunk = self._bytes(position, min(CHUNK, left))
            if not chunk:
                raise Refused(path, "is cut off")
            crc, left, position = zlib.crc32(chunk, crc), left - len(chunk), position + len(chunk)
            yield chunk
        if crc != member.crc:
            raise Refused(path, "its checksum in the ZIP does not fit its content")

    def close(self) -> None:
        self.stream.close()


class FolderPackage:
    """A package as extracted. Links and whatever is no ordinary file are faults and are never followed or opened."""

    def __init__(self, path: Path) -> None:
        self.label = self.bag = path.name
        self.faults: list[tuple[str, str]] = []
        self.members: dict[str, str] = {}
        self._walk(str(path), "")

    def _walk(self, folder: str, prefix: str) -> None:
        if prefix.count("/") > DEEPEST:
            self.faults.append((prefix.rstrip("/"), "lies too deep"))
            return
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        if not entries:
            self.faults.append((prefix.rstrip("/") or self.label, "is an empty folder"))
        for entry in entries:
            path = prefix + entry.name
            if entry.is_symlink():
                self.faults.append((path, "is a link"))
            elif entry.is_dir(follow_symlinks=False):
                self._walk(entry.path, path + "/")
            elif entry.is_file(follow_symlinks=False):
                self.members[path] = entry.path
            else:
                self.faults.append((path, "is not an ordinary file"))

    def chunks(self, path: str) -> Iterator[bytes]:
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
        descriptor = os.open(self.members[path], flags)
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Refused(path, "is not an ordinary file")
            chunk = stream.read(CHUNK)
            while chunk:
                yield chunk
                chunk = stream.read(CHUNK)

    def close(self) -> None:
        """Nothing stays open."""


class Bag:
    """The files of one package with their digests, and what the checks have learned so far."""

    def __init__(self, package: ZipPackage | FolderPackage) -> None:
        self.package = package
        self.digests: dict[str, str] = {}
        self.sizes: dict[str, int] = {}
        self.info: dict[str, str] = {}
        self.seal_row: dict[str, Any] = {}
        self.row_is_proven = False

    def read(self, path: str, limit: int = SMALL) -> bytes:
        """A whole small file; a file that is missing or too large to be what it should be is refused."""
        if path not in self.digests:
            raise Refused(path, "cannot be read" if path in self.package.members else "is missing")
        if self.sizes[path] > limit:
            raise Refused(path, f"is larger than the {limit} bytes it can have")
        return b"".join(self.package.chunks(path))

    def text(self, path: str, limit: int = SMALL) -> str:
        try:
            return self.read(path, limit).decode("utf-8")
        except UnicodeDecodeError:
            raise Refused(path, "is not UTF-8") from None


# The checks, in the order they are reported


def check_files(bag: Bag, report: Report) -> None:
    """Names, kinds and presence of files; computes every digest."""
    faults = list(bag.package.faults)
    paths = sorted(bag.package.members)
    faults += [(path, path_fault(path)) for path in paths if path_fault(path)]
    faults += [(path, f"is the same name as {other} where case is ignored") for path, other in clashes(paths)]
    known = {*REQUIRED, TOKEN, CHAIN}
    faults += [(path, "has no place in a package") for path in paths if path not in known and path[:5] != "data/"]
    for path in REQUIRED:
        if path not in bag.package.members:
            faults.append((path, "is missing"))
    for path in paths:
        digest, size = hashlib.sha256(), 0
        try:
            for chunk in bag.package.chunks(path):
                digest.update(chunk)
                size += len(chunk)
        except Refused as refusal:
            faults.append((path, refusal.reason))
        except OSError as error:
            faults.append((path, f"cannot be read: {error.strerror}"))
        else:
            bag.digests[path], bag.sizes[path] = digest.hexdigest(), size
    for path, reason in faults:
        report.fail(path, reason)
    if all(path in bag.package.members for path in SEALED) and not any(path[:5] == "seal/" for path in paths):
        report.fail("seal", "is missing: this package was never sealed, as a draft is not")
    if not faults:
        report.ok(bag.package.label, f"{len(paths)} files, each where it belongs")


def check_declaration(bag: Bag, report: Report) -> None:
    if bag.read("bagit.txt") != BAGIT:
        raise Refused("bagit.txt", "is not the declaration of a BagIt 1.0 bag in UTF-8")
    report.ok("bagit.txt", "a BagIt 1.0 bag")


def check_manifest(bag: Bag, report: Report) -> None:
    present = {path for path in bag.package.members if path.startswith("data/")}
    _compare(bag, report, MANIFEST, present)


def check_tagmanifest(bag: Bag, report: Report) -> None:
    present = {path for path in bag.package.members if not path.startswith("data/") and path != TAGMANIFEST}
    _compare(bag, report, TAGMANIFEST, present)


def _compare(bag: Bag, report: Report, manifest: str, present: set[str]) -> None:
    """A manifest must name every file it is for, and no other, each with its digest."""
    listed = read_manifest(bag.text(manifest, LARGE), manifest)
    bad = [(path, f"is not listed in {manifest}") for path in present if path not in listed]
    for path, digest in listed.items():
        if path not in present:
            bad.append((path, f"is listed in {manifest} but is not there"))
        elif path not in bag.digests:
            bad.append((path, f"cannot be compared with {manifest}"))
        elif bag.digests[path] != digest:
            bad.append((path, f"its SHA-256 is not the one in {manifest}"))
    for path, reason in sorted(bad):
        report.fail(path, reason)
    if bad:
        report.fail(manifest, f"disagrees with {len(bad)} of the files")
    else:
        report.ok(manifest, f"{len(listed)} files have the listed SHA-256")


def read_manifest(text: str, subject: str) -> dict[str, str]:
    """Path → digest of a manifest in its one form: lower case, two spaces, line feeds, sorted by the path's bytes."""
    listed: dict[str, str] = {}
    position, last = 0, b""
    while position < len(text):
        match = MANIFEST_LINE.match(text, position)
        number = len(listed) + 1
        if not match:
            raise Refused(subject, f"line {number} is not 64 lower-case hexadecimal digits, two spaces, a path")
        digest, path = match.groups()
        if path.encode("utf-8") <= last:
            raise Refused(subject, f"line {number} stands twice or not in the order of the paths' bytes")
        if path_fault(path):
            raise Refused(subject, f"line {number}: {path_fault(path)}")
        listed[path], last, position = digest, path.encode("utf-8"), match.end()
    if not listed:
        raise Refused(subject, "lists nothing")
    return listed


def check_info(bag: Bag, report: Report) -> None:
    """bag-info.txt: its form, the payload's size, and whether a time-stamp token has to be there."""
    subject = "bag-info.txt"
    bag.info = read_info(bag.text(subject), subject)
    payload = [size for path, size in bag.sizes.items() if path.startswith("data/")]
    if bag.info.get(OXUM) != f"{sum(payload)}.{len(payload)}":
        raise Refused(subject, f"{OXUM} is not the payload's size and number of files")
    if bag.info.get(TOKEN_LABEL, TOKEN) != TOKEN:
        raise Refused(subject, f"{TOKEN_LABEL} names another file than {TOKEN}")
    for label, path in ((TOKEN_LABEL, TOKEN), (CHAIN_LABEL, CHAIN)):
        if (label in bag.info) != (path in bag.package.members):
            raise Refused(path, f"is there without its line {label} in bag-info.txt, or the line without the file")
    if CHAIN_LABEL in bag.info and bag.info[CHAIN_LABEL] != bag.digests.get(CHAIN):
        raise Refused(CHAIN, f"its SHA-256 is not the one in {subject}")
    report.ok(subject, f"{len(payload)} payload files of {sum(payload)} bytes")


def read_info(text: str, subject: str) -> dict[str, str]:
    """Label → value of bag-info.txt: one line each, in the one spelling."""
    matches = [INFO_LINE.fullmatch(line) for line in text.split("\n")[:-1]]
    found = {match.group(1): match.group(2) for match in matches if match}
    if len(found) != len(matches) or not text.endswith("\n"):
        raise Refused(subject, "is not lines of label, colon, space, value, each label once")
    return found


def check_proof(bag: Bag, report: Report) -> None:
    """The seal's row is in the log entry, the entry in the tree, the tree's root is signed."""
    proof = canonical(bag.read(PROOF), PROOF)
    found = proven_row(proof, SEAL_TABLE, bag.read(CHECKPOINT))
    bag.seal_row = found.fields
    bag.row_is_proven = True
    report.fingerprint = found.fingerprint
    report.ok(PROOF, found.entry)
    report.ok(CHECKPOINT, found.checkpoint)


class Proven(NamedTuple):
    """A row the log is shown to have: its columns, the key it rests on, and in words its entry and the checkpoint."""

    fields: dict[str, Any]
    fingerprint: str
    entry: str
    checkpoint: str


def proven_row(proof: Any, table: str, note: bytes | None = None, personal: bool = False) -> Proven:
    """Check a proof that a row of a table is in the log; `note` is the checkpoint it must rest on, if there is one."""
    exactly(proof, ("v", "row", "entry", "checkpoint", "key"), PROOF)
    exactly(proof["row"], ("canonical", "place", "path"), PROOF, "row")
    exactly(proof["entry"], ("canonical", "index", "path"), PROOF, "entry")
    if not is_version_1(proof) or not hexadecimal(proof["key"]):
        raise Refused(PROOF, "is of another version, or its key is not 64 hexadecimal digits")
    row, entry = _row(proof["row"]["canonical"], table, personal), _entry(proof["entry"]["canonical"])
    origin, size, root, signature = read_note(proof["checkpoint"], PROOF)
    if note is not None and note != proof["checkpoint"].encode("utf-8"):
        raise Refused(CHECKPOINT, f"is not the checkpoint in {PROOF}")
    in_entry = climb(proof["row"], "place", entry["rows"]["count"])
    if in_entry.hex() != entry["rows"]["root"]:
        raise Refused(PROOF, "the path of the row does not lead to the entry's root of rows")
    if climb(proof["entry"], "index", size) != root:
        raise Refused(PROOF, "the path of the entry does not lead to the checkpoint's root")
    key = bytes.fromhex(proof["key"])
    if signature[:4] != hashlib.sha256(origin.encode() + b"\n\x01" + key).digest()[:4]:
        raise Refused(CHECKPOINT, f"was signed by another key than the one in {PROOF}")
    text = proof["checkpoint"].partition("\n\n")[0] + "\n"
    if not ed25519_holds(key, text.encode("utf-8"), signature[4:]):
        raise Refused(CHECKPOINT, f"its signature does not hold by the key in {PROOF}")
    told = f"entry {proof['entry']['index']} ({entry['action']} by {entry['actor']} at {entry['at']})"
    fingerprint = hashlib.sha256(b"\x01" + key).hexdigest()
    return Proven(row["fields"], fingerprint, told, f"signed, {origin}, {size} entries")


def _row(text: Any, table: str, personal: bool) -> dict[str, Any]:
    row = canonical_text(text, "row")
    exactly(row, ("fields", "id", "table", "v", *(["personal"] if personal else [])), PROOF, "the row")
    if not is_version_1(row) or row["table"] != table or not isinstance(row["fields"], dict):
        raise Refused(PROOF, f"the row is not a row of {table}")
    return dict(row)


def _entry(text: Any) -> dict[str, Any]:
    entry = canonical_text(text, "entry")
    names = {"action", "actor", "at", "data", "id", "object", "rows", "v"}
    if not isinstance(entry, dict) or not names <= set(entry) <= names | {"scope"}:
        raise Refused(PROOF, "the entry does not have the members of a log entry")
    exactly(entry["rows"], ("count", "root"), PROOF, "the entry's rows")
    if not is_version_1(entry):
        raise Refused(PROOF, "the entry is of another version")
    return dict(entry)


def check_statement(bag: Bag, report: Report) -> None:
    """The statement names this bag and its files; the proven row names the statement."""
    raw = bag.read(STATEMENT)
    statement = canonical(raw, STATEMENT)
    exactly(statement, ("v", "bag", "snapshot", "files"), STATEMENT)
    exactly(statement["files"], SEALED, STATEMENT, "files")
    if not is_version_1(statement) or not hexadecimal(statement["snapshot"]):
        raise Refused(STATEMENT, "is of another version, or its snapshot is not 64 hexadecimal digits")
    if statement["bag"] != bag.package.bag:
        raise Refused(STATEMENT, f"is about {statement['bag']}, this folder is named {bag.package.bag}")
    bad = [path for path in SEALED if bag.digests.get(path) != statement["files"][path]]
    for path in bad:
        report.fail(path, f"its SHA-256 is not the one sealed in {STATEMENT}")
    if bag.digests.get(SNAPSHOT, statement["snapshot"]) != statement["snapshot"]:
        bad.append(SNAPSHOT)
        report.fail(SNAPSHOT, f"is not the snapshot sealed in {STATEMENT}")
    sealed = {
        "statement_sha256": (STATEMENT, hashlib.sha256(raw).hexdigest()),
        "manifest_sha256": (MANIFEST, bag.digests.get(MANIFEST)),
        "snapshot_sha256": (STATEMENT, statement["snapshot"]),
    }
    for column, (path, value) in sealed.items():
        if bag.row_is_proven and bag.seal_row.get(column) != value:
            bad.append(path)
            report.fail(path, f"is not what the row in {PROOF} has as {column}")
    if not bag.row_is_proven:
        raise Refused(STATEMENT, f"rests on a row that {PROOF} does not prove")
    report.bag = statement["bag"]
    if not bad:
        report.ok(STATEMENT, f"{statement['bag']}, snapshot {statement['snapshot']}")


def check_samples(bag: Bag, report: Report) -> None:
    """Each sampled exchange is, by hashes alone, in the set whose root the sealed snapshot has."""
    snapshot = _snapshot(bag)
    expected = _samples(snapshot)
    for path in sorted({*expected, *(path for path in bag.package.members if path.startswith(SAMPLE_PROOFS))}):
        try:
            if path not in expected:
                raise Refused(path, f"is of no sample in {SNAPSHOT}")
            held, rows = expected[path]
            _check_sample(bag, path, held, rows)
            _check_stated(bag, path, held, snapshot)
            report.ok(path, f"{len(rows)} of the {held['rows']} exchanges of the set with root {held['root']}")
        except Refused as refusal:
            report.fail(path, refusal.reason)


def _snapshot(bag: Bag) -> dict[str, Any]:
    """What was frozen, as far as it is JSON; that it is what was sealed stands by its digest."""
    try:
        found = json.loads(bag.read(SNAPSHOT, LARGE)) if SNAPSHOT in bag.digests else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _rows(snapshot: dict[str, Any], name: str, numbers: str, hashes: str) -> list[dict[str, Any]]:
    """The rows of one of its lists, which have at least these members, whole numbers and hashes."""
    rows = snapshot[name].get("rows") if isinstance(snapshot.get(name), dict) else []
    found: list[Any] = rows if isinstance(rows, list) else [None]
    for row in found:
        whole = isinstance(row, dict) and all(type(row.get(one)) is int for one in words(numbers))
        if not whole or not all(hexadecimal(row.get(one)) for one in words(hashes)):
            raise Refused(SNAPSHOT, f"its {name} are not in their form")
    return found


def _samples(snapshot: dict[str, Any]) -> dict[str, tuple[dict[str, Any], list[dict[str, Any]]]]:
    """By the path of its proofs, each sample with its set; of rows whose set lost its leaf hashes there are none."""
    sets = {row["exhibit"]: row for row in _rows(snapshot, "exchange_sets", "exhibit rows", "statement_sha256 root")}
    found: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {}
    for row in _rows(snapshot, "sampled_exchanges", "exhibit sample ordinal index", "leaf_sha256"):
        if row.get("path") is None:
            continue
        path = f"{SAMPLE_PROOFS}exhibit-{row['exhibit']}-sample-{row['sample']}.json"
        if row["exhibit"] not in sets:
            raise Refused(SNAPSHOT, f"has no set {row['exhibit']}, and a sample of it")
        found.setdefault(path, (sets[row["exhibit"]], []))[1].append(row)
    return found


def _check_sample(bag: Bag, path: str, held: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """The file says what the snapshot says, and every path leads to the root."""
    for row in rows:
        if not isinstance(row["path"], list) or not all(hexadecimal(step) for step in row["path"]):
            raise Refused(path, f"the path of exchange {row['ordinal']} is not a list of hashes")
        if not 0 <= row["index"] < held["rows"]:
            raise Refused(path, f"exchange {row['ordinal']} is at no place among {held['rows']}")
        leaf = bytes.fromhex(row["leaf_sha256"])
        if climb_from(leaf, row["index"], row["path"], held["rows"], path).hex() != held["root"]:
            raise Refused(path, f"the path of exchange {row['ordinal']} does not lead to the root of the set")
    told = {
        "v": 1,
        "format": SAMPLE_FORMAT,
        "exhibit": held["exhibit"],
        "sample": rows[0]["sample"],
        "set": {name: held[name] for name in ("statement_sha256", "rows", "root")},
        "proofs": [{name: row[name] for name in ("ordinal", "index", "leaf_sha256", "path")} for row in rows],
    }
    if bag.read(path, LARGE) != canonical_bytes(told):
        raise Refused(path, f"does not say of this sample what {SNAPSHOT} says")


def _check_stated(bag: Bag, path: str, held: dict[str, Any], snapshot: dict[str, Any]) -> None:
    """Where the set's statement is in the package, it has this count and root."""
    for row in _rows(snapshot, "exhibits", "number", "sha256"):
        place = f"data/evidence/{row.get('file')}"
        if row["number"] != held["exhibit"] or place not in bag.digests:
            continue
        stated = canonical(bag.read(place, LARGE), place)
        rows = stated.get("rows") if isinstance(stated, dict) else None
        same = isinstance(rows, dict) and (rows.get("count"), rows.get("root")) == (held["rows"], held["root"])
        if not same or bag.digests[place] != held["statement_sha256"]:
            raise Refused(path, f"rests on another count or root than the set's statement, {place}")


def check_token(bag: Bag, report: Report) -> None:
    """The RFC 3161 token, where there is one, is about this checkpoint; openssl checks its signature, where it is."""
    if TOKEN not in bag.package.members:
        return
    moment, seconds, imprint = read_token(bag.read(TOKEN))
    if imprint.hex() != bag.digests.get(CHECKPOINT):
        raise Refused(TOKEN, f"is about something else than {CHECKPOINT}")
    report.ok(TOKEN, f"the authority states that the checkpoint existed at {moment}")
    program = shutil.which("openssl")
    if not program or CHAIN not in bag.package.members:
        lacks = "there is no openssl here" if CHAIN in bag.package.members else "the package has no certificate chain"
        report.ok(TOKEN, f"token signature not checked: {lacks}")
        return
    answer = _openssl(program, bag, seconds)
    if answer:
        raise Refused(TOKEN, f"openssl refuses its signature: {answer}")
    report.ok(TOKEN, "openssl confirms its signature by the chain in the package, at the token's own time")


def _openssl(program: str, bag: Bag, moment: int) -> str:
    with tempfile.TemporaryDirectory() as folder:
        token, chain, note = (Path(folder, Path(path).name) for path in (TOKEN, CHAIN, CHECKPOINT))
        for path, copy in ((TOKEN, token), (CHAIN, chain), (CHECKPOINT, note)):
            copy.write_bytes(bag.read(path))
        files = ["-data", str(note), "-in", str(token), "-CAfile", str(chain)]
        command = [program, "ts", "-verify", *files, "-attime", str(moment)]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
        except (OSError, subprocess.SubprocessError) as error:
            return f"it could not be run ({type(error).__name__})"
    words = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return "" if done.returncode == 0 else (words[-1] if words else f"exit code {done.returncode}")


CHECKS = (
    check_files,
    check_declaration,
    check_manifest,
    check_tagmanifest,
    check_info,
    check_proof,
    check_statement,
    check_samples,
    check_token,
)


# JSON in its one form (RFC 8785), without the fractions that nothing here has


def canonical(raw: bytes, subject: str) -> Any:
    """The value of a JSON file that is exactly the canonical form of what it says."""
    try:
        value = json.loads(raw.decode("utf-8"), parse_int=_integer, parse_float=_number, parse_constant=_number)
        again = canonical_bytes(value)
    except (ValueError, RecursionError):
        raise Refused(subject, "is not JSON of the kind that stands here") from None
    if again != raw:
        raise Refused(subject, "is not in canonical form")
    return value


def canonical_bytes(value: Any) -> bytes:
    return json.dumps(_ordered(value), ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def canonical_text(text: Any, name: str) -> Any:
    if not isinstance(text, str):
        raise Refused(PROOF, f"the {name} is not text")
    return canonical(text.encode("utf-8"), PROOF)


def _integer(digits: str) -> int:
    if len(digits) > 17 or abs(int(digits)) > LARGEST_INTEGER:
        raise ValueError("an integer that not every reader keeps")
    return int(digits)


def _number(digits: str) -> float:
    raise ValueError("a number that does not stand in these files")


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value, key=lambda name: name.encode("utf-16-be"))}
    return [_ordered(item) for item in value] if isinstance(value, list) else value


def exactly(value: Any, names: tuple[str, ...], subject: str, where: str = "the file") -> None:
    if not isinstance(value, dict) or set(value) != set(names):
        raise Refused(subject, f"{where} does not have exactly the members {', '.join(names)}")


def is_version_1(value: dict[str, Any]) -> bool:
    """Python takes `true` for 1; JSON does not."""
    return type(value["v"]) is int and value["v"] == 1


def hexadecimal(value: Any) -> bool:
    return isinstance(value, str) and HEX64.fullmatch(value) is not None


# The log: audit paths (RFC 6962), the checkpoint note, and Ed25519 (RFC 8032)


def climb(proof: dict[str, Any], place: str, size: Any) -> bytes:
    """The root that a leaf and its audit path lead to in a tree of `size`; the path must be exactly as long as that."""
    index, path = proof[place], proof["path"]
    if type(index) is not int or type(size) is not int or not 0 <= index < size:
        raise Refused(PROOF, f"{place} is not a place among {size}")
    if not isinstance(path, list) or not all(hexadecimal(step) for step in path):
        raise Refused(PROOF, "a path is not a list of 64 hexadecimal digits each")
    leaf = hashlib.sha256(b"\x00" + proof["canonical"].encode("utf-8")).digest()
    return climb_from(leaf, index, path, size, PROOF)


def climb_from(leaf: bytes, index: int, path: list[str], size: int, subject: str) -> bytes:
    value, last = leaf, size - 1
    for step in path:
        if last == 0:
            raise Refused(subject, "a path is longer than the tree demands")
        if index & 1 or index == last:
            value = hashlib.sha256(b"\x01" + bytes.fromhex(step) + value).digest()
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            value = hashlib.sha256(b"\x01" + value + bytes.fromhex(step)).digest()
        index, last = index >> 1, last >> 1
    if last:
        raise Refused(subject, "a path is shorter than the tree demands")
    return value


def read_note(note: Any, subject: str) -> tuple[str, int, bytes, bytes]:
    """Origin, size, root, and key id with signature, of a checkpoint in its one form."""
    match = NOTE.fullmatch(note) if isinstance(note, str) else None
    if not match:
        raise Refused(subject, "the checkpoint is not in its form")
    root, signed = base64.b64decode(match.group(3)), base64.b64decode(match.group(5))
    if [base64.b64encode(value).decode() for value in (root, signed)] != [match.group(3), match.group(5)]:
        raise Refused(subject, "the checkpoint's base64 is not in its one spelling")
    return match.group(1), int(match.group(2)), root, signed


P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)
NEUTRAL = (0, 1, 1, 0)


def _plus(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    """Sum of two points in extended coordinates (RFC 8032, section 5.1.4)."""
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    i, j, k, m = f - e, h - g, h + g, f + e
    return i * j % P, k * m % P, j * k % P, i * m % P


def _point(encoded: bytes) -> tuple[int, ...] | None:
    """The point of 32 bytes; None when they are none, or not its one encoding."""
    y, sign = int.from_bytes(encoded, "little") & ((1 << 255) - 1), encoded[31] >> 7
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_1 % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def ed25519_holds(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether an Ed25519 signature holds (RFC 8032, section 5.1.7, without the cofactor); loose encodings do not."""
    if len(key) != 32 or len(signature) != 64:
        return False
    base, public = _point((4 * pow(5, -1, P) % P).to_bytes(32, "little")), _point(key)
    scalar = int.from_bytes(signature[32:], "little")
    if base is None or public is None or scalar >= L:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    minus = (P - public[0], public[1], public[2], P - public[3])
    table = (NEUTRAL, base, minus, _plus(base, minus))
    total: tuple[int, ...] = NEUTRAL
    for bit in range(252, -1, -1):
        total = _plus(total, total)
        choice = (scalar >> bit & 1) + 2 * (challenge >> bit & 1)
        total = _plus(total, table[choice]) if choice else total
    inverse = pow(total[2], -1, P)
    x, y = total[0] * inverse % P, total[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]


# The time-stamp token (RFC 3161), as far as its imprint and time


def read_token(raw: bytes) -> tuple[str, int, bytes]:
    """Time (YYYYMMDDHHMMSS[.f]Z), the same as seconds since 1970, and SHA-256 imprint of a granted response."""
    status, token = der(der(raw, [0x30])[0], [0x30, 0x30])
    kind, content = der(token, [0x06, 0xA0])
    signed = der(der(content, [0x30])[0], [0x02, 0x31, 0x30, None])
    what, wrapped = der(signed[2], [0x06, 0xA0])
    info = der(der(der(wrapped, [0x04])[0], [0x30])[0], [0x02, 0x06, 0x30, 0x02, 0x18, None])
    algorithm, imprint = der(info[2], [0x30, 0x04])
    moment = info[4].decode("ascii", "replace")
    if der(status, [0x02, None])[0] not in (b"\0", b"\1"):
        raise Refused(TOKEN, "the authority did not grant it")
    if (kind, what) != (SIGNED_DATA, TST_INFO) or (signed[0], info[0]) != (b"\3", b"\1"):
        raise Refused(TOKEN, "is not a signed time-stamp of version 1")
    if der(algorithm, [0x06, None])[0] != SHA256 or len(imprint) != 32:
        raise Refused(TOKEN, "its imprint is not a SHA-256")
    try:
        seconds = calendar.timegm(time.strptime(re.sub(r"\.[0-9]{0,8}[1-9]Z\Z", "Z", moment), "%Y%m%d%H%M%SZ"))
    except ValueError:
        raise Refused(TOKEN, "its time is not in its form") from None
    return moment, seconds, imprint


SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
TST_INFO = bytes.fromhex("2a864886f70d0109100104")
SHA256 = bytes.fromhex("608648016503040201")


def der(data: bytes, tags: list[int | None]) -> list[bytes]:
    """The contents of consecutive DER values with these tags; None at the end allows any others after them."""
    found: list[bytes] = []
    rest = None in tags
    position, wanted = 0, [tag for tag in tags if tag is not None]
    while position < len(data):
        tag, start, end = _der_value(data, position)
        if tag != wanted[len(found)] if len(found) < len(wanted) else not rest:
            raise Refused(TOKEN, "does not have the structure of a time-stamp response")
        found.append(data[start:end])
        position = end
    if len(found) < len(wanted):
        raise Refused(TOKEN, "does not have the structure of a time-stamp response")
    return found


def _der_value(data: bytes, position: int) -> tuple[int, int, int]:
    """Tag, start and end of the content of the DER value at a position: definite lengths, in their shortest form."""
    header = data[position : position + 2]
    if len(header) < 2 or header[0] & 0x1F == 0x1F:
        raise Refused(TOKEN, "is not DER")
    start, length = position + 2, header[1]
    if length >= 0x80:
        digits = data[start : start + length - 0x80]
        start, length = start + len(digits), int.from_bytes(digits, "big")
        if not 1 <= len(digits) <= 4 or length < 0x80 or digits[0] == 0:
            raise Refused(TOKEN, "is not DER: a length is not in its shortest form")
    if start + length > len(data):
        raise Refused(TOKEN, "is not DER: it is cut off")
    return header[0], start, start + length


# The whole


def verify(path: str, fingerprint: str | None = None) -> Report:
    """Check the package at a path. Without a fingerprint the key is the package's own word, and the report says so."""
    report = Report()
    place = Path(path).resolve()
    try:
        package = FolderPackage(place) if place.is_dir() else ZipPackage(place)
    except Refused as refusal:
        report.fail(refusal.subject, refusal.reason)
        return report
    except OSError as error:
        report.fail(place.name, f"cannot be read: {error.strerror}")
        return report
    try:
        bag = Bag(package)
        if not BAG_NAME.fullmatch(package.bag):
            report.fail(package.label, "its folder is not named as packages are")
        for check in CHECKS:
            try:
                check(bag, report)
            except Refused as refusal:
                report.fail(refusal.subject, refusal.reason)
            except OSError as error:
                report.fail(package.label, f"cannot be read: {error.strerror}")
    finally:
        package.close()
    _compare_key(report, fingerprint, CHECKPOINT)
    return report


# One exchange of a set (docs/formats/exchange-set.md)


def verify_exchange(path: str, fingerprint: str | None = None) -> Report:
    """Check the proof that one exchange belongs to a set of which nothing else is shown."""
    report = Report()
    place = Path(path)
    try:
        _check_exchange(place.read_bytes()[: LARGE + 1], report)
    except Refused as refusal:
        report.fail(place.name, refusal.reason)
    except OSError as error:
        report.fail(place.name, f"cannot be read: {error.strerror}")
    report.lines = [Line(line.ok, place.name, line.text) for line in report.lines]
    _compare_key(report, fingerprint, place.name)
    return report


def _check_exchange(raw: bytes, report: Report) -> None:
    if len(raw) > LARGE:
        raise Refused("", "is larger than a proof can be")
    proof = canonical(raw, "")
    exactly(proof, ("v", "format", "row", "opened", "statement", "log"), "")
    if not is_version_1(proof) or proof["format"] != EXCHANGE_PROOF:
        raise Refused("", f"is not a {EXCHANGE_PROOF} of version 1")
    exactly(proof["row"], ("canonical", "index", "path"), "", "row")
    row, statement = _exchange(proof["row"]["canonical"]), _set_statement(proof["statement"])
    rows, window = statement["rows"], statement["window"]
    if climb(proof["row"], "index", rows["count"]).hex() != rows["root"]:
        raise Refused("", "the path of the exchange does not lead to the root of the set")
    if not window["start"] <= row["ts"] < window["end"]:
        raise Refused("", "the exchange lies outside the window of the set")
    report.ok("", f"exchange {row['request_id']} at {row['ts']} is number {proof['row']['index']} of {rows['count']}")
    _check_opened(proof["opened"], row, report)
    found = proven_row(proof["log"], EXHIBIT_TABLE, personal=True)
    stated = proof["statement"].encode("utf-8")
    if found.fields.get("sha256") != hashlib.sha256(stated).hexdigest() or found.fields.get("size") != len(stated):
        raise Refused("", "the statement is not the exhibit that the log has")
    report.fingerprint = found.fingerprint
    source = statement["source"].get("name") if isinstance(statement["source"], dict) else ""
    report.ok("", f"the set is an exhibit of {statement['case']}, from the source {source}, root {rows['root']}")
    report.ok("", found.entry)
    report.ok("", found.checkpoint)


def _exchange(text: Any) -> dict[str, Any]:
    row = canonical_text(text, "exchange")
    if not isinstance(row, dict) or not EXCHANGE_REQUIRED <= set(row) <= EXCHANGE_PLAIN | EXCHANGE_COMMITTED:
        raise Refused("", "the exchange does not have the members of a row")
    if not is_version_1(row) or not isinstance(row["ts"], str) or not MOMENT.fullmatch(row["ts"]):
        raise Refused("", "the exchange is of another version, or its time is not in its form")
    if not all(hexadecimal(row[name]) for name in EXCHANGE_COMMITTED & set(row)):
        raise Refused("", "a commitment in the exchange is not 64 hexadecimal digits")
    return row


def _set_statement(text: Any) -> dict[str, Any]:
    statement = canonical_text(text, "statement")
    exactly(statement, tuple(sorted(SET_MEMBERS)), "", "the statement")
    exactly(statement["rows"], ("count", "root", "first", "last", "input_tokens", "output_tokens"), "", "rows")
    exactly(statement["window"], ("start", "end"), "", "window")
    times = [statement["window"][name] for name in ("start", "end")]
    if not is_version_1(statement) or statement["format"] != EXCHANGE_SET or not hexadecimal(statement["rows"]["root"]):
        raise Refused("", f"the statement is not that of a {EXCHANGE_SET} of version 1")
    if not all(isinstance(one, str) and MOMENT.fullmatch(one) for one in times):
        raise Refused("", "a time of the statement is not in its form")
    return dict(statement)


def _check_opened(opened: Any, row: dict[str, Any], report: Report) -> None:
    """Each opened column's salt and value give the commitment in the row."""
    if not isinstance(opened, dict):
        raise Refused("", "what is opened is not an object")
    for name, one in opened.items():
        exactly(one, ("salt", "value"), "", "an opened column")
        if name not in EXCHANGE_COMMITTED or name not in row or not hexadecimal(one["salt"]):
            raise Refused("", f"{name} cannot be opened in this exchange")
        if not isinstance(one["value"], str):
            raise Refused("", f"the value of {name} is not text")
        if hashlib.sha256(f"{one['salt']}:{one['value']}".encode()).hexdigest() != row[name]:
            raise Refused("", f"the value of {name} is not the one the exchange commits to")
        report.ok("", f"{name} is {one['value'][:200]}")


def _compare_key(report: Report, fingerprint: str | None, subject: str) -> None:
    if fingerprint is None or not report.fingerprint:
        return
    report.key_compared = True
    if fingerprint == report.fingerprint:
        report.ok(subject, "the key has the fingerprint that was given")
    else:
        report.fail(subject, "the key does not have the fingerprint that was given")


UNCOMPARED = (
    "NOTE  No fingerprint was given: this key was taken from inside the package. Whoever forges a package can put\n"
    "      a key of their own into it. Compare the fingerprint above with the one on the receipt, which came to you\n"
    "      by another way, or run again with --key FINGERPRINT."
)


def printable(text: str) -> str:
    """Text from a package with what could mislead on a screen shown as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def show(report: Report, label: str) -> str:
    """The report in lines for a person."""
    lines = [
        f"{'ok    ' if line.ok else 'FAILED'} {printable(line.subject)}: {printable(line.text)}"
        for line in report.lines
    ]
    label = printable(label)
    if report.fingerprint:
        lines.append(f"key    {report.fingerprint}")
        lines += [] if report.key_compared else [UNCOMPARED]
    if report.accepted:
        lines.append(f"ACCEPTED  {label}: every check holds")
    else:
        lines.append(f"REFUSED  {label}: {len(report.failures)} checks failed")
    return "\n".join(lines)


def fingerprint_argument(text: str) -> str:
    """A fingerprint as it may be typed from paper: spaces, colons and capitals do not matter."""
    digits = re.sub(r"[\s:]", "", text).lower()
    if not HEX64.fullmatch(digits):
        raise argparse.ArgumentTypeError("a fingerprint has 64 hexadecimal digits")
    return digits


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="verify.py", description="Checks a sealed dossier package.")
    parser.add_argument("--key", metavar="FINGERPRINT", type=fingerprint_argument, help="from the receipt")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--exchange-proof", metavar="FILE", help="check the proof of one exchange instead")
    parser.add_argument("path", nargs="?", metavar="PATH", help="ZIP or folder; default: where this file lies")
    given = parser.parse_args(arguments)
    place = Path(given.exchange_proof or given.path or Path(__file__).parent).resolve()
    if not place.exists():
        parser.error(f"there is no {given.exchange_proof or given.path}")
    report = (verify_exchange if given.exchange_proof else verify)(str(place), given.key)
    text = json.dumps(report.as_dict(), indent=2) if given.json else show(report, place.name)
    encoding = sys.stdout.encoding or "ascii"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    return 0 if report.accepted else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
