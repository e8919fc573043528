"""The examples of the OpenAPI file, in one place: those beside an operation, and those of the tables of each part."""

from collections.abc import Iterator
from typing import Any

from cases.api.examples import EXAMPLES as OF_JUDGING
from detection.api.examples import EXAMPLES as OF_DETECTION
from people.api.examples import EXAMPLES as OF_PEOPLE

PREFIX = "/api/v1/"
EXAMPLES = {**OF_PEOPLE, **OF_DETECTION, **OF_JUDGING}
Described = dict[str, Any]


def operations(schema: Described) -> Iterator[tuple[str, Described]]:
    """Each operation as `POST cases/<ref>/move/`, with its description."""
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path.removeprefix(PREFIX).replace('{', '<').replace('}', '>')}", operation


def complete(result: Described, **_: Any) -> Described:
    """Put the examples of the tables where none stand, and say of lists that a made-up cursor is not found."""
    for line, operation in operations(result):
        content = operation.get("requestBody", {}).get("content", {})
        if line in EXAMPLES and not any(one.get("examples") for one in content.values()):
            summary, value = EXAMPLES[line]
            for one in content.values():
                one["examples"] = {"example": {"summary": summary, "value": value}}
        if any(one["name"] == "cursor" for one in operation.get("parameters", [])):
            operation["responses"].setdefault("404", _not_found(result))
    return result


def _not_found(schema: Described) -> Described:
    from spine.answers import MEANINGS  # needs Django set up, which who reads the tables does not
    from spine.problems import PROBLEM

    assert "Problem" in schema["components"]["schemas"]
    return {"description": MEANINGS[404], "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}}


def example_of(operation: Described) -> tuple[str, Any] | None:
    """The content type and the body of an operation's first example; None where its address says all."""
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        for one in content.get("examples", {}).values():
            return kind, one["value"]
    return None
