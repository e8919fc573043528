"""A second verifier of what Retort hands out, written from docs/formats alone; nothing here comes from verify.py.

python -m tests.second_verifier package PATH | exchange FILE | counsel ZIP | tiles FOLDER [--key FINGERPRINT]

The signature in a time-stamp token is not checked.
"""

import argparse
import csv
import hashlib
import io
import re
import sys
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.second_verifier_forms import (
    ROW,
    Checkpoint,
    Report,
    climbed,
    climbed_from,
    fault,
    fits,
    formed,
    hexsha,
    need,
    parsed,
    proven,
    read_folder,
    read_zip,
    root,
    shape,
)
from tests.second_verifier_log import check_tiles


def check_names(names: Sequence[str], report: Report) -> None:
    seen: dict[str, str] = {}
    for name in names:
        odd = any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") or c in '\\%<>:"|?*' for c in name)
        report.say(not odd and unicodedata.is_normalized("NFC", name), name, "has a character no name may have")
        parts = name.split("/")
        kept = all(part.strip() == part and part[-1:] not in ("", ".") for part in parts)
        report.say(kept, name, "has a part that not every system keeps")
        for depth in range(1, len(parts) + 1):
            upper = "/".join(parts[:depth]) + "/" * (depth < len(parts))
            first = seen.setdefault(upper.rstrip("/").casefold(), upper)
            report.say(first == upper, name, f"is one name with {first} where case is ignored")


STAMP = ("seal/timestamp.tsr", "seal/tsa-chain.pem")
STATED = ("VERIFY.txt", "bag-info.txt", "bagit.txt", "manifest-sha256.txt", "verify.py")
SEAL = ("seal/statement.json", "seal/log-proof.json", "seal/checkpoint.txt")
SEALED = shape(f"{{v: =1, bag: text, snapshot: hex, files: {{{', '.join(f'{name}: hex' for name in STATED)}}}}}")


def check_manifest(files: Mapping[str, bytes], place: str, names: Sequence[str], report: Report) -> None:
    rows = [(line[66:], line[:64]) for line in files.get(place, b"").decode(errors="replace").split("\n")[:-1]]
    for name in sorted({*names, *(name for name, _ in rows)}):
        same = name in names and (name, hexsha(files[name])) in rows
        report.say(same, name, f"is not as {place} has it")
    wanted = "".join(f"{hexsha(files[name])}  {name}\n" for name in sorted(names, key=str.encode))
    report.say(wanted and files.get(place) == wanted.encode(), place, "is not the manifest of these files")


def read_info(raw: bytes, place: str) -> dict[str, str]:
    line = r"([A-Za-z0-9-]+): (?!\s)([^\x00-\x1f\x7f-\x9f\u2028\u2029]+)(?<!\s)"
    rows = [re.fullmatch(line, one) for one in raw.decode(errors="replace").split("\n")[:-1]]
    labels = {row[1]: row[2] for row in rows if row}
    need(len(labels) == len(rows) and raw.endswith(b"\n"), place, "is not lines of Label: value, each label once")
    return labels


def check_package(path: Path, key: str | None = None, *, payload: bool = True) -> Report:
    """Bag and seal (package.md), and what dossier.json says of itself and the payload (dossier-json.md)."""
    report = Report()
    with report.part():
        if path.is_dir():
            bag, files = path.resolve().name, read_folder(path, report)
        else:
            raw, beside = path.read_bytes(), path.with_name(f"{path.name}.sha256")
            stated = beside.read_bytes() if beside.exists() else None
            report.say(stated in (None, f"{hexsha(raw)}  {path.name}\n".encode()), beside.name, "is another digest")
            bag, files = read_zip(raw, path.name, report)
        report.say(re.fullmatch("[A-Za-z0-9][A-Za-z0-9._-]{0,99}", bag), bag, "is no name of a bag")
        check_names(sorted(files), report)
        tags = [name for name in files if not name.startswith("data/") and name != "tagmanifest-sha256.txt"]
        for name in {*STATED, *SEAL, "tagmanifest-sha256.txt", *tags}:
            report.say(name in files, name, "is missing")
            report.say(name not in tags or name in (*STATED, *SEAL, *STAMP), name, "has no place in a package")
        two = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
        report.say(files.get("bagit.txt") == two, "bagit.txt", "is not the two lines")
        content = {name: data for name, data in files.items() if name.startswith("data/")}
        check_manifest(files, "manifest-sha256.txt", [*content], report)
        check_manifest(files, "tagmanifest-sha256.txt", tags, report)
        info = read_info(files.get("bag-info.txt", b""), "bag-info.txt")
        oxum = f"{sum(map(len, content.values()))}.{len(content)}"
        report.say(info.get("Payload-Oxum") == oxum, "bag-info.txt", "its Payload-Oxum is another")
        need(all(name in files for name in SEAL), "seal", "is not whole: the package was never sealed")
        statement, note = check_seal(bag, files, info, key, report)
        if payload:
            check_payload(bag, content, info, statement["snapshot"], note, report)
    return report


