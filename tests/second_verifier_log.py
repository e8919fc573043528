"""The second verifier of the log: tiles, the tables of a database, hand-overs; from docs/formats/log.md alone."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.second_verifier_forms import Checkpoint, Report, hexsha, jcs, leaf, read_folder, root, signed


def tile_name(level: int, n: int, width: int = 256) -> str:
    *upper, last = re.findall("...", f"{n:0{-(-len(str(n)) // 3) * 3}d}")
    return f"tile/{level}/{''.join(f'x{group}/' for group in upper)}{last}" + f".p/{width}" * (width < 256)


def check_tiles(folder: Path, key: bytes | None = None, older: Sequence[str] = ()) -> Report:
    """An exported tree against its checkpoint; `older` are notes of the same log that somebody kept."""
    report = Report()
    files = read_folder(folder, report)
    with report.part():
        note = Checkpoint(files.pop("checkpoint", b"").decode(errors="replace"), "checkpoint")
        if key is not None:
            note.signed_by(key)
        size, level, hashes, leaves = note.size, 0, list[bytes](), list[bytes]()
        while size:
            tile, below, hashes = [], hashes, list[bytes]()
            for n in range(-(-size // 256)):
                width = min(256, size - 256 * n)
                name = tile_name(level, n, width)
                tile = [files[name][at : at + 32] for at in range(0, len(files[name]), 32)] if name in files else []
                report.say(len(b"".join(tile)) == 32 * width, name, "is not there, or of another length")
                for at, (one, two) in enumerate(zip(tile, below[256 * n :], strict=False)):
                    lower = tile_name(level - 1, 256 * n + at)
                    report.say(one == two, name, f"is not what {lower} gives, or that was changed")
                for part in [part for part in files if part.partition(".p/")[0] == name.partition(".p/")[0]]:
                    same = b"".join(tile).startswith(files.pop(part)) or part == name
                    report.say(same, part, "is of another history")
                leaves += tile if level == 0 else []
                hashes += [root(tile)] if width == 256 else []
            size, level = size // 256, level + 1
        report.say(not files, min(files, default=""), "is no tile of this checkpoint")
        report.say(root(leaves) == note.root, "checkpoint", "has another root than the tiles")
        for past in (Checkpoint(text, "older checkpoint") for text in older):
            same = past.origin == note.origin and past.size <= note.size and root(leaves[: past.size]) == past.root
            report.say(same, f"older checkpoint {past.size}", "is of another history")
    return report


def column(value: Any, *, inside: bool = False) -> Any:
    """A column's value in its canonical form (log.md, section 1), or a value inside JSON or an array."""
    if isinstance(value, list):
        return [column(one, inside=True) for one in value]
    if isinstance(value, dict):
        return {name: column(one, inside=True) for name, one in value.items()}
    if isinstance(value, float | Decimal) and not Decimal(value).is_finite():
        return str(Decimal(value))
    if isinstance(value, Decimal):
        plain = f"{value:f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:f}"
        return plain.replace("-0", "0") if value == 0 else plain
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    if isinstance(value, int) and abs(value) >= 2**53:
        double = float(value) if abs(value) < 2**1023 else 0.0
        return double if inside and Decimal(repr(double)) == value else str(value)
    return value.hex() if isinstance(value, bytes) else str(value) if isinstance(value, UUID | date) else value


def commitment(salt: bytes, details: Any) -> str:
    return hexsha(b"\2" + salt + jcs(details).encode())


def row_digest(table: str, row: Mapping[str, Any], personal: Sequence[str], erased: Mapping[str, str]) -> bytes:
    values = {name: column(value) for name, value in row.items() if value is not None}
    key, left_out = f"{table}:{row['id']}", {"id", "entry_id", "place", "salt", *personal}
    form = {
        "fields": {name: values[name] for name in values.keys() - left_out},
        "id": values["id"],
        "table": table,
        "v": 1,
    }
    if personal:
        known = {name: values[name] for name in personal if name in values}
        form["personal"] = commitment(row["salt"], known) if row["salt"] else erased.get(key, "")
    return leaf(jcs(form).encode())


