"""Small sealed packages for tests: a real log in memory, a real key, real files."""

import hashlib
import json
import random
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cases.dossier import bag, sample_proofs
from cases.dossier.package_files import verify
from spine import canonical, checkpoint, merkle

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
FINGERPRINT = checkpoint.fingerprint(checkpoint.public_bytes(KEY))
ORIGIN = "retort/log/0123456789abcdef"
NAME = "RT-2026-K7Q4M-counsel-v1"
SNAPSHOT = hashlib.sha256(b"snapshot").hexdigest()
INFO = {"Bagging-Date": "2026-05-04", "Source-Organization": "Example Laboratory", "External-Identifier": NAME}
PAYLOAD: dict[str, bytes | Path] = {
    "data/dossier.json": b'{"statements":[]}',
    "data/dossier.pdf": bytes(range(256)) * 4,
    "data/schedules/accounts.csv": b"account,exchanges\r\nacc-7k2m9qxa,412\r\n",
    "data/evidence/A-1 r\xc3\xa9sum\xc3\xa9.txt".encode("latin-1").decode(): b"",
}
UUIDS = [UUID(f"019a0000-0000-7000-8000-{number:012d}") for number in range(100)]


@dataclass(frozen=True)
class Sample:
    """A package, its files by path in the bag, and the plan it was made from."""

    package: bag.Package
    plan: bag.BagPlan
    files: dict[str, bytes]


def seal_row(plan: bag.BagPlan, **changed: object) -> bytes:
    """The canonical bytes of the row the log keeps of a seal."""
    fields: dict[str, object] = {
        "at": datetime(2026, 5, 4, 12, tzinfo=UTC),
        "manifest_sha256": plan.manifest_sha256,
        "snapshot_sha256": plan.snapshot_sha256,
        "statement_sha256": plan.statement_sha256,
        "version_id": UUIDS[1],
    }
    return canonical.row_bytes(table="cases_dossierseal", row_id=UUIDS[0], fields=fields | changed)


def proof(row: bytes, index: int = 41, size: int = 57, key: Ed25519PrivateKey = KEY) -> bytes:
    """A log of `size` entries in which entry `index` covers the row, in the second of three places."""
    rows = [merkle.leaf_hash(b"before"), merkle.leaf_hash(row), merkle.leaf_hash(b"after")]
    entry = canonical.entry_bytes(
        entry_id=UUIDS[2],
        at=datetime(2026, 5, 4, 12, 0, 1, tzinfo=UTC),
        actor="user:lead",
        action="dossier.sealed",
        about=f"cases.dossierversion:{UUIDS[1]}",
        scope=UUIDS[3],
        data={},
        salt=bytes(32),
        row_count=3,
        rows_root=merkle.root(rows),
    )
    leaves = [merkle.leaf_hash(b"entry %d" % number) for number in range(size)]
    leaves[index] = merkle.leaf_hash(entry)
    return canonical.proof_bytes(
        row=row,
        place=1,
        row_path=merkle.inclusion_path(rows, 1),
        entry=entry,
        index=index,
        entry_path=merkle.inclusion_path(leaves, index),
        note=checkpoint.sign(ORIGIN, size, merkle.root(leaves), key),
        public_key=checkpoint.public_bytes(key),
    )


def sealed(
    folder: Path, payload: dict[str, bytes | Path] | None = None, name: str = NAME, snapshot: str = SNAPSHOT
) -> Sample:
    """Plan, seal and write a package; `snapshot` is the digest of what it was rendered from."""
    plan = bag.plan_bag(name, snapshot, PAYLOAD if payload is None else payload, INFO)
    package = bag.write_zip(plan, bag.seal_files(plan, proof(seal_row(plan))), folder / f"{name}.zip")
    return Sample(package, plan, unzip(package.path))


def sampled(draw: random.Random) -> dict[str, Any]:
    """A snapshot with a set and two samples of it, each row with its path."""
    count = draw.randint(2, 3_000)
    leaves = [draw.randbytes(32) for _ in range(count)]
    known = merkle.in_memory(leaves)
    root = merkle.root(leaves).hex()
    stated = canonical.canonical_json({"rows": {"count": count, "root": root}})
    rows = [
        {
            "exhibit": 1,
            "sample": sample,
            "ordinal": ordinal,
            "index": index,
            "leaf_sha256": leaves[index].hex(),
            "path": [step.hex() for step in merkle.path_at(index, count, known)],
        }
        for sample in (1, 2)
        for ordinal, index in enumerate(draw.sample(range(count), min(count, 4)), 1)
    ]
    digest = hashlib.sha256(stated).hexdigest()
    return {
        "exhibits": {"rows": [{"number": 1, "file": "A-1 statement.json", "sha256": digest}]},
        "exchange_sets": {"rows": [{"exhibit": 1, "rows": count, "root": root, "statement_sha256": digest}]},
        "sampled_exchanges": {"rows": rows},
    }


