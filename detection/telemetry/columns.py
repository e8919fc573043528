"""The normalised telemetry columns, their types, and the check that a decoded row fits them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

TIME = pa.timestamp("us", tz="UTC")
TEXT, WHOLE, REAL, TEXTS = pa.string(), pa.int64(), pa.float64(), pa.list_(pa.string())

EXCHANGES: Mapping[str, pa.DataType] = {
    "request_id": TEXT,
    "ts": TIME,
    "account_id": TEXT,
    "model": TEXT,
    "org_id": TEXT,
    "api_key_id": TEXT,
    "conversation_id": TEXT,
    "end_user_id": TEXT,
    "surface": TEXT,
    "ip": TEXT,
    "asn": WHOLE,
    "country": TEXT,
    "ja4": TEXT,
    "user_agent": TEXT,
    "payment_fingerprint": TEXT,
    "input_tokens": WHOLE,
    "output_tokens": WHOLE,
    "reasoning_tokens": WHOLE,
    "cache_read_tokens": WHOLE,
    "n": WHOLE,
    "temperature": REAL,
    "top_logprobs": WHOLE,
    "logit_bias_count": WHOLE,
    "max_tokens": WHOLE,
    "status": WHOLE,
    "error_code": TEXT,
    "finish_reason": TEXT,
    "tools": TEXT,
    "prompt": TEXT,
    "response": TEXT,
    "prompt_sha256": TEXT,
    "response_sha256": TEXT,
    "issued_block_hashes": TEXTS,
    "presented_block_hashes": TEXTS,
}
ACCOUNTS: Mapping[str, pa.DataType] = {
    "account_id": TEXT,
    "org_id": TEXT,
    "created_at": TIME,
    "email_domain": TEXT,
    "country": TEXT,
    "payment_fingerprint": TEXT,
    "kyc_level": TEXT,
    "plan": TEXT,
    "programme": TEXT,
    "phone_carrier": TEXT,
    "banned_at": TIME,
    "terms_version": TEXT,
    "terms_accepted_at": TIME,
}
NETWORKS: Mapping[str, pa.DataType] = {"asn": WHOLE, "kind": TEXT, "country": TEXT}
MODELS: Mapping[str, pa.DataType] = {"model": TEXT, "released_at": TIME}

REQUIRED = ("request_id", "ts", "account_id", "model")
JSON_TEXT = frozenset({"tools"})
SIDE_TABLES: Mapping[str, tuple[str, Mapping[str, pa.DataType], tuple[str, ...]]] = {
    "accounts": ("account_id", ACCOUNTS, ("account_id",)),
    "networks": ("asn", NETWORKS, ("asn", "kind")),
    "models": ("model", MODELS, ("model", "released_at")),
}

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST = 2**63 - 1


class UnfitError(ValueError):
    """A value that does not fit its column; the message names the column and what was expected, not the value."""


def schema(columns: Mapping[str, pa.DataType]) -> pa.Schema:
    return pa.schema(list(columns.items()))


def microseconds(text: object, column: str) -> int:
    """Read an RFC 3339 time with a zone as microseconds since 1970; anything else raises `UnfitError`."""
    if not isinstance(text, str) or not _RFC3339.fullmatch(text):
        raise UnfitError(f"{column} is not an RFC 3339 time with a zone")
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        raise UnfitError(f"{column} is not a time that exists") from None
    if not 2000 <= moment.year <= 2199:
        raise UnfitError(f"{column} lies outside the years 2000 to 2199")
    passed = moment - _EPOCH
    return (passed.days * 86400 + passed.seconds) * 1_000_000 + passed.microseconds


def fitted(row: Mapping[str, Any], columns: Mapping[str, pa.DataType], required: Sequence[str]) -> dict[str, Any]:
    """Give the row with known columns only, each as its type wants it; raises `UnfitError` on the first misfit."""
    out: dict[str, Any] = {}
    for name, value in row.items():
        kind = columns.get(name)
        if kind is None or value is None:
            continue
        out[name] = fitted_value(name, kind, value)
    for name in required:
        if name not in out or out[name] == "":
            raise UnfitError(f"{name} is missing")
    return out


def fitted_value(name: str, kind: pa.DataType, value: Any) -> Any:
    """Give a value as its column wants it: times as microseconds since 1970. Raises `UnfitError`."""
    if kind == TIME:
        return microseconds(value, name)
    if kind == TEXT:
        return _text(value, name)
    if kind == WHOLE:
        return _whole(value, name)
    if kind == REAL:
        return _real(value, name)
    return _texts(value, name)


def _text(value: Any, name: str) -> str:
    if type(value) is str:
        return value
    if name in JSON_TEXT and isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    raise UnfitError(f"{name} is not text")


def _whole(value: Any, name: str) -> int:
    if type(value) is not int:
        raise UnfitError(f"{name} is not a whole number")
    if not 0 <= value <= _LARGEST:
        raise UnfitError(f"{name} is out of range")
    return value


def _real(value: Any, name: str) -> float:
    try:
        number = float(value) if type(value) in (int, float) else math.nan
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise UnfitError(f"{name} is not a finite number")
    return number


def _texts(value: Any, name: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise UnfitError(f"{name} is not a list of text")
    return value
