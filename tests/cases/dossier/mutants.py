"""Changed copies of a package, each with the file that a refusal must name; for the tests and the benchmark."""

import copy
import io
import json
import random
import struct
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cases.dossier.package_files import verify
from spine import canonical, checkpoint
from tests.cases.dossier import packages
from tests.cases.dossier.packages import NAME, Sample, manifest, proof_with, relisted, retagged, zipped

Files = dict[str, bytes]
ZIP = f"{NAME}.zip"
MANIFEST, TAGMANIFEST = verify.MANIFEST, verify.TAGMANIFEST


@dataclass(frozen=True)
class Mutant:
    """What was done, the ZIP that came of it, and the file to be named, or one that may be named instead."""

    what: str
    content: bytes
    named: str
    instead: str = "\0"


def content_flips(sample: Sample, positions: Callable[[str, int], list[int]], bit: int) -> Iterator[Mutant]:
    """One bit changed in a file's content, the container made to fit; then the same with the manifests made to fit."""
    for path, content in sample.files.items():
        for position in positions(path, len(content)):
            changed = bytearray(content)
            changed[position] ^= 1 << bit
            files = sample.files | {path: bytes(changed)}
            yield Mutant(f"bit {bit} of byte {position} of {path}", zipped(files), path)
            if path.startswith("data/"):
                yield Mutant(f"the same of {path}, listed anew", zipped(relisted(files)), MANIFEST)
            elif path != TAGMANIFEST:
                yield Mutant(f"the same of {path}, listed anew", zipped(retagged(files)), path)


def raw_flips(content: bytes, positions: list[int], bit: int) -> Iterator[Mutant]:
    """One bit changed anywhere in the ZIP as it lies on disk."""
    spans = _spans(content)
    for position in positions:
        changed = bytearray(content)
        changed[position] ^= 1 << bit
        owners = [path for start, end, path in spans if start <= position < end]
        yield Mutant(f"bit {bit} of byte {position} of the ZIP", bytes(changed), *(owners or [ZIP]))


def outside_content(content: bytes) -> list[int]:
    """The positions of headers, directory and end."""
    inside: set[int] = set()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for info in archive.infolist():
            start = info.header_offset + 30 + len(info.filename.encode())
            inside |= set(range(start, start + info.file_size))
    return [position for position in range(len(content)) if position not in inside]


def _spans(content: bytes) -> list[tuple[int, int, str]]:
    """Which bytes speak of which file: its header and content; its record in the directory, or the ZIP as a whole."""
    found = []
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        record = archive.start_dir
        for info in archive.infolist():
            path, length = info.filename.removeprefix(f"{NAME}/"), len(info.filename.encode())
            found.append((info.header_offset, info.header_offset + 30 + length + info.file_size, path))
            found += [(record, record + 46 + length, path), (record, record + 46 + length, ZIP)]
            record += 46 + length
    return found