def sampled_payload(snapshot: dict[str, Any]) -> dict[str, bytes | Path]:
    """Its files: the statement, the proofs and the schedules of the sets."""
    held, rows = snapshot["exchange_sets"]["rows"][0], snapshot["sampled_exchanges"]["rows"]
    stated = {"rows": {"count": held["rows"], "root": held["root"]}}
    sets = f"exhibit,rows,root\r\n1,{held['rows']},{held['root']}\r\n"
    lines = [f"1,{row['sample']},{row['ordinal']},{row['index']},{row['leaf_sha256']}\r\n" for row in rows]
    return {
        "data/snapshot.json": canonical.canonical_json(snapshot),
        "data/evidence/A-1 statement.json": canonical.canonical_json(stated),
        "data/schedules/exchange_sets.csv": sets.encode(),
        "data/schedules/exchange_set_reruns.csv": b"exhibit,rows,root\r\n",
        "data/schedules/samples.csv": b"exhibit,number\r\n1,1\r\n1,2\r\n",
        "data/schedules/sampled_exchanges.csv": "".join(["exhibit,sample,ordinal,index\r\n", *lines]).encode(),
        **sample_proofs.proofs(snapshot),
    }


def sealed_with(folder: Path, payload: dict[str, bytes | Path]) -> Sample:
    """A package that was sealed with this payload, whatever it says."""
    content = payload["data/snapshot.json"]
    assert isinstance(content, bytes)
    return sealed(folder, payload, snapshot=hashlib.sha256(content).hexdigest())


def unzip(path: Path) -> dict[str, bytes]:
    """Files by path in the bag, read by the verifier's reader."""
    package = verify.ZipPackage(path)
    files = {name: b"".join(package.chunks(name)) for name in package.members}
    package.close()
    return files


def zipped(files: dict[str, bytes], name: str = NAME) -> bytes:
    """A ZIP in the exact form, whatever the files are: so that only the checks of content can refuse it."""
    body, directory = b"", b""
    for path in sorted(files, key=lambda text: text.encode("utf-8", "surrogatepass")):
        raw = f"{name}/{path}".encode("utf-8", "surrogatepass")
        facts = (raw, zlib.crc32(files[path]), len(files[path]))
        directory += verify.central_header(*facts, len(body))
        body += verify.local_header(*facts) + files[path]
    return body + directory + verify.end_record(len(files), len(directory), len(body))


def spread(files: dict[str, bytes], folder: Path, name: str = NAME) -> Path:
    """The files as an extracted folder."""
    for path, content in files.items():
        place = folder / name / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return folder / name


def manifest(files: dict[str, bytes]) -> bytes:
    """A manifest of these files, as a forger would write it anew."""
    lines = [f"{hashlib.sha256(files[path]).hexdigest()}  {path}\n" for path in sorted(files, key=str.encode)]
    return "".join(lines).encode()


def relisted(files: dict[str, bytes]) -> dict[str, bytes]:
    """The same files with both manifests and Payload-Oxum made to fit, everything else left."""
    payload = {path: content for path, content in files.items() if path.startswith("data/")}
    info = files["bag-info.txt"].split(b"Payload-Oxum")[0]
    oxum = f"Payload-Oxum: {sum(map(len, payload.values()))}.{len(payload)}\n".encode()
    return retagged(files | {"bag-info.txt": info + oxum, "manifest-sha256.txt": manifest(payload)})


def retagged(files: dict[str, bytes]) -> dict[str, bytes]:
    """The same files with the tag manifest made to fit."""
    tags = {path: content for path, content in files.items() if not path.startswith(("data/", "tagmanifest"))}
    return files | {"tagmanifest-sha256.txt": manifest(tags)}


def proof_with(files: dict[str, bytes], change) -> dict[str, bytes]:  # type: ignore[no-untyped-def]
    """The same files with the proof changed by `change(dict)`, kept canonical, all else made to fit."""
    body = json.loads(files["seal/log-proof.json"])
    change(body)
    note = str(body["checkpoint"]).encode()
    changed = {"seal/log-proof.json": canonical.canonical_json(body), "seal/checkpoint.txt": note}
    return retagged(files | changed)
