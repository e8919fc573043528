"""docs/api.md: a `curl` for every operation of the API, made from the OpenAPI file and its examples.

python -m config.api_page > docs/api.md
"""

import json
import os
import re
import shlex
import sys
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import django

from config.examples import PREFIX, Described, example_of, operations

JSON, FORM, LINES, BYTES = (
    "application/json",
    "multipart/form-data",
    "application/x-ndjson",
    "application/offset+octet-stream",
)
AS = 'curl -sS --fail-with-body -H "Authorization: Bearer $RETORT_TOKEN"'
# What an operation cannot do without, besides its address and body.
HEADERS = {"Upload-Offset": "0"}
HEAD = """# The API by `curl`

One command for each of the {count} operations under `/api/v1/`, with an example body and the status of success. This
page is made from the OpenAPI file (`python -m config.api_page > docs/api.md`); tests make it again and compare, and
run its commands against a server. Every field, refusal and role is described at `/api/v1/docs/`.

    export RETORT_URL=http://127.0.0.1:8000 RETORT_TOKEN=…

A token is made under *You* → *API tokens*, by `manage.py create_token`, or by the API itself; findings are sent with a
detector's key in its place. What an address names stands as a variable: `REF` is a case's reference
(`RT-2026-K7Q4M`), `LEAD_ID` a lead's id, and so on. Ids, names and counts in the bodies are made up: put yours. Lists
come in pages: follow `next`. Errors are problem documents (RFC 9457) with the place of each bad field.
"""


def schema() -> Described:
    """The OpenAPI file as a document."""
    from drf_spectacular.generators import SchemaGenerator

    made = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    described: Described = json.loads(json.dumps(made))
    return described


def page(described: Described) -> str:
    """The page."""
    every = sorted(operations(described), key=lambda one: (one[1]["tags"][0], _address(one[0]), one[0]))
    parts = [HEAD.format(count=len(every))]
    for tag, found in groupby(every, key=lambda one: one[1]["tags"][0]):
        parts.append(f"## {tag.capitalize()}\n")
        parts += [section(line, operation) for line, operation in found]
    return "\n".join(parts)


def section(line: str, operation: Described) -> str:
    """One operation: what it does, its status of success, and the command."""
    return f"**{operation['summary']}** → {success(operation)}\n\n```sh\n{command(line, operation)}\n```\n"


def success(operation: Described) -> str:
    """The status that tells of success."""
    return min(str(status) for status in operation["responses"] if status.startswith("2"))


def command(line: str, operation: Described, body: Any = None) -> str:
    """The command for an operation, with its example or another body."""
    method, path = line.split()
    kind, example = example_of(operation) or ("", None)
    named = re.sub("<(.+?)>", lambda name: f"${name[1].upper()}", path)
    address = f'"$RETORT_URL{PREFIX}{named}{_query(operation)}"'
    words = [AS, *_headers(operation), *_method(method, kind), address]
    rest = list(_body(kind, example if body is None else body))
    return " \\\n  ".join([" ".join(words), *rest]) + (" -OJ" if _is_file(operation) else "")


def _address(line: str) -> str:
    return line.partition(" ")[2]


def _query(operation: Described) -> str:
    needed = [one["name"] for one in operation.get("parameters", []) if one["in"] == "query" and one.get("required")]
    return "?" + "&".join(f"{name}=${name.upper()}" for name in needed) if needed else ""


def _headers(operation: Described) -> Iterator[str]:
    for one in operation.get("parameters", []):
        if one["in"] == "header" and one.get("required"):
            yield f'-H "{one["name"]}: {HEADERS[one["name"]]}"'


def _method(method: str, kind: str) -> list[str]:
    """What curl does by itself need not be said: GET, and POST where there is a body."""
    return [] if method == "GET" or (method == "POST" and kind) else ["-X", method]


def _body(kind: str, body: Any) -> Iterator[str]:
    if kind == JSON:
        yield f"--json {_quoted(body)}"
    elif kind == FORM:
        fields = [f"{name}={'@' if name == 'file' else ''}{value}" for name, value in body.items()]
        yield from (f"-F {shlex.quote(field)}" for field in fields)
    elif kind == LINES:
        yield f'-H "Content-Type: {LINES}" --data-binary {shlex.quote(json.dumps(body, ensure_ascii=False))}'
    elif kind:
        yield f'-H "Content-Type: {kind}" --data-binary {shlex.quote(f"@{body}")}'


def _quoted(body: Any) -> str:
    text = json.dumps(body, ensure_ascii=False)
    return shlex.quote(text if len(text) < 100 else json.dumps(body, ensure_ascii=False, indent=2))


def _is_file(operation: Described) -> bool:
    """Whether the answer is to be saved under the name it brings."""
    kinds = operation["responses"][success(operation)].get("content", {})
    return bool(kinds) and not any("json" in kind for kind in kinds)


def main() -> None:
    """Print the page."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    sys.stdout.write(page(schema()))


if __name__ == "__main__":
    main()