def check_seal(
    bag: str, files: Mapping[str, bytes], info: Mapping[str, str], key: str | None, report: Report
) -> tuple[dict[str, Any], Checkpoint]:
    statement, proof = (parsed(files[place], place) for place in SEAL[:2])
    formed(statement, SEALED, SEAL[0])
    report.say(statement["bag"] == bag, SEAL[0], "is of another bag")
    for name in STATED:
        same = statement["files"][name] == hexsha(files.get(name, b""))
        report.say(same, name, f"is not what was sealed in {SEAL[0]}")
    row, note = proven(proof, ROW % ("cases_dossierseal", ""), SEAL[1], key, report)
    report.say(files[SEAL[2]] == proof["checkpoint"].encode(), SEAL[2], "is not the proof's checkpoint")
    sealed = {"statement": hexsha(files[SEAL[0]]), "snapshot": statement["snapshot"]}
    for what, digest in {**sealed, "manifest": hexsha(files.get(STATED[3], b""))}.items():
        place = STATED[3] if what == "manifest" else SEAL[0]
        report.say(row.get(f"{what}_sha256") == digest, place, f"is not the row's {what}_sha256 in {SEAL[1]}")
    token, chain = (files.get(name) for name in STAMP)
    told = info.get("Time-Stamp-Token")
    report.say(told == (STAMP[0] if token is not None else None), STAMP[0], "is not as bag-info.txt says")
    told = info.get("Time-Stamp-Chain")
    report.say(told == (hexsha(chain) if chain is not None else None), STAMP[1], "is not as bag-info.txt says")
    report.say(row.get("chain_sha256") == told, STAMP[1], f"is not the row's chain_sha256 in {SEAL[1]}")
    if token is not None:
        sha256, digest = b"\x06\x09`\x86H\x01e\x03\x04\x02\x01", hashlib.sha256(files[SEAL[2]]).digest()
        imprint = re.search(sha256 + b"(\x05\0)?\x04\x20" + re.escape(digest), token)
        report.say(imprint, STAMP[0], "is not of this checkpoint")
    return statement, note


PERSON = "{name: text, role: text, username: text}"
DOSSIER = """{format: =retort-dossier, v: =1, package: {name: =%s, draft: yes}, snapshot: object,
    version: {number: count, supersedes: any, prepared_by: PERSON, frozen_at: time, release: text, snapshot_sha256: =%s,
    item: item}, approval: {approved_by: PERSON, at: time, snapshot_sha256: =%s, item: item}}""".replace(
    "PERSON", PERSON
)
SNAPSHOT = shape(
    """{format: =retort-dossier-snapshot, v: =1, edition: =counsel, case: object, marking: object,
    recipient: {name: text, basis: text, internal: yes, recipient_registered: yes, basis_registered: yes},
    cut: {at: time, item: item, log_size: count, origin: text, root: hex, key_fingerprint: hex}, alternatives: [object],
    claims: [object], ladder: [object], figures: [object], exhibits: {source: object, rows: [object]}, limits: object,
    verdicts: LIST, verdict_history: LIST, accounts: LIST, clusters: LIST, runs: LIST, answers: LIST, timeline: LIST,
    shared_values: LIST, links: LIST, findings: LIST, volume: LIST, releases: LIST, preservation: LIST, holds: LIST,
    custody: {source: object, rows: [object], gaps: [object]}, disclosures: LIST, telemetry: LIST,
    exchange_sets?: LIST, exchange_set_reruns?: LIST, samples?: LIST, sampled_exchanges?: LIST}""".replace(
        "LIST", "{source: object, rows: [object], rule?: text}"
    )
)


