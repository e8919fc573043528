"""OpenTelemetry spans of model calls (docs/formats/telemetry.md): OTLP/JSON, or one span a line.

Names are those of the generative AI semantic conventions 1.37 and later, and the older ones they replaced.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from detection.telemetry.blocks import Block, Packed
from detection.telemetry.documents import Mapped, Skipped, last_turn, present, read_documents, texts_of
from detection.telemetry.ndjson import Rows

LONGEST_LINE = 64 * 1024 * 1024  # an exporter writes a batch of spans as one line
CALLS = frozenset({"chat", "text_completion", "generate_content", "embeddings", "completion"})
LATEST = 7_258_118_400 * 10**9  # nanoseconds until the year 2200
DETAILS = "gen_ai.client.inference.operation.details"  # the event that may carry the texts

# Normalised column ← attributes of the span, else of its resource; the first that is there counts.
MAP: Mapping[str, tuple[str, ...]] = {
    "account_id": ("account.id", "user.account.id", "enduser.id", "user.id"),
    "org_id": ("organization.id", "tenant.id"),
    "api_key_id": ("api_key.id",),
    "end_user_id": ("enduser.pseudo.id", "gen_ai.request.user"),
    "conversation_id": ("gen_ai.conversation.id", "session.id"),
    "model": ("gen_ai.response.model", "gen_ai.request.model"),
    "input_tokens": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
    "output_tokens": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    "reasoning_tokens": ("gen_ai.usage.reasoning.output_tokens",),
    "cache_read_tokens": ("gen_ai.usage.cache_read.input_tokens",),
    "n": ("gen_ai.request.choice.count",),
    "temperature": ("gen_ai.request.temperature",),
    "top_logprobs": ("gen_ai.request.top_logprobs",),
    "max_tokens": ("gen_ai.request.max_tokens",),
    "status": ("http.response.status_code",),
    "error_code": ("error.type",),
    "tools": ("gen_ai.tool.definitions",),
    "ip": ("client.address",),
    "asn": ("client.as.number",),
    "country": ("client.geo.country.iso_code", "geo.country.iso_code"),
    "ja4": ("tls.client.ja4",),
    "user_agent": ("user_agent.original",),
    "payment_fingerprint": ("account.payment_fingerprint",),
    "surface": ("gen_ai.operation.name",),
}
WHOLE = frozenset(name for name in MAP if name.endswith("_tokens")) | {"n", "top_logprobs", "status", "asn"}
_READ = {attribute for names in MAP.values() for attribute in names} | {
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.prompt",
    "gen_ai.completion",
    "gen_ai.response.id",
    "gen_ai.response.finish_reasons",
}


class SpanLines(Packed):
    """A file of spans in blocks of lines; one document over many lines is one block, when it can be held."""

    def __iter__(self) -> Iterator[Block]:
        blocks = super().__iter__()
        first = next(blocks, None)
        if first is None:
            return
        if _is_whole(first.data):
            yield first
            yield from blocks
            return
        held, size = [first.data], 0
        for block in blocks:
            size += len(block.data)
            if size > LONGEST_LINE or block.too_long:
                yield Block(1, b"", too_long=True)
                return
            held.append(block.data)
        yield Block(1, b"".join(held).replace(b"\n", b" ").replace(b"\r", b" "), longest=2 * LONGEST_LINE)


def _is_whole(data: bytes) -> bool:
    """Whether the first line that is not blank is a document of its own."""
    line, _, rest = data.lstrip().partition(b"\n")
    return line.rstrip().endswith(b"}") or not (line.startswith(b"{") and rest)


def cut(path: Path) -> SpanLines:
    """Cut a file into blocks of lines, plain or packed."""
    return SpanLines(path, LONGEST_LINE)


def read(block: Block) -> Rows:
    """Read a block of lines, each an export request, one span, or a span of a console exporter."""
    return read_documents(block, _spans)


def _spans(document: dict[str, Any]) -> Iterator[Mapped | Skipped]:
    if "resourceSpans" not in document:
        yield _mapped(document, _attributes(_at(document, "resource").get("attributes")), "")
        return
    number = 0
    for resource in _items(document["resourceSpans"]):
        shared = _attributes(_at(resource, "resource").get("attributes"))
        for scope in _items(resource.get("scopeSpans", resource.get("instrumentationLibrarySpans"))):
            for span in _items(scope.get("spans")):
                number += 1
                yield _mapped(span, shared, f"span {number}")


def _mapped(span: dict[str, Any], shared: dict[str, Any], where: str) -> Mapped | Skipped:
    own = _attributes(span.get("attributes"))
    for event in _items(span.get("events")):
        if event.get("name") == DETAILS:
            own = {**_attributes(event.get("attributes")), **own}
    operation = own.get("gen_ai.operation.name")
    if operation not in CALLS and not (operation is None and "gen_ai.request.model" in own):
        return Skipped("spans that are no model call")
    everything = {**shared, **own}
    row = {column: _first(everything, names) for column, names in MAP.items()}
    for column in WHOLE:
        row[column] = _number(row[column])
    reasons = own.get("gen_ai.response.finish_reasons")
    row |= {
        "request_id": own.get("gen_ai.response.id") or _identity(span),
        "ts": _moment(span),
        "finish_reason": reasons[0] if isinstance(reasons, list) and reasons else reasons or None,
        "prompt": _prompt(own),
        "response": _response(own),
    }
    strange = tuple(sorted(name for name in own if name.startswith("gen_ai.") and name not in _READ))
    return Mapped(present(row), where, strange)


def _first(attributes: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((attributes[name] for name in names if attributes.get(name) is not None), None)


def _attributes(given: Any) -> dict[str, Any]:
    """Give attributes by name, from OTLP's list of keys and typed values or from an object."""
    if isinstance(given, dict):
        return given
    return {str(one.get("key")): _value(one.get("value")) for one in _items(given)}


