"""Tells a file's format from its first bytes; a name says nothing."""

from __future__ import annotations

from pathlib import Path

import orjson

from detection.telemetry.blocks import Packed
from detection.telemetry.columns import REQUIRED

LOOKED_AT = 64 * 1024
_BOM = b"\xef\xbb\xbf"


def format_of(path: Path) -> str:
    """Name the adapter that reads this file; `ndjson` where nothing tells of another. Raises `OSError`."""
    head = b""
    with path.open("rb") as raw:
        if raw.read(4) == b"PAR1":
            return "parquet"
    for chunk in Packed(path).chunks():
        head += chunk
        if len(head) >= LOOKED_AT:
            break
    head = head[:LOOKED_AT].removeprefix(_BOM).lstrip()
    line, _, _ = head.partition(b"\n")
    if head.startswith((b"{", b"[")):
        return _of_document(line, head)
    names = {cell.strip(b' "\r') for delimiter in b",;\t|" for cell in line.split(bytes([delimiter]))}
    return "csv" if {name.encode() for name in REQUIRED} <= names else "ndjson"


def _of_document(line: bytes, head: bytes) -> str:
    try:
        document = orjson.loads(line)
    except ValueError:  # a line longer than what was looked at, or a document over many lines
        return "otel" if b'"resourceSpans"' in head else "bedrock" if b'"ModelInvocationLog"' in head else "ndjson"
    if not isinstance(document, dict):
        return "ndjson"
    if "resourceSpans" in document or ("attributes" in document and ("spanId" in document or "context" in document)):
        return "otel"
    if document.get("schemaType") == "ModelInvocationLog" or {"modelId", "requestId", "input"} <= document.keys():
        return "bedrock"
    return "ndjson"
