"""Amazon Bedrock model invocation logs (docs/formats/telemetry.md): one record a line, as delivered to S3."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from detection.telemetry.blocks import Block, Packed
from detection.telemetry.documents import Mapped, Skipped, last_turn, present, read_documents, texts_of
from detection.telemetry.ndjson import Rows

LONGEST_LINE = 16 * 1024 * 1024
_READ = {
    "schemaType",
    "schemaVersion",
    "timestamp",
    "accountId",
    "identity",
    "region",
    "requestId",
    "operation",
    "modelId",
    "errorCode",
    "input",
    "output",
    "inferenceRegion",
    "requestMetadata",
    "status",
}


def cut(path: Path) -> Packed:
    """Cut a file into blocks of lines, plain or packed; a record may be long."""
    return Packed(path, LONGEST_LINE)


def read(block: Block) -> Rows:
    """Read a block of lines, each an invocation."""
    return read_documents(block, _invocation)


def _invocation(document: dict[str, Any]) -> Iterator[Mapped | Skipped]:
    if document.get("schemaType", "ModelInvocationLog") != "ModelInvocationLog":
        yield Skipped("records that are no model invocation")
        return
    given, made = _part(document, "input"), _part(document, "output")
    asked, answered = given.get("inputBodyJson"), made.get("outputBodyJson")
    body = asked if isinstance(asked, dict) else {}
    settings = _part(body, "inferenceConfig") or _part(body, "textGenerationConfig") or body
    account, session = _caller(document)
    row = {
        "request_id": document.get("requestId"),
        "ts": document.get("timestamp"),
        "account_id": account,
        "org_id": document.get("accountId"),
        "end_user_id": session,
        "model": _model(document.get("modelId")),
        "surface": document.get("operation"),
        "input_tokens": given.get("inputTokenCount"),
        "output_tokens": made.get("outputTokenCount"),
        "cache_read_tokens": given.get("cacheReadInputTokenCount"),
        "max_tokens": _one_of(settings, "maxTokens", "max_tokens", "max_gen_len", "maxTokenCount"),
        "temperature": settings.get("temperature"),
        "error_code": document.get("errorCode"),
        "finish_reason": _reason(answered),
        "tools": _part(body, "toolConfig").get("tools", body.get("tools")),
        "prompt": _prompt(body),
        "response": _response(answered),
    }
    yield Mapped(present(row), "", tuple(_strange(document, given, made)))


def _strange(document: dict[str, Any], given: dict[str, Any], made: dict[str, Any]) -> Iterator[str]:
    """Name what is not read: members we do not know, and bodies that lie elsewhere."""
    yield from sorted(document.keys() - _READ)
    if "inputBodyS3Path" in given:
        yield "(input body in S3)"
    if "outputBodyS3Path" in made:
        yield "(output body in S3)"


def _caller(document: dict[str, Any]) -> tuple[Any, str | None]:
    """Give who called and the name of their session; the account's own id where no identity is told."""
    arn = _part(document, "identity").get("arn")
    if not isinstance(arn, str) or not arn:
        return document.get("accountId"), None
    if ":assumed-role/" in arn and arn.count("/") >= 2:
        role, _, session = arn.rpartition("/")
        return role, session or None
    return arn, None


def _model(given: Any) -> Any:
    """Give a model's id without the address of the profile it was reached by."""
    if isinstance(given, str) and given.startswith("arn:"):
        return given.rpartition("/")[2] or given
    return given


def _prompt(body: dict[str, Any]) -> str | None:
    if "messages" in body:
        return last_turn(body["messages"], texts_of(body.get("system")))
    text = _one_of(body, "prompt", "inputText", "message")
    return text if isinstance(text, str) else None


def _response(answered: Any) -> str | None:
    if isinstance(answered, list):  # the chunks of a stream
        return "".join(_chunk(one) for one in answered if isinstance(one, dict)) or None
    if not isinstance(answered, dict):
        return None
    message = _part(_part(answered, "output"), "message") or answered
    text = texts_of(message.get("content"))
    if text:
        return text
    results = answered.get("results") or answered.get("outputs") or answered.get("generations")
    if isinstance(results, list):
        texts = [_one_of(one, "outputText", "text") for one in results if isinstance(one, dict)]
        return "\n".join(text for text in texts if isinstance(text, str)) or None
    plain = _one_of(answered, "generation", "completion", "text")
    return plain if isinstance(plain, str) else None


def _chunk(chunk: dict[str, Any]) -> str:
    delta = _part(chunk, "delta") or _part(_part(chunk, "contentBlockDelta"), "delta")
    text = _one_of(delta, "text") if delta else _one_of(chunk, "outputText", "generation", "completion")
    return text if isinstance(text, str) else ""


def _reason(answered: Any) -> Any:
    chunks = answered if isinstance(answered, list) else [answered]
    for one in reversed([one for one in chunks if isinstance(one, dict)]):
        stop = _part(one, "messageStop")
        found = _one_of({**_part(one, "delta"), **stop, **one}, "stopReason", "stop_reason", "completionReason")
        if isinstance(found, str):
            return found
    return None


def _part(given: dict[str, Any], name: str) -> dict[str, Any]:
    value = given.get(name)
    return value if isinstance(value, dict) else {}


def _one_of(given: dict[str, Any], *names: str) -> Any:
    return next((given[name] for name in names if given.get(name) is not None), None)