def _value(given: Any) -> Any:
    """Unwrap an OTLP AnyValue; whole numbers come as text there."""
    if not isinstance(given, dict):
        return given
    if "intValue" in given:
        return _number(given["intValue"])
    if "arrayValue" in given:
        return [_value(one) for one in _items_of_any(_at(given, "arrayValue").get("values"))]
    if "kvlistValue" in given:
        return _attributes(_at(given, "kvlistValue").get("values"))
    return next(
        (given[name] for name in ("stringValue", "doubleValue", "boolValue", "bytesValue") if name in given), None
    )


def _number(value: Any) -> Any:
    """Read a whole number that came as text; anything else stays for the column to judge."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def _identity(span: dict[str, Any]) -> str | None:
    context = _at(span, "context")
    trace, own = (span.get(f"{part}Id") or context.get(f"{part}_id") for part in ("trace", "span"))
    return f"{trace}-{own}" if isinstance(trace, str) and isinstance(own, str) else None


def _moment(span: dict[str, Any]) -> str | None:
    """Give the start of a span: nanoseconds since 1970, or a time as console exporters write it."""
    given = _number(span.get("startTimeUnixNano", span.get("start_time")))
    if not isinstance(given, int) or isinstance(given, bool):
        return given if isinstance(given, str) else None
    if not 0 <= given < LATEST:
        return "out of range"
    whole, rest = divmod(given // 1000, 1_000_000)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{rest:06d}Z"


def _prompt(attributes: Mapping[str, Any]) -> str | None:
    system = _messages(attributes.get("gen_ai.system_instructions"))
    messages = _messages(attributes.get("gen_ai.input.messages"))
    if messages is None:
        older = attributes.get("gen_ai.prompt")
        return older if isinstance(older, str) else texts_of(system) or None
    return last_turn(messages, texts_of(system), "parts")


def _response(attributes: Mapping[str, Any]) -> str | None:
    messages = _messages(attributes.get("gen_ai.output.messages"))
    if isinstance(messages, list):
        return "\n".join(texts_of(one.get("parts")) for one in messages if isinstance(one, dict)) or None
    older = attributes.get("gen_ai.completion")
    return older if isinstance(older, str) else None


def _messages(given: Any) -> Any:
    """Give messages as they are, or from their JSON text: both are allowed on spans."""
    if not isinstance(given, str):
        return given
    try:
        return orjson.loads(given)
    except ValueError:
        return given


def _items(given: Any) -> Iterator[dict[str, Any]]:
    return (one for one in given if isinstance(one, dict)) if isinstance(given, list) else iter(())


def _items_of_any(given: Any) -> list[Any]:
    return given if isinstance(given, list) else []


def _at(given: dict[str, Any], name: str) -> dict[str, Any]:
    value = given.get(name)
    return value if isinstance(value, dict) else {}