def baseless(value: Any, at: str = "", based: bool = False) -> Iterator[str]:
    """Numbers under nothing that has source or item; items and sources that are not of their form."""
    if isinstance(value, dict):
        based = based or "source" in value or "item" in value
        if value.get("item") and not fits(value["item"], "item"):
            yield f"{at}/item"
        if isinstance(value.get("source"), dict) and fault(value["source"], {"what": "text", "query": "text"}):
            yield f"{at}/source"
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inner:
        yield from baseless(one, f"{at}/{name}", based) if name != "v" else ()
    if isinstance(value, int | float) and not isinstance(value, bool) and not based:
        yield at


def check_payload(
    bag: str, files: Mapping[str, bytes], info: Mapping[str, str], frozen: str, note: Checkpoint, report: Report
) -> None:
    paths = ("data/snapshot.json", "data/dossier.json")
    for name in paths:
        need(name in files, name, "is missing")
    report.say(hexsha(files[paths[0]]) == frozen, paths[0], "is not the snapshot that was sealed")
    snapshot = formed(parsed(files[paths[0]], paths[0]), SNAPSHOT, paths[0])
    dossier = parsed(files[paths[1]], paths[1], canonical=False)
    formed(dossier, shape(DOSSIER % (bag, frozen, frozen)), paths[1])
    report.say(dossier["snapshot"] == snapshot and not dossier["package"]["draft"], paths[1], "has another snapshot")
    for at in baseless(dossier):
        report.say(False, paths[1], f"no source or item, or one of no form, at {at}")
    cut, exhibits = snapshot["cut"], {f"data/evidence/{one.get('file')}": one for one in snapshot["exhibits"]["rows"]}
    report.say(cut["origin"] == note.origin and cut["log_size"] < note.size, paths[0], "is of another log, or newer")
    report.say(info.get("Bagging-Date") == cut["at"][:10], "bag-info.txt", "its Bagging-Date is not the cut's")
    for name in {*exhibits, *(name for name in files if name.startswith("data/evidence/"))} - {"data/evidence/"}:
        same = name in files and name in exhibits and exhibits[name].get("sha256") == hexsha(files[name])
        report.say(same, name, "is not an exhibit with its digest")
    check_samples(snapshot, files, report)
    for name in (name for name in files if name.startswith("data/schedules/") and not name.startswith(SAMPLES)):
        table = [*csv.DictReader(io.StringIO(files[name].decode(errors="replace"), newline=""))]
        rows = snapshot["verdict_history" if name == "data/schedules/verdicts.csv" else Path(name).stem]["rows"]
        same = [row.get("item", "") for row in table] == [row.get("item") or "" for row in rows]
        report.say(same and files[name].endswith(b"\r\n"), name, "is not the list's table")


# Exchange sets

SAMPLES = "data/schedules/sampled_exchanges/"
SAMPLE_PROOFS = shape("""{v: =1, format: =retort-sample-proofs, exhibit: count, sample: count,
    set: {statement_sha256: hex, rows: count, root: hex},
    proofs: [{ordinal: count, index: count, leaf_sha256: hex, path: [hex]}]}""")


def check_samples(snapshot: Mapping[str, Any], files: Mapping[str, bytes], report: Report) -> None:
    """The four steps of exchange-set.md, section 8."""
    sets = {one["exhibit"]: one for one in snapshot.get("exchange_sets", {"rows": []})["rows"]}
    drawn: dict[str, list[dict[str, Any]]] = {}
    for row in snapshot.get("sampled_exchanges", {"rows": []})["rows"]:
        if row.get("path") is not None:
            drawn.setdefault(f"{SAMPLES}exhibit-{row['exhibit']}-sample-{row['sample']}.json", []).append(row)
    for name in sorted({*drawn, *(name for name in files if name.startswith(SAMPLES))}):
        with report.part():
            need(name in files and name in drawn, name, "is missing, or of no sample")
            held = sets[drawn[name][0]["exhibit"]]
            check_sample(name, files[name], held, drawn[name], report)
            exhibits = [one for one in snapshot["exhibits"]["rows"] if one["number"] == held["exhibit"]]
            for stated in (files.get(f"data/evidence/{one['file']}") for one in exhibits):
                rows = parsed(stated, name)["rows"] if stated is not None else {}
                told = (hexsha(stated), rows["count"], rows["root"]) if stated is not None else None
                wanted = (held["statement_sha256"], held["rows"], held["root"])
                report.say(told in (None, wanted), name, "is not of the set's statement")