def of_files(sample: Sample, other: Sample) -> Iterator[Mutant]:
    """Files added, dropped, renamed, exchanged, rewritten; the container always fits."""
    files = sample.files
    data = next(path for path in files if path.startswith("data/"))
    for path in files:
        left = {name: content for name, content in files.items() if name != path}
        yield Mutant(f"{path} dropped", zipped(left), path)
        if not files[path]:
            yield Mutant(f"{path} given content", zipped(files | {path: b"x"}), path)
        for what, content in (("emptied", b""), ("shorter by a byte", files[path][:-1])) if files[path] else ():
            yield Mutant(f"{path} {what}", zipped(files | {path: content}), path)
        yield Mutant(f"{path} longer by a byte", zipped(files | {path: files[path] + b"\n"}), path)
        if path.startswith("data/"):
            yield Mutant(f"{path} dropped, listed anew", zipped(relisted(left)), MANIFEST)
            yield Mutant(f"{path} renamed", zipped(left | {f"{path}x": files[path]}), path)
        elif path != TAGMANIFEST:
            yield Mutant(f"{path} dropped, listed anew", zipped(retagged(left)), path)
        if other.files.get(path, files[path]) != files[path]:
            yield Mutant(f"{path} of another package", zipped(files | {path: other.files[path]}), path)
            if not path.startswith("data/") and path != TAGMANIFEST:
                yield Mutant(f"{path} of another, listed", zipped(retagged(files | {path: other.files[path]})), path)
    for extra in ("data/extra.txt", "extra.txt", "seal/extra.txt", "manifest-md5.txt", "data/.DS_Store", "fetch.txt"):
        yield Mutant(f"{extra} added", zipped(files | {extra: b"x"}), extra)
        yield Mutant(f"{extra} added, listed", zipped(relisted(files | {extra: b"x"})), _named_for(extra))
    one, two = sorted(path for path in files if path.startswith("data/"))[:2]
    swapped = files | {one: files[two], two: files[one]}
    yield Mutant("two files exchanged", zipped(swapped), one)
    yield Mutant("two files exchanged, listed anew", zipped(relisted(swapped)), MANIFEST)
    yield Mutant("a name in other case beside it", zipped(files | {data.upper(): b"x"}), data.upper())
    yield Mutant("the seal of another package", zipped(retagged(files | _seal(other))), verify.STATEMENT)
    older = {path: other.files[path] for path in other.files if not path.startswith("seal/")}
    yield Mutant("the content of an older package", zipped(retagged(older | _seal(sample))), verify.STATEMENT)
    for name in ("RT-2026-OTHER-counsel-v1", "RT-2026-K7Q4M-counsel-v2", "..", "."):
        yield Mutant(f"the folder named {name}", zipped(files, name), verify.STATEMENT)


def _named_for(extra: str) -> str:
    return MANIFEST if extra.startswith("data/") else extra


def _seal(sample: Sample) -> Files:
    return {path: content for path, content in sample.files.items() if path.startswith("seal/")}


def of_manifests(sample: Sample) -> Iterator[Mutant]:
    """Manifests that say the same in another way, or name a file twice; what they are listed in is made to fit."""
    for path in (MANIFEST, TAGMANIFEST):
        text = sample.files[path].decode()
        lines = text.splitlines(keepends=True)
        forms = {
            "capital digits": text[:64].upper() + text[64:],
            "CRLF": text.replace("\n", "\r\n"),
            "one space": text.replace("  ", " "),
            "a star": text.replace("  ", " *"),
            "a tab": text.replace("  ", "\t"),
            "./": text.replace("  ", "  ./", 1),
            "no last line feed": text[:-1],
            "an empty line": text + "\n",
            "a comment": "# manifest\n" + text,
            "a byte order mark": "\ufeff" + text,
            "another order": "".join(reversed(lines)),
            "a line twice": "".join([lines[0], *lines]),
            "a line twice with another digest": "".join(["0" * 64 + lines[0][64:], *lines]),
            "a short digest": text[1:],
            "nothing": "",
            "a path outside": text + "0" * 64 + "  zz/../../etc/passwd\n",
            "a file that is not there": text + "0" * 64 + "  zz\n",
        }
        for what, form in forms.items():
            files = sample.files | {path: form.encode()}
            yield Mutant(f"{path} with {what}", zipped(files), path)
            if path == MANIFEST:
                yield Mutant(f"{path} with {what}, listed anew", zipped(retagged(files)), path)


