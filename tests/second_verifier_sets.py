"""The second verifier of exchange sets: a set made anew from key and rows, its sample; from exchange-set.md alone."""

import struct
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.second_verifier import EXCHANGE, STATEMENT
from tests.second_verifier_forms import Report, formed, hexsha, jcs, leaf, parsed, root, shape
from tests.second_verifier_log import column

START = datetime(1970, 1, 1, tzinfo=UTC)
PLAN = shape("""{v: =1, format: =retort-sampling-plan, set: hex, root: hex, seed: text,
    strata: {by: text, rows: [{name: text, rows: count, sampled: count}]},
    per_stratum: count, confidence_level: count, sample: [{stratum: text, index: count}]}""")
DIFFERENCE = shape("""{v: =1, format: =retort-exchange-set-difference, set: hex, at: time,
    before: {count: count, root: hex}, now: {count: count, root: hex}, missing: count, expired: count, added: count,
    changed: count, kept: count, examples: [{what: text, ts: time, index?: count, leaf: hex, request_id?: text}]}""")


def canonical_row(row: Mapping[str, Any], key: bytes) -> tuple[datetime, str, bytes, bytes]:
    """Time, request id, tag and canonical bytes of a row as the source has it (sections 1 and 2)."""
    at = datetime.fromisoformat(row["ts"]).astimezone(UTC)
    row_key = hexsha(f"{key.hex()}:{column(at)}:{row['request_id']}".encode())
    form: dict[str, Any] = {"v": 1, "ts": column(at)}
    for name, value in row.items():
        kind = EXCHANGE.get(name, EXCHANGE.get(f"{name}?"))
        if value is None or kind is None or name == "ts":
            continue
        if kind == "hex":
            form[name] = hexsha(f"{hexsha(f'{row_key}:{name}'.encode())}:{value}".encode())
        else:
            form[name] = repr(float(value)) if kind == "double" else column(value)
        if name in ("prompt", "response", "tools"):
            form[f"{name}_bytes"] = len(value.encode())
    return at, row["request_id"], bytes.fromhex(hexsha(f"{row_key}:request_id".encode())[:16]), jcs(form).encode()


def made_anew(rows: Iterable[Mapping[str, Any]], accounts: Iterable[str], key: bytes, statement: bytes) -> Report:
    """Whether a statement is what its key, its accounts and the source's rows give."""
    report, chosen = Report(), set(accounts)
    stated = formed(parsed(statement, "statement"), STATEMENT, "statement")
    start, end = (datetime.fromisoformat(stated["window"][name]) for name in ("start", "end"))
    found = [(canonical_row(row, key), row) for row in rows if row["account_id"] in chosen]
    kept = [(one, row) for one, row in found if start <= one[0] < end]
    kept.sort(key=lambda item: (item[0][0], item[0][1].encode(), leaf(item[0][3])))
    micro = timedelta(microseconds=1)
    leaves = [struct.pack(">q", (one[0] - START) // micro) + one[2] + leaf(one[3]) for one, _ in kept]
    hashes = [one[16:] for one in leaves]
    names = sorted(hexsha(f"{key.hex()}:account:{account}".encode()) for account in chosen)
    told = {
        "rows": {
            "count": len(kept),
            "root": root(hashes).hex(),
            "first": column(kept[0][0][0]) if kept else None,
            "last": column(kept[-1][0][0]) if kept else None,
            **{name: sum(row.get(name) or 0 for _, row in kept) for name in ("input_tokens", "output_tokens")},
        },
        "leaves": {"sha256": hexsha(b"".join(leaves)), "size": 48 * len(leaves)},
        "key_sha256": hexsha(key),
    }
    for name, value in told.items():
        report.say(stated[name] == value, name, f"is {stated[name]}, and made anew {value}")
    digest = hexsha("".join(f"{name}\n" for name in names).encode())
    same = (stated["accounts"]["count"], stated["accounts"]["sha256"]) == (len(names), digest)
    report.say(same, "accounts", "are others")
    return report


def check_plan(plan: bytes, statement: bytes, strata: Mapping[str, Iterable[int]]) -> Report:
    """Whether a plan draws from these strata of the set's indices what section 6 says."""
    report = Report()
    told, stated = formed(parsed(plan, "plan"), PLAN, "plan"), parsed(statement, "statement")
    report.say((told["set"], told["root"]) == (hexsha(statement), stated["rows"]["root"]), "plan", "is of another set")
    sample, rows = [], []
    for name in sorted(strata):
        indices = sorted(strata[name], key=lambda index: hexsha(f"retort-sample/1:{told['seed']}:{index}".encode()))
        rows.append({"name": name, "rows": len(indices), "sampled": min(len(indices), told["per_stratum"])})
        sample += [{"stratum": name, "index": index} for index in indices[: told["per_stratum"]]]
    report.say(told["sample"] == sample, "sample", "is another")
    report.say(told["strata"]["rows"] == rows, "strata", "are others")
    return report