def check_log(tables: Mapping[str, list[dict[str, Any]]], personal: Mapping[str, list[str]]) -> Report:
    """The tables of a database (log.md, section 10), by name."""
    report, lost, own = Report(), tables["spine_destruction"], ("logentry", "sequence", "node", "checkpoint")
    erased = {row["key"]: row["commitment"].hex() for row in lost if row["kind"] == "row"}
    rows = {}
    for table in tables.keys() - {f"spine_{name}" for name in own}:
        for row in tables[table]:
            digest = row_digest(table, row, personal.get(table, []), erased)
            rows[row["entry_id"], row["place"]] = (f"{table}:{row['id']}", digest)
    leaves = {}
    for entry in tables["spine_logentry"]:
        place, raw = f"spine_logentry:{entry['id']}", entry["row_digests"]
        digests = [raw[at : at + 32] for at in range(0, len(raw), 32)]
        for n, digest in enumerate(digests):
            named, computed = rows.pop((entry["id"], n), (place, b""))
            report.say(computed == digest, named, "is not as it was recorded")
        same = len(digests) == entry["row_count"] and root(digests) == entry["rows_root"]
        report.say(same, place, "has other rows")
        form = {
            name: column(entry[name]) for name in ("action", "actor", "at", "id", "scope") if entry[name] is not None
        }
        form |= {"data": commitment(entry["salt"], column(entry["data"])), "object": entry["about"], "v": 1}
        form["rows"] = {"count": len(digests), "root": root(digests).hex()}
        leaves[entry["id"]] = leaf(jcs(form).encode())
    for named, _ in rows.values():
        report.say(False, named, "is in no entry")
    sequence = sorted(tables["spine_sequence"], key=lambda row: int(row["index"]))
    for n, row in enumerate(sequence):
        report.say(row["index"] == n, f"spine_sequence:{n}", "is missing")
        report.say(row["leaf_hash"] == leaves.get(row["entry_id"]), f"spine_logentry:{row['entry_id']}", "is another")
    hashes = [row["leaf_hash"] for row in sequence]
    for row in tables["spine_node"]:
        start, width = row["index"] << row["level"], 1 << row["level"]
        same = start + width <= len(hashes) and root(hashes[start : start + width]) == row["hash"]
        report.say(same, f"spine_node:{row['level']}/{row['index']}", "is another")
    for row in tables["spine_checkpoint"]:
        with report.part():
            note = Checkpoint(row["note"], f"spine_checkpoint:{row['size']}")
            same = note.size == row["size"] <= len(hashes) and note.root == row["root"] == root(hashes[: note.size])
            report.say(same, note.place, "has another root")
    return report


def key_at(listed: str, size: int) -> str:
    """The key of a file of public keys that signs the checkpoint of a size, in hex; empty when the file is none."""
    rows = [re.fullmatch("([0-9a-f]{64}) ([0-9a-f]{64}) (0|[1-9][0-9]*)", line) for line in listed.split("\n")[:-1]]
    keys = [(int(row[3]), row[1]) for row in rows if row and hexsha(b"\1" + bytes.fromhex(row[1])) == row[2]]
    sizes = [after for after, _ in keys]
    plain = listed.endswith("\n") and len(keys) == len(rows) and sizes == sorted({0, *sizes})
    return [key for after, key in keys if after < size][-1] if plain and size else ""


def handed_over(row: Mapping[str, Any]) -> bool:
    """Whether a row of spine_keyhandover is signed by both keys."""
    if row["size"] < 1 or row["old_key"] == row["new_key"]:
        return False
    said = "retort/log-key/1\n" + "".join(f"{row[name]}\n" for name in ("origin", "size", "old_key", "new_key"))
    keys = [(bytes.fromhex(row[f"{who}_key"]), bytes.fromhex(row[f"{who}_signature"])) for who in ("old", "new")]
    return all(signed(key, said.encode(), signature) for key, signature in keys)
