"""The canonical form of an exchange as evidence (docs/formats/exchange-set.md, sections 1 and 2).

Twice: in plain Python, which is the reference and opens single rows, and as one DuckDB expression for millions of them.
Tests hold the two together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import rfc8785

from detection.telemetry import writer

VERSION = 1
LARGEST = 2**53 - 1
KEY_BYTES = 32

TEXTS = ("request_id", "model", "surface", "country", "ja4", "user_agent", "error_code", "finish_reason")
NUMBERS = (
    "asn",
    "input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cache_read_tokens",
    "n",
    "top_logprobs",
    "logit_bias_count",
    "max_tokens",
    "status",
)
ARRAYS = ("issued_block_hashes", "presented_block_hashes")
CONTENT = ("prompt", "response", "tools")
COMMITTED = (
    "account_id",
    "org_id",
    "api_key_id",
    "conversation_id",
    "end_user_id",
    "ip",
    "payment_fingerprint",
    "prompt_sha256",
    "response_sha256",
    *CONTENT,
)
COLUMNS = ("ts", "temperature", *TEXTS, *NUMBERS, *ARRAYS, *COMMITTED)


def sha256_text(text: str) -> str:
    """The digest of a text's UTF-8 bytes, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def row_key(key: bytes, ts: str, request_id: str) -> str:
    """The secret all salts of one row come from; never leaves the installation."""
    if len(key) != KEY_BYTES:
        raise ValueError(f"a set's key has {KEY_BYTES} bytes, not {len(key)}")
    return sha256_text(f"{key.hex()}:{ts}:{request_id}")


def salt(row_secret: str, column: str) -> str:
    """What opens one column of one row."""
    return sha256_text(f"{row_secret}:{column}")


def tag(row_secret: str) -> str:
    """Sixteen digits that two rows of one set share when they have the same time and request id."""
    return salt(row_secret, "request_id")[:16]


def commitment(salt_text: str, value: str) -> str:
    """What stands in the row for the value."""
    return sha256_text(f"{salt_text}:{value}")


def account_name(key: bytes, account_id: str) -> str:
    """The keyed name of an account within one set."""
    return sha256_text(f"{key.hex()}:account:{account_id}")


def moment(microseconds: int) -> str:
    """Microseconds since 1970 as `YYYY-MM-DDTHH:MM:SS.ffffffZ`."""
    return writer.moment(microseconds).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def canonical_row(row: Mapping[str, Any], key: bytes) -> bytes:
    """The canonical bytes of one row as it stands in the dataset; `ts` in microseconds since 1970."""
    present = {name: row[name] for name in COLUMNS if row.get(name) is not None}
    body: dict[str, Any] = {"ts": moment(present["ts"]), "v": VERSION}
    secret = row_key(key, body["ts"], present["request_id"])
    for name, value in present.items():
        if name in COMMITTED:
            body[name] = commitment(salt(secret, name), value)
        elif name in NUMBERS:
            body[name] = value if value <= LARGEST else str(value)
        elif name == "temperature":
            body[name] = repr(float(value))
        elif name != "ts":
            body[name] = value
        if name in CONTENT:
            body[f"{name}_bytes"] = len(value.encode())
    return rfc8785.dumps(body)


def leaf_hash(canonical: bytes) -> bytes:
    """The RFC 6962 leaf hash."""
    return hashlib.sha256(b"\x00" + canonical).digest()


def opening(row: Mapping[str, Any], key: bytes, column: str) -> dict[str, str] | None:
    """Salt and value of a committed column of a row, None when the row has no such value."""
    value = row.get(column)
    if column not in COMMITTED or value is None:
        return None
    return {"salt": salt(row_key(key, moment(row["ts"]), row["request_id"]), column), "value": value}


# The same for DuckDB. `row_key` and `ts_text` are columns the query that uses it has to bring.

TS_TEXT = "strftime(make_timestamp(epoch_us(ts)), '%Y-%m-%dT%H:%M:%S.%fZ')"
ROW_KEY = "sha256($key || ':' || ts_text || ':' || request_id)"
TAG = "left(sha256(row_key || ':request_id'), 16)"


def canonical_sql() -> str:
    """A DuckDB expression that gives the canonical text of a row; members in the order of their names."""
    members = {name: _member_sql(name) for name in COLUMNS}
    members |= {f"{name}_bytes": f"strlen({name})::VARCHAR" for name in CONTENT}
    first, *others = sorted(members)
    texts = [f"""'{{"{first}":' || {members[first]}"""]
    texts += [f"""',"{name}":' || {members[name]}""" for name in others]
    # concat leaves out what is NULL, and `||` makes a member NULL with its value.
    return f"""concat({", ".join(texts)}, ',"v":{VERSION}}}')"""


def _member_sql(name: str) -> str:
    if name == "ts":
        return "'\"' || ts_text || '\"'"
    if name in COMMITTED:
        made = f"sha256(sha256(row_key || ':{name}') || ':' || {name})"
        return f"(CASE WHEN {name} IS NOT NULL THEN '\"' || {made} || '\"' END)"
    if name in NUMBERS:
        return f"(CASE WHEN {name} <= {LARGEST} THEN {name}::VARCHAR ELSE '\"' || {name}::VARCHAR || '\"' END)"
    if name == "temperature":
        return "'\"' || temperature::VARCHAR || '\"'"
    if name in ARRAYS:
        return f"('[' || array_to_string(list_transform({name}, x -> {_text_sql('x')}), ',') || ']')"
    return _text_sql(name)


def _text_sql(value: str) -> str:
    """A JSON string in the form of RFC 8785. DuckDB writes control characters with capitals: rare, so done apart."""
    controls = [code for code in range(32) if f"{code:02x}" != f"{code:02X}" and code not in (8, 9, 10, 12, 13)]
    plain = f"to_json({value})::VARCHAR"
    apart = f"replace(replace({value}, '\\', '\\\\'), '\"', '\\\"')"
    for code in range(32):
        short = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r"}.get(code, f"\\u{code:04x}")
        apart = f"replace({apart}, chr({code}), '{short}')"
    pattern = "".join(f"\\x{code:02x}" for code in [0, *controls])
    return f"(CASE WHEN regexp_matches({value}, '[{pattern}]') THEN '\"' || {apart} || '\"' ELSE {plain} END)"