def of_proofs(sample: Sample) -> Iterator[Mutant]:
    """The chain bent at each of its links, the tag manifest and the checkpoint's two copies always made to fit."""
    files, plan = sample.files, sample.plan

    def bent(what: str, change: Callable[[dict[str, dict[str, object]]], object]) -> Mutant:
        return Mutant(what, zipped(proof_with(files, change)), verify.PROOF)

    def replaced(what: str, proof: bytes) -> Mutant:
        note = json.loads(proof)["checkpoint"].encode()
        return Mutant(what, zipped(retagged(files | {verify.PROOF: proof, verify.CHECKPOINT: note})), verify.PROOF)

    row = packages.seal_row(plan)
    for part, name in (("row", "path"), ("entry", "path")):
        path = json.loads(files[verify.PROOF])[part][name]
        for index in range(len(path)):
            less, more = path[:index] + path[index + 1 :], [*path[:index], "00" * 32, *path[index:]]
            yield bent(f"step {index} of the {part}'s path dropped", lambda p, v=less, k=part: p[k].update(path=v))
            yield bent(f"a step before {index} of the {part}'s path", lambda p, v=more, k=part: p[k].update(path=v))
            upper = [*path[:index], path[index].upper(), *path[index + 1 :]]
            yield bent(f"step {index} in capitals", lambda p, v=upper, k=part: p[k].update(path=v))
        yield bent(f"the {part}'s path without an end", lambda p, v=path, k=part: p[k].update(path=[*v, "00" * 32]))
        yield bent(f"the {part}'s path no list", lambda p, k=part: p[k].update(path="".join(p[k]["path"])))
    for index in (0, 40, 42, 56, 57, 10**6, -1, True, "41", 41.5, None):
        yield bent(f"index {index!r}", lambda p, v=index: p["entry"].update(index=v))
        yield bent(f"place {index!r}", lambda p, v=index: p["row"].update(place=v))
    for version in (0, 2, "1", True):
        yield bent(f"version {version!r}", lambda p, v=version: p.update(v=v))
    yield bent("one member more", lambda p: p.update(note="x"))
    yield bent("a member less", lambda p: p.pop("key"))
    yield bent("another key", lambda p: p.update(key=checkpoint.public_bytes(packages.OTHER_KEY).hex()))
    yield bent("no key", lambda p: p.update(key="00" * 32))
    yield bent("the row not canonical", lambda p: p["row"].update(canonical=p["row"]["canonical"] + " "))
    yield bent("the entry not canonical", lambda p: p["entry"].update(canonical=" " + p["entry"]["canonical"]))
    small = packages.proof(row, index=3, size=5)
    yield bent("an older checkpoint", lambda p: p.update(checkpoint=json.loads(small)["checkpoint"]))
    for column in ("statement_sha256", "manifest_sha256", "snapshot_sha256"):
        yield replaced(f"a row with another {column}", packages.proof(packages.seal_row(plan, **{column: "0" * 64})))
    foreign = canonical.row_bytes(table="cases_verdict", row_id=packages.UUIDS[0], fields=json.loads(row)["fields"])
    yield replaced("a row of another table", packages.proof(foreign))
    yield replaced("a proof with line feeds", json.dumps(json.loads(files[verify.PROOF]), indent=1).encode())
    yield replaced("a proof with a key twice", files[verify.PROOF].replace(b'{"check', b'{"v":1,"check', 1))
    yield replaced("a proof spelt with escapes", files[verify.PROOF].replace(b"\xe2\x80\x94", b"\\u2014", 1))


def of_samples(folder: Path, draw: random.Random, count: int) -> Iterator[Mutant]:
    """Packages sealed, by the right key, with a sample of which one hash, index or count is not so."""
    whole = packages.sampled(draw)
    for number in range(count):
        snapshot = copy.deepcopy(whole)
        row, held = draw.choice(snapshot["sampled_exchanges"]["rows"]), snapshot["exchange_sets"]["rows"][0]
        owner, member = draw.choice(
            [(row, "index"), (row, "leaf_sha256"), (held, "root"), (held, "rows"), (held, "statement_sha256")]
            + [(row["path"], step) for step in range(len(row["path"]))]
        )
        value = owner[member]
        bent = f"{int(value, 16) ^ 1 << draw.randrange(256):064x}" if isinstance(value, str) else value ^ 1
        owner[member] = bent
        payload = packages.sampled_payload(snapshot) | {
            path: content for path, content in packages.sampled_payload(whole).items() if "/evidence/" in path
        }
        made = packages.sealed_with(folder, payload)
        named = f"{verify.SAMPLE_PROOFS}exhibit-1-sample-{row['sample']}.json"
        yield Mutant(f"lie {number}: {member} of a sample", made.package.path.read_bytes(), named)


