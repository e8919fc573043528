"""What the second verifier reads with, from docs/formats alone: canonical JSON, trees, checkpoints, proofs, ZIP."""

import base64
import hashlib
import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Bad(Exception):  # noqa: N818
    """The place of a finding, and the finding, after which a part cannot be read on."""


class Report:
    """What was found wrong, each with its place; nothing when all holds."""

    def __init__(self) -> None:
        self.bad: list[tuple[str, str]] = []
        self.fingerprint = ""

    def say(self, holds: object, place: str, why: str) -> None:
        self.bad += [] if holds else [(place, why)]

    @contextmanager
    def part(self) -> Iterator[None]:
        try:
            yield
        except Bad as bad:
            self.bad.append((bad.args[0], bad.args[1]))


def need(holds: object, place: str, why: str) -> None:
    if not holds:
        raise Bad(place, why)


# Canonical JSON (RFC 8785), and the members and values that a format gives


def number(value: float) -> str:
    """A double as ECMAScript writes it."""
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    text, minus = "".join(map(str, digits)), "-" * sign * (value != 0)
    point = len(text) + int(exponent) if value else 1
    if 0 < point <= 21:
        return minus + text[:point].ljust(point, "0") + f".{text[point:]}" * (point < len(text))
    if -6 < point <= 0:
        return f"{minus}0.{'0' * -point}{text}"
    return f"{minus}{text[0]}{f'.{text[1:]}' * (len(text) > 1)}e{point - 1:+d}"


def jcs(value: Any) -> str:
    if isinstance(value, dict):
        ordered = sorted(value, key=lambda name: str(name).encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{jcs(name)}:{jcs(value[name])}" for name in ordered) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(jcs, value)) + "]"
    if isinstance(value, float) or (type(value) is int and abs(value) >= 2**53):
        return number(float(value))
    return json.dumps(value, ensure_ascii=False)


def parsed(raw: bytes, place: str, *, canonical: bool = True) -> Any:
    try:
        value = json.loads(raw.decode())
        same = not canonical or jcs(value).encode() == raw
    except (ValueError, ArithmeticError, TypeError, RecursionError):
        raise Bad(place, "is not JSON") from None
    need(same, place, "is not canonical JSON")
    return value


def shape(words: str) -> Any:
    """A form as the texts write it, with kinds for values, "=" before a value itself, "?" after what may be absent."""
    return json.loads(re.sub(r"[^\s{}\[\],:]+", r'"\g<0>"', words))


_UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
KINDS = {
    "text": "(?s:.*)",
    "hex": "[0-9a-f]{64}",
    "uuid": _UUID,
    "time": r"\d{4}-(0\d|1[0-2])-([0-2]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}Z",
    "item": rf"[a-z_]+\.[a-z_]+:({_UUID}|[a-z0-9]{{12}})",
}
TYPES: dict[str, type] = {"yes": bool, "null": type(None), "object": dict, "any": object}


def fits(value: Any, kind: str) -> bool:
    if "|" in kind:
        return any(fits(value, one) for one in kind.split("|"))
    if kind[0] == "=":
        return type(value) is int and value == 1 if kind == "=1" else bool(value == kind[1:])
    if kind == "double":  # the fewest digits that read back as the same
        return isinstance(value, str) and bool(re.fullmatch(r"-?\d[\d.e+-]*", value)) and repr(float(value)) == value
    if kind in ("count", "whole"):
        return type(value) is int and -(2**53) < value < 2**53 and (value >= 0 or kind == "whole")
    if kind == "beyond":  # an integer no double need keep, as text
        return isinstance(value, str) and bool(re.fullmatch(r"-?[1-9]\d{15,40}", value)) and abs(int(value)) >= 2**53
    if kind in TYPES:
        return isinstance(value, TYPES[kind])
    return isinstance(value, str) and re.fullmatch(KINDS[kind], value, re.ASCII) is not None