def check_sample(name: str, raw: bytes, held: Mapping[str, Any], drawn: Sequence[Any], report: Report) -> None:
    told = formed(parsed(raw, name), SAMPLE_PROOFS, name)
    report.say(name.endswith(f"/exhibit-{told['exhibit']}-sample-{told['sample']}.json"), name, "is named otherwise")
    report.say(told["set"] == {one: held[one] for one in told["set"]}, name, "is of another set")
    same = told["proofs"] == [{one: row[one] for one in ("ordinal", "index", "leaf_sha256", "path")} for row in drawn]
    report.say(same, name, "has other rows than the snapshot")
    for row in told["proofs"]:
        found = climbed_from(bytes.fromhex(row["leaf_sha256"]), row["index"], held["rows"], row["path"])
        report.say(found == held["root"], name, f"row {row['ordinal']} does not lead to the set's root")


EXCHANGE = shape(
    """{v: =1, ts: time, request_id: text, account_id: hex, model: text, surface?: text, country?: text,
    ja4?: text, user_agent?: text, error_code?: text, finish_reason?: text, asn?: NUMBER, input_tokens?: NUMBER,
    output_tokens?: NUMBER, reasoning_tokens?: NUMBER, cache_read_tokens?: NUMBER, n?: NUMBER, top_logprobs?: NUMBER,
    logit_bias_count?: NUMBER, max_tokens?: NUMBER, status?: NUMBER, temperature?: double, issued_block_hashes?: [text],
    presented_block_hashes?: [text], org_id?: hex, api_key_id?: hex, conversation_id?: hex, end_user_id?: hex, ip?: hex,
    payment_fingerprint?: hex, prompt_sha256?: hex, response_sha256?: hex, prompt?: hex, response?: hex, tools?: hex,
    prompt_bytes?: NUMBER, response_bytes?: NUMBER, tools_bytes?: NUMBER}""".replace("NUMBER", "whole|beyond")
)
STATEMENT = shape("""{v: =1, format: =retort-exchange-set, id: uuid, case: text, query: text, key_sha256: hex,
    source: {id: uuid, name: text, namespace: text}, window: {start: time, end: time},
    accounts: {chosen: text, count: count, sha256: hex}, leaves: {sha256: hex, size: count},
    rows: {count: count, root: hex, first: time|null, last: time|null, input_tokens: count, output_tokens: count},
    nodes: {sha256: hex, size: count}, files: [{name: text, sha256: hex, rows: count}], made: {at: time, by: text},
    originals: {where: text, expire_at: time|null}, program: {release: text, sha256: hex, duckdb: text}}""")
EXCHANGE_PROOF = shape("""{v: =1, format: =retort-exchange-proof, row: {canonical: text, index: count, path: [hex]},
    opened: object, statement: text, log: object}""")