def of_container(content: bytes) -> Iterator[Mutant]:
    """The same files in another ZIP, or the ZIP with bytes more or less."""
    end = content[:-2]
    yield Mutant("a comment", end + b"\x05\0hello", ZIP)
    yield Mutant("a comment's length", end + b"\x05\0", ZIP)
    yield Mutant("bytes after", content + b"\0", ZIP)
    yield Mutant("bytes before", b"#!/bin/sh\n" + content, ZIP)
    yield Mutant("cut in the middle", content[: len(content) // 2], ZIP)
    yield Mutant("cut by a byte", content[:-1], ZIP)
    yield Mutant("nothing", b"", ZIP)
    yield Mutant("twice", content + content, ZIP)
    yield Mutant("a second end", content + content[-22:], ZIP)
    start = struct.unpack("<I", content[-6:-2])[0]
    yield Mutant("bytes before the directory", content[:start] + b"\0" * 8 + content[start:], ZIP)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(info, archive.read(info)) for info in archive.infolist()]
    yield Mutant("packed anew", _packed(members), ZIP)
    yield Mutant("packed in another order", _packed(members[::-1]), ZIP)
    yield Mutant("packed and compressed", _packed(members, zipfile.ZIP_DEFLATED), ZIP)
    yield Mutant("a name twice", _twice(members), ZIP)
    yield Mutant("a folder entry", _packed([(zipfile.ZipInfo(f"{NAME}/"), b""), *members]), ZIP)
    yield Mutant("a second top folder", _packed([*members, (zipfile.ZipInfo("other/x"), b"")]), ZIP)
    yield Mutant("a file without a folder", _packed([*members, (zipfile.ZipInfo("x"), b"")]), ZIP)


def _packed(members: list[tuple[zipfile.ZipInfo, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for info, content in members:
            archive.writestr(info.filename, content, method)
    return out.getvalue()


def _twice(members: list[tuple[zipfile.ZipInfo, bytes]]) -> bytes:
    """The exact form with the first file a second time; only the rule that names are unique can refuse it."""
    body, directory = b"", b""
    for info, content in [members[0], *members]:
        facts = (info.filename.encode(), info.CRC, info.file_size)
        directory += verify.central_header(*facts, len(body))
        body += verify.local_header(*facts) + content
    return body + directory + verify.end_record(len(members) + 1, len(directory), len(body))


def of_names(sample: Sample) -> Iterator[Mutant]:
    """Names that no package has, in containers and manifests that fit."""
    files = sample.files
    for path in ("data/../x", "data//x", "/x", "data/a\\b", "data/cafe\u0301", "data/a\nb", "data/a:b", "data/\u202ex"):
        if unicodedata.normalize("NFC", path) == path:
            yield Mutant(f"{path!r} added", zipped(files | {path: b"x"}), path)
        listed = files | {MANIFEST: manifest({**_payload(files), path: b"x"})}
        yield Mutant(f"{path!r} added and listed", zipped(retagged(listed | {path: b"x"})), MANIFEST)


def _payload(files: Files) -> Files:
    return {path: content for path, content in files.items() if path.startswith("data/")}


def spread_out(count: int) -> Callable[[str, int], list[int]]:
    """About `count` positions over a file, the first and the last among them, others drawn anew for each file."""

    def positions(path: str, size: int) -> list[int]:
        if size <= count:
            return list(range(size))
        drawn = random.Random(path).sample(range(1, size - 1), count - 2)
        return [0, *sorted(drawn), size - 1]

    return positions
