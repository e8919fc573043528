"""Pages by key: a cursor holds the last row's values, so that a page costs the same anywhere in a list."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model, Q, QuerySet
from django.utils.dateparse import parse_datetime

from spine.errors import Refused

Row = TypeVar("Row", bound=Model)
SIZE = 50
NO_PAGE = "This address leads to no page of the list."


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Some rows of a list; `next` and `previous` lead to the neighbours, empty at an end."""

    rows: list[Row]
    next: str = ""
    previous: str = ""


def page(rows: QuerySet[Row], order: Sequence[str], *, cursor: str = "", size: int = SIZE) -> Page[Row]:
    """The page a cursor leads to, the first one without.

    `order` are field paths, `-` before those that descend; the last must be unique and none may be NULL. Raises Refused
    for a cursor that is not one of this list.
    """
    backwards, values = _read(cursor, order) if cursor else (False, None)
    keys = [_turned(key) for key in order] if backwards else list(order)
    try:
        wanted = rows.filter(_after(keys, values)) if values is not None else rows
        found = list(wanted.order_by(*keys)[: size + 1])
    except (ValidationError, ValueError, TypeError, OverflowError):
        if values is None:
            raise
        raise Refused(NO_PAGE, field="cursor") from None  # values of another list, or made up: not of these fields
    more, chosen = len(found) > size, found[:size]
    if backwards:
        chosen.reverse()
    if not chosen:
        return Page([])
    has_next = True if backwards else more
    has_previous = more if backwards else values is not None
    return Page(
        chosen,
        next=_write("a", chosen[-1], order) if has_next else "",
        previous=_write("b", chosen[0], order) if has_previous else "",
    )


def _after(keys: Sequence[str], values: Sequence[Any]) -> Q:
    """Rows after these values: greater in the first key, or equal in it and greater in the second, and so on.

    That the first key is not smaller follows from it, and is said first: with it an index leads to the place at once.
    """
    bound = f"{keys[0].lstrip('-')}__{'lte' if keys[0].startswith('-') else 'gte'}"
    wanted, equal = Q(), Q()
    for key, value in zip(keys, values, strict=True):
        name, comparison = key.lstrip("-"), "lt" if key.startswith("-") else "gt"
        wanted |= equal & Q(**{f"{name}__{comparison}": value})
        equal &= Q(**{name: value})
    return Q(**{bound: values[0]}) & wanted


def _turned(key: str) -> str:
    return key[1:] if key.startswith("-") else f"-{key}"


def _write(direction: str, row: Model, order: Sequence[str]) -> str:
    values = [_value(row, key.lstrip("-")) for key in order]
    text = json.dumps([direction, *values], cls=_Exact, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


class _Exact(DjangoJSONEncoder):
    """Times with all their microseconds; Django's own encoder cuts them to milliseconds."""

    def default(self, o: Any) -> Any:
        return {"t": o.isoformat()} if isinstance(o, datetime) else super().default(o)


def _value(row: Any, path: str) -> Any:
    for name in path.split("__"):
        row = getattr(row, name)
    return row


def _read(cursor: str, order: Sequence[str]) -> tuple[bool, list[Any]]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        direction, *values = json.loads(text)
        found = [parse_datetime(value["t"]) if isinstance(value, dict) else value for value in values]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Refused(NO_PAGE, field="cursor") from None
    if direction not in ("a", "b") or len(found) != len(order) or any(_odd(value) for value in found):
        raise Refused(NO_PAGE, field="cursor")
    return direction == "b", found


def _odd(value: object) -> bool:
    return not isinstance(value, str | int | float | datetime) or (isinstance(value, str) and "\x00" in value)
