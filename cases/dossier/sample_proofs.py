"""The proofs of each sample, by hashes alone, from what a snapshot has (docs/formats/exchange-set.md, section 8)."""

from collections import defaultdict
from typing import Any

from cases.dossier.package_files.verify import SAMPLE_FORMAT, SAMPLE_PROOFS
from spine.canonical import canonical_json

Row = dict[str, Any]


def proofs(snapshot: Row) -> dict[str, bytes]:
    """One file for each sample by its path in the package; of rows without an audit path there are none."""
    held = {row["exhibit"]: row for row in _rows(snapshot, "exchange_sets")}
    drawn: dict[tuple[int, int], list[Row]] = defaultdict(list)
    for row in _rows(snapshot, "sampled_exchanges"):
        if row.get("path") is not None:
            drawn[row["exhibit"], row["sample"]].append(row)
    return {
        f"{SAMPLE_PROOFS}exhibit-{exhibit}-sample-{sample}.json": _file(held[exhibit], sample, rows)
        for (exhibit, sample), rows in drawn.items()
    }


def _rows(snapshot: Row, name: str) -> list[Row]:
    """A list's rows; snapshots older than these lists have none."""
    found: list[Row] = snapshot.get(name, {}).get("rows", [])
    return found


def _file(held: Row, sample: int, rows: list[Row]) -> bytes:
    return canonical_json(
        {
            "v": 1,
            "format": SAMPLE_FORMAT,
            "exhibit": held["exhibit"],
            "sample": sample,
            "set": {name: held[name] for name in ("statement_sha256", "rows", "root")},
            "proofs": [{name: row[name] for name in ("ordinal", "index", "leaf_sha256", "path")} for row in rows],
        }
    )