def check_exchange(raw: bytes, place: str, key: str | None = None) -> Report:
    """The five steps of exchange-set.md, section 5."""
    report = Report()
    with report.part():
        proof = formed(parsed(raw, place), EXCHANGE_PROOF, place)
        row = formed(parsed(proof["row"]["canonical"].encode(), place), EXCHANGE, f"{place}: row")
        said = proof["statement"].encode()
        statement = formed(parsed(said, place), STATEMENT, f"{place}: statement")
        rows, window = statement["rows"], statement["window"]
        found = climbed(proof["row"]["canonical"], proof["row"]["index"], rows["count"], proof["row"]["path"])
        report.say(found == rows["root"], f"{place}: row", "does not lead to the set's root")
        report.say(window["start"] <= row["ts"] < window["end"], f"{place}: row", "is outside the window")
        sizes = (statement["leaves"]["size"], statement["nodes"]["size"])
        report.say(sizes == (48 * rows["count"], rows["count"] // 1024 * 32), f"{place}: statement", "has other sizes")
        for name, one in proof["opened"].items():
            formed(one, {"salt": "hex", "value": "text"}, f"{place}: {name}")
            same = EXCHANGE.get(name, EXCHANGE.get(f"{name}?")) == "hex" and row.get(name)
            same = same and same == hexsha(f"{one['salt']}:{one['value']}".encode())
            report.say(same, f"{place}: {name}", "is not what the row commits to")
        row_form = ROW % ("cases_evidenceitem", ", personal: hex")
        fields, _ = proven(proof["log"], row_form, f"{place}: log", key, report)
        same = (fields.get("sha256"), fields.get("size")) == (hexsha(said), len(said))
        report.say(same, f"{place}: statement", "is not the exhibit")
    return report


def check_set(statement: bytes, leaves: bytes, nodes: bytes) -> Report:
    """The two files beside a statement (exchange-set.md, section 3)."""
    report = Report()
    with report.part():
        stated = formed(parsed(statement, "statement"), STATEMENT, "statement")
        for name, data in (("leaves", leaves), ("nodes", nodes)):
            report.say(stated[name] == {"sha256": hexsha(data), "size": len(data)}, name, "is another file")
        hashes = [leaves[at + 16 : at + 48] for at in range(0, len(leaves), 48)]
        times = [int.from_bytes(leaves[at : at + 8], "big", signed=True) for at in range(0, len(leaves), 48)]
        report.say(
            times == sorted(times) and root(hashes).hex() == stated["rows"]["root"], "leaves", "give another root"
        )
        runs = [root(hashes[at : at + 1024]) for at in range(0, len(hashes) - 1023, 1024)]
        report.say(b"".join(runs) == nodes, "nodes", "are not those of the leaves")
    return report


# Counsel export

TRACK = shape("""{format: =retort-counsel-track, v: =1, marking: text, case: text, track: uuid, purpose: text,
    direction: text, opened_by: text, opened_at: time, members: [{name: text, why: text}],
    memberships: [{name: text, ended: yes, reason: text, by: text, at: time}],
    notes: [{id: uuid, at: time, author: text, marking: text, topic: text, direction: text, text: text,
    exhibits: [count], supersedes: uuid|null, withdrawn: yes}],
    exports: [{number: count, at: time, by: text, recipient: text, purpose: text, sha256: hex|null}]}""")


def check_counsel(raw: bytes, place: str) -> Report:
    report = Report()
    with report.part():
        top, files = read_zip(raw, place, report)
        names = ["counsel-track.json", "counsel-track.txt"]
        for name in {*names, "manifest-sha256.txt", *files}:
            report.say(name in files and name in (*names, "manifest-sha256.txt"), name, "is missing, or has no place")
        check_manifest(files, "manifest-sha256.txt", [name for name in names if name in files], report)
        track = formed(parsed(files.get(names[0], b""), names[0]), TRACK, names[0])
        numbers = [(one["number"], one["sha256"] is None) for one in track["exports"]]
        wanted = [(n, n == len(numbers)) for n in range(1, len(numbers) + 1)]
        report.say(numbers == wanted, names[0], "has other exports than those up to this one")
        report.say(top == f"{track['case']}-counsel-track-{len(numbers)}", place, "has a folder of another name")
        for n, note in enumerate(track["notes"]):
            earlier = {None, *(one["id"] for one in track["notes"][:n])}
            report.say(note["supersedes"] in earlier - {note["id"]}, names[0], f"note {note['id']} is out of order")
        lines = files.get(names[1], b"").decode(errors="replace").rstrip("\n").split("\n")
        report.say({lines[0], lines[-1]} == {track["marking"]}, names[1], "is not marked on top and at the end")
    return report


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("package", "exchange", "counsel", "tiles"))
    parser.add_argument("path", type=Path)
    parser.add_argument("--key", help="the fingerprint, from where it came by another way")
    given = parser.parse_args()
    if given.what in ("package", "tiles"):
        report = check_package(given.path, given.key) if given.what == "package" else check_tiles(given.path)
    else:
        raw, name = given.path.read_bytes(), given.path.name
        report = check_exchange(raw, name, given.key) if given.what == "exchange" else check_counsel(raw, name)
    lines = [f"FAILED {place}: {why}" for place, why in report.bad]
    lines += [f"key {report.fingerprint}", "REFUSED" if report.bad else "ACCEPTED"]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if report.bad else 0


if __name__ == "__main__":
    sys.exit(main())
