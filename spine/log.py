"""The one way an act enters the log: its entry, the protected rows it covers, and nothing half."""

import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import count, groupby, repeat
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from spine import canonical, copying, merkle, outbox
from spine.canonical import SALT_BYTES
from spine.ids import new_id
from spine.models import AppendOnly, LogEntry, Pending

BATCH = 2000
OUTSIDE_FIELDS = {"id", "entry_id", "place", "salt"}


def record(
    *,
    actor: str,
    action: str,
    about: models.Model | None = None,
    scope: UUID | None = None,
    data: Mapping[str, Any] | None = None,
    rows: Sequence[AppendOnly] = (),
) -> LogEntry:
    """Write one entry and the protected rows it covers, inside the caller's transaction.

    `rows` are unsaved instances; they get their entry and place here, and are inserted in this order. An act that
    `LOG_FOLLOWED` names leaves a message in the outbox.
    Raises LookupError for an action code without a sentence, RuntimeError outside a transaction.
    """
    entry = _entry(actor, action, about, scope, data)
    _seal(entry, [_placed(row, entry, place) for place, row in enumerate(rows)])
    if action in followed():
        outbox.put("act.recorded", {"entry": str(entry.id)})
    for model, group in groupby(rows, key=type):
        _insert(model, list(group))
    return entry


class Made(NamedTuple):
    """Rows of one protected table that wait for their entry: the values of `columns(model)`, and what covers them."""

    ids: list[UUID]
    salts: list[Any]
    leaves: list[bytes]
    values: Sequence[Sequence[object]]


def make(model: type[AppendOnly], values: Sequence[Sequence[object]]) -> Made:
    """Rows with their ids, salts and leaves, without their instances; touches no database, so any thread may do it.

    The types are those the model would hold; they are not converted.
    """
    ids = [new_id() for _ in values]
    salts = _salts(len(values)) if model.PERSONAL else [None] * len(values)
    form, leaf = _form(model), merkle.leaf_hash
    return Made(ids, salts, [leaf(form(*row)) for row in zip(ids, salts, values, strict=True)], values)


def record_made(
    *,
    actor: str,
    action: str,
    about: models.Model | None = None,
    data: Mapping[str, Any] | None = None,
    model: type[AppendOnly],
    made: Made,
) -> LogEntry:
    """`record` for many rows of one table, quickly: those that `make` gave."""
    entry = _entry(actor, action, about, None, data)
    _seal(entry, made.leaves)
    heads = zip(made.ids, repeat(entry.id), count(), made.salts)
    names = ("id", "entry_id", "place", "salt", *(column for _, column in columns(model)))
    sent = copying.sent
    copying.copy(model, names, (sent((*head, *row)) for head, row in zip(heads, made.values, strict=True)))
    return entry


def _entry(
    actor: str, action: str, about: models.Model | None, scope: UUID | None, data: Mapping[str, Any] | None
) -> LogEntry:
    sentence_of(action)
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("an act is recorded in the transaction that does it")
    return LogEntry(
        id=new_id(),
        at=timezone.now(),
        actor=actor,
        action=action,
        about=f"{about._meta.label_lower}:{about.pk}" if about is not None else "",
        scope=scope,
        data=dict(data or {}),
        salt=os.urandom(SALT_BYTES),
    )


def _seal(entry: LogEntry, digests: Sequence[bytes]) -> None:
    """Write the entry, which is complete once the digests of its rows are known."""
    entry.row_count = len(digests)
    entry.row_digests = b"".join(digests)
    entry.rows_root = merkle.root(digests)
    entry.save(force_insert=True)
    Pending.objects.create(entry=entry)


def _insert(model: type[AppendOnly], rows: Sequence[AppendOnly]) -> None:
    if not model.COPIED or len(rows) < BATCH:
        model._default_manager.bulk_create(rows, batch_size=BATCH)
        return
    held = {field.column: field.attname for field in model._meta.concrete_fields if field.column}
    values = (copying.sent([getattr(row, name) for name in held.values()]) for row in rows)
    copying.copy(model, list(held), values)


def _salts(number: int) -> list[bytes]:
    every = os.urandom(SALT_BYTES * number)
    return [every[start : start + SALT_BYTES] for start in range(0, len(every), SALT_BYTES)]


def _placed(row: AppendOnly, entry: LogEntry, place: int) -> bytes:
    row.entry = entry
    row.place = place
    if row.PERSONAL and row.salt is None:
        row.salt = os.urandom(SALT_BYTES)
    return merkle.leaf_hash(row_bytes(row))


def row_bytes(row: AppendOnly) -> bytes:
    """The canonical bytes of a protected row, as docs/formats/log.md section 1 has them."""
    values = [getattr(row, name) for name, _ in columns(type(row))]
    return bytes_of_values(type(row), row.pk, row.salt, values)


def bytes_of_values(model: type[AppendOnly], pk: UUID, salt: Any, values: Sequence[object]) -> bytes:
    """The same from the values of `columns(model)` alone, in their order."""
    return _form(model)(pk, bytes(salt) if salt is not None else None, values)


@cache
def _form(model: type[AppendOnly]) -> Callable[[UUID, Any, Any], bytes]:
    names = columns(model)
    personal = {column for name, column in names if name in model.PERSONAL}
    return canonical.row_form(model._meta.db_table, [column for _, column in names], personal)


def erased_bytes_of_values(model: type[AppendOnly], pk: UUID, values: Sequence[object], commitment: bytes) -> bytes:
    """The same for a row whose personal columns and salt were destroyed: the commitment is all that is left of them."""
    pairs = zip(columns(model), values, strict=True)
    fields = {column: value for (name, column), value in pairs if name not in model.PERSONAL}
    return canonical.row_bytes_from_commitment(
        table=model._meta.db_table, row_id=pk, fields=fields, personal=commitment
    )


@cache
def columns(model: type[AppendOnly]) -> tuple[tuple[str, str], ...]:
    """Names and columns that stand in a row's canonical form."""
    fields = model._meta.concrete_fields
    return tuple((f.attname, f.column) for f in fields if f.column and f.column not in OUTSIDE_FIELDS)


def entry_bytes(entry: LogEntry) -> bytes:
    """The canonical bytes of an entry, section 2."""
    return canonical.entry_bytes(
        entry_id=entry.id,
        at=entry.at,
        actor=entry.actor,
        action=entry.action,
        about=entry.about,
        scope=entry.scope,
        data=entry.data,
        salt=bytes(entry.salt),
        row_count=entry.row_count,
        rows_root=bytes(entry.rows_root),
    )


@cache
def sentences() -> dict[str, str]:
    """Every action code with its sentence, from the modules named in `LOG_SENTENCES`."""
    found: dict[str, str] = {}
    for name in settings.LOG_SENTENCES:
        module = importlib.import_module(name)
        for code, text in module.SENTENCES.items():
            if found.setdefault(code, text) != text:
                raise LookupError(f"two sentences for the action {code!r}")
    return found


@cache
def followed() -> frozenset[str]:
    """The acts that have a follow-up, from the modules named in `LOG_FOLLOWED`."""
    return frozenset[str]().union(*(importlib.import_module(name).FOLLOWED for name in settings.LOG_FOLLOWED))


def sentence_of(action: str) -> str:
    """The sentence of an action code; an unknown code is a mistake in the program, not something to hide."""
    try:
        return sentences()[action]
    except KeyError:
        raise LookupError(f"no sentence for the action {action!r}: add it to the app's sentences.py") from None
