"""Rows of a source as findings: as they are, or put together field by field.

A mapping names native fields by JSON Pointers, each with where its value comes from or what it always is:

    {"/signal": {"value": "x-heuristic"}, "/score": {"from": "/risk", "divide": 100},
     "/window/start": {"from": "/seen_at"}, "/accounts/0/id": {"from": "/user"},
     "/accounts/*/id": {"from": "/users/*/id"}}

`*` makes one element for each element of the source's array; what names no such array, as a constant, is put into every
element that others make. Numbers and times written as text become what the field
is; anything else stays as it came, for the finding's own check to judge. `uid`, when it is not mapped, is the digest
of the row. The row itself stays in the finding, as `source_row`.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Literal

import rfc8785
from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from detection.feeds.base import Pointer, Settings, at, fitting, moment, stamp_of
from detection.streams import Line, Unreadable
from spine import strict_json

Form = Literal["native", "ocsf", "either"]  # what `detection.ingest.store` takes documents for
MOST_ELEMENTS = 10_000
WHOLE = re.compile(r"/(?:version|accounts/[0-9*]+/(?:exchanges|input_tokens|output_tokens|attributes/[0-9*]+/count))")
DECIMAL = re.compile(r"/(?:score|support/false_positive_rate)")
DIGITS = re.compile(r"\d{1,15}(\.\d{1,17})?([eE][-+]?\d{1,2})?", flags=re.ASCII)
MOMENT = re.compile(r"(?:/.+)?/(?:start|end|observed_at|first_seen|last_seen)")
TARGET = re.compile(
    r"/(?:uid|version|detector/(?:version|config_sha256)|signal|title|summary|score|confidence|window/(?:start|end)"
    r"|observed_at|support/[a-z_]+|techniques/\d+|innocent_explanations/\d+|tlp|x_[a-z0-9_]+"
    r"|accounts/(?:\d+|\*)/(?:id|exchanges|input_tokens|output_tokens|first_seen|last_seen"
    r"|attributes/(?:\d+|\*)/(?:type|value|count|first_seen|last_seen)))"
)


class FieldRule(Settings):
    """Where a field's value comes from: a place in the row, a constant, or the place with a constant for want of it."""

    source: Pointer | None = Field(default=None, alias="from")
    value: str | int | float | bool | None = None
    divide: float | None = Field(default=None, gt=0)


class RowMapping(Settings):
    """How rows are read: `native`, `ocsf` or `either` as they are, or `mapped` by `fields`."""

    kind: Literal["native", "ocsf", "either", "mapped"] = Field(default="native", alias="as")
    fields: dict[str, FieldRule] = Field(default_factory=dict, max_length=100)

    @field_validator("fields")
    @classmethod
    def _targets_are_fields(cls, fields: dict[str, FieldRule]) -> dict[str, FieldRule]:
        for target, rule in fields.items():
            if not TARGET.fullmatch(target):
                raise PydanticCustomError("target", f"{target} is no field of a finding")
            if rule.source is None and rule.value is None:
                raise PydanticCustomError("rule", f"{target} needs a place (from) or a constant (value)")
            if target.count("*") < (rule.source or "").split("/").count("*"):
                raise PydanticCustomError("star", f"{target} has fewer * than the place its value comes from")
        return fields


def form_of(mapping: RowMapping) -> Form:
    """What `ingest.store` takes the documents for."""
    return "native" if mapping.kind == "mapped" else mapping.kind


def mapped(row: Line, mapping: RowMapping, *, detector: str) -> Line:
    """The finding's bytes: the row's own where rows are findings, else canonical JSON of what the fields make of it."""
    if mapping.kind != "mapped" or isinstance(row, Unreadable):
        return row
    try:
        value = strict_json.loads(row)
    except strict_json.NotAccepted as refused:
        return Unreadable(f"{refused.reason} {refused.pointer}".strip())
    if not isinstance(value, dict):
        return Unreadable("a row is a JSON object")
    document = _put_together(value, mapping.fields)
    document.setdefault("uid", hashlib.sha256(rfc8785.dumps(value)).hexdigest())
    document["detector"] = {**document.get("detector", {}), "name": detector}
    document["source_row"] = value
    return fitting(rfc8785.dumps(document))