def fault(value: Any, form: Any, at: str = "") -> str:
    """Where a value departs from its form, as a JSON Pointer; empty when it does not."""
    if isinstance(form, str):
        return "" if fits(value, form) else at or "/"
    if not isinstance(value, type(form)):
        return at or "/"
    if isinstance(form, list):
        return next(filter(None, (fault(one, form[0], f"{at}/{n}") for n, one in enumerate(value))), "")
    names = {name.rstrip("?") for name in form}
    odd = [name for name in {*names, *value} if name not in names or (name in form and name not in value)]
    inner = (fault(value[n], form.get(n, form.get(n + "?")), f"{at}/{n}") for n in sorted(names & {*value}))
    return f"{at}/{min(odd)}" if odd else next(filter(None, inner), "")


def formed(value: Any, form: Any, place: str) -> Any:
    where = fault(value, form)
    need(not where, place, f"is not of its form at {where}")
    return value


# Hashes, trees (RFC 6962), checkpoints, proofs


def hexsha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def leaf(data: bytes) -> bytes:
    return hashlib.sha256(b"\0" + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def root(hashes: Sequence[bytes]) -> bytes:
    level = list(hashes) or [hashlib.sha256().digest()]
    while len(level) > 1:
        level = [node(*level[n : n + 2]) if n + 1 < len(level) else level[n] for n in range(0, len(level), 2)]
    return level[0]


def rise(start: bytes, index: int, last: int, path: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """From a node up: the root of what ends with it, and of the whole; None when the path has another length."""
    old = new = start
    for other in path:
        if last == 0:
            return None
        if index & 1 or index == last:
            old, new = node(other, old), node(other, new)
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            new = node(new, other)
        index, last = index >> 1, last >> 1
    return (old, new) if last == 0 else None


def climbed(text: str, index: int, size: int, path: Sequence[str]) -> str:
    """The root an audit path leads to, empty when it cannot be one."""
    return climbed_from(leaf(text.encode()), index, size, path)


def climbed_from(start: bytes, index: int, size: int, path: Sequence[str]) -> str:
    """The same from a leaf hash."""
    found = rise(start, index, size - 1, [*map(bytes.fromhex, path)]) if index < size else None
    return found[1].hex() if found else ""


def consistent(old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> bool:
    """RFC 6962, section 2.1.2; the list is empty for one size, and there is none from an empty log."""
    if old == new or not 0 < old < new:
        return 0 < old == new and not path and old_root == new_root
    nodes = [old_root, *path] if old & (old - 1) == 0 else [*path]
    index, last = old - 1, new - 1
    while index & 1:
        index, last = index >> 1, last >> 1
    return bool(nodes) and rise(nodes[0], index, last, nodes[1:]) == (old_root, new_root)


def signed(key: bytes, message: bytes, signature: bytes) -> bool:
    """Ed25519 without the cofactor; the scalar below the order, the points in their one encoding."""
    prime, order = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
    for point in (key, signature[:32]):
        y = int.from_bytes(point, "little") % 2**255
        if y >= prime or (point[31] >> 7 and y in (1, prime - 1)):
            return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return int.from_bytes(signature[32:], "little") < order


class Checkpoint:
    """A note in its one form."""

    FORM = re.compile(
        r"((retort/log/[0-9a-f]{16})\n(0|[1-9][0-9]{0,17})\n([A-Za-z0-9+/]{43}=)\n)\n— \2 ([A-Za-z0-9+/]{91}=)\n"
    )

    def __init__(self, note: str, place: str) -> None:
        match = self.FORM.fullmatch(note)
        if match is None:
            raise Bad(place, "is not a checkpoint in its form")
        self.text, self.origin, size, spelt, signature = match.groups()
        self.place, self.size = place, int(size)
        self.root, self.signature = base64.b64decode(spelt), base64.b64decode(signature)
        again = [base64.b64encode(one).decode() for one in (self.root, self.signature)]
        need(again == [spelt, signature], place, "base64 is not in its one spelling")

    def signed_by(self, key: bytes) -> None:
        key_id = hashlib.sha256(self.origin.encode() + b"\n\1" + key).digest()[:4]
        need(self.signature[:4] == key_id, self.place, "is signed by another key")
        need(signed(key, self.text.encode(), self.signature[4:]), self.place, "its signature does not hold")


PROOF = shape("""{v: =1, row: {canonical: text, place: count, path: [hex]}, checkpoint: text, key: hex,
    entry: {canonical: text, index: count, path: [hex]}}""")
ROW = "{fields: object, id: uuid, table: =%s, v: =1%s}"
ENTRY = shape("""{action: text, actor: text, at: time, data: hex, id: uuid, object: text, scope?: uuid, v: =1,
    rows: {count: count, root: hex}}""")


def proven(proof: Any, row_form: str, place: str, key: str | None, report: Report) -> tuple[dict[str, Any], Checkpoint]:
    """The columns of the row a proof is of, and the checkpoint it leads to."""
    up, below = formed(proof, PROOF, place)["entry"], proof["row"]
    row = formed(parsed(below["canonical"].encode(), place), shape(row_form), place)
    entry = formed(parsed(up["canonical"].encode(), place), ENTRY, place)
    rows, note = entry["rows"], Checkpoint(proof["checkpoint"], place)
    found = climbed(below["canonical"], below["place"], rows["count"], below["path"])
    need(found == rows["root"], place, "the row does not lead to its entry")
    found = climbed(up["canonical"], up["index"], note.size, up["path"])
    need(found == note.root.hex(), place, "the entry does not lead to the checkpoint")
    note.signed_by(bytes.fromhex(proof["key"]))
    report.fingerprint = hexsha(b"\1" + bytes.fromhex(proof["key"]))
    report.say(key in (None, report.fingerprint), place, "the key has another fingerprint")
    return dict(row["fields"]), note


# ZIP and folder


def zip_pieces(files: Sequence[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """The one form of the ZIP of these files, in pieces, each with the file it speaks of."""
    big, offset, directory = 2**32 - 1, 0, []
    for name, data in files:
        raw, size = name.encode(), len(data)
        large, far, short = size >= big, offset >= big, min(size, big)
        extra = struct.pack("<HHQQ", 1, 16, size, size) if large else b""
        common = (0x800, 0, 0, 33, zlib.crc32(data), short, short, len(raw))
        head = struct.pack("<4s5H3I2H", b"PK\3\4", 45 if large else 20, *common, len(extra)) + raw + extra
        wide = [size, size] * large + [offset] * far
        extra = struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
        values = (0x0314, 45 if wide else 20, *common, len(extra), 0, 0, 0, 0o100644 << 16, min(offset, big))
        directory.append((name, struct.pack("<4s6H3I5H2I", b"PK\1\2", *values) + raw + extra))
        yield name, head + data
        offset += len(head) + size
    yield from directory
    count, size, end = len(directory), sum(len(piece) for _, piece in directory), b""
    if count >= 0xFFFF or size >= big or offset >= big:
        end = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 0x0314, 45, 0, 0, count, count, size, offset)
        end += struct.pack("<4sIQI", b"PK\6\7", 0, offset + size, 1)
    short = min(count, 0xFFFF)
    yield "", end + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, short, short, min(size, big), min(offset, big), 0)


def read_zip(raw: bytes, place: str, report: Report) -> tuple[str, dict[str, bytes]]:
    """The top folder's name and its files; every byte is compared with the one form."""
    files: list[tuple[str, bytes]] = []
    try:
        for info in zipfile.ZipFile(io.BytesIO(raw)).infolist():
            start = info.header_offset + 30 + sum(struct.unpack_from("<2H", raw, info.header_offset + 26))
            files.append((info.orig_filename, raw[start : start + info.file_size]))
        [top] = {name.partition("/")[0] for name, _ in files}
        inside = {name.partition("/")[2]: data for name, data in files}
        need(len(inside) == len(files), place, "a name stands twice")
        at = 0
        for name, piece in zip_pieces(sorted(files, key=lambda file: file[0].encode())):
            inner = name.partition("/")[2]
            named = f"{inner} in {place}" if inner else place
            need(raw[at : at + len(piece)] == piece, named, "is not in the one form")
            at += len(piece)
    except (zipfile.BadZipFile, struct.error, ValueError, NotImplementedError):
        raise Bad(place, "is not a ZIP of one folder") from None
    report.say(at == len(raw), place, "has bytes after its end")
    return top, inside


def read_folder(folder: Path, report: Report) -> dict[str, bytes]:
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    for name, path in paths.items():
        plain = not path.is_symlink() and (path.is_file() or (path.is_dir() and any(path.iterdir())))
        report.say(plain, name, "is a link, an empty folder, or no ordinary file")
    return {name: path.read_bytes() for name, path in paths.items() if path.is_file() and not path.is_symlink()}