def _put_together(row: Mapping[str, Any], fields: Mapping[str, FieldRule]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for target, rule in sorted(fields.items(), key=_spared):  # which elements there are is known before they are filled
        for place, value in _values(row, target, rule):
            converted = _converted(target, value, rule)
            if converted is not None:
                for each in _everywhere(document, place):
                    _put(document, each, converted)
    for account in _objects(document.get("accounts")):
        if isinstance(account.get("attributes"), list):
            account["attributes"] = [one for one in _objects(account["attributes"]) if one.get("value") is not None]
    if isinstance(document.get("accounts"), list):
        document["accounts"] = [one for one in _objects(document["accounts"]) if one.get("id") is not None]
    return document


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _values(row: Mapping[str, Any], target: str, rule: FieldRule) -> list[tuple[str, Any]]:
    """Each place in the finding with its value; a * in both runs over the elements of the source's array."""
    pairs = [(target, rule.source)]
    while any("*" in (source or "").split("/") for _, source in pairs):
        pairs = [pair for one in pairs for pair in _spread(row, *one)][:MOST_ELEMENTS]
    found = []
    for place, source in pairs:
        value = None if source is None else at(row, source)
        found.append((place, rule.value if value is None or value == "" else value))
    return found


def _spared(field: tuple[str, FieldRule]) -> int:
    """How many * of a field its source has no array for."""
    target, rule = field
    return target.count("*") - (rule.source or "").split("/").count("*")


def _everywhere(document: Mapping[str, Any], place: str) -> list[str]:
    """The places that the * left in a place stand for: each element that was made, or the first where none was."""
    before, star, after = place.partition("/*")
    if not star:
        return [place]
    made = at(document, before)
    count = len(made) if isinstance(made, list) and made else 1
    return [each for number in range(count) for each in _everywhere(document, f"{before}/{number}{after}")]


def _spread(row: Mapping[str, Any], target: str, source: str | None) -> list[tuple[str, str | None]]:
    before, star, after = (source or "").partition("/*")
    if not star:
        return [(target, source)]
    elements = at(row, before)
    count = len(elements) if isinstance(elements, list) else 0
    return [(target.replace("*", str(n), 1), f"{before}/{n}{after}") for n in range(min(count, MOST_ELEMENTS))]


def _converted(target: str, value: Any, rule: FieldRule) -> Any:
    """Text as the number or time that the field is; a value that cannot become one stays, and is refused later."""
    if WHOLE.fullmatch(target) and isinstance(value, str) and re.fullmatch(r"\d{1,15}", value.strip(), flags=re.ASCII):
        return int(value)
    if DECIMAL.fullmatch(target):
        return _decimal(value, rule.divide)
    if MOMENT.fullmatch(target):
        found = moment(value)
        return value if found is None else stamp_of(found)
    if isinstance(value, int | float) and not isinstance(value, bool) and _is_text(target):
        return str(value)
    return value


def _decimal(value: Any, divide: float | None) -> Any:
    if isinstance(value, str) and DIGITS.fullmatch(value.strip()):
        value = float(value)
    if divide and isinstance(value, int | float) and not isinstance(value, bool):
        return value / divide
    return value


def _is_text(target: str) -> bool:
    return target.rpartition("/")[2] in {"uid", "id", "value", "title", "summary", "signal"} or target.endswith(
        "detector/version"
    )


def _put(document: dict[str, Any], place: str, value: Any) -> None:
    """Set the value at a place, making the objects and arrays on the way."""
    tokens = place.split("/")[1:]
    holder: Any = document
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        fresh: Any = value if following is None else ([] if following.isdigit() else {})
        if isinstance(holder, list):
            while len(holder) <= min(int(token), MOST_ELEMENTS):
                holder.append({} if following is not None and not following.isdigit() else None)
            if following is None or holder[int(token)] is None:
                holder[int(token)] = fresh
            holder = holder[int(token)]
        else:
            holder = holder.setdefault(token, fresh) if following is not None else holder.update({token: value})
