"""Verbs on the registers: legal bases and recipients. Changes carry the revision their editor saw."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from django.db import transaction

from cases.actions import base
from cases.models.disclosure import DisclosedClass, LegalBasis, Recipient, RecipientKind
from cases.vocabulary import Marking
from people.models import User
from spine import log
from spine.errors import Conflict, Refused

_CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,58}[a-z0-9]")


@transaction.atomic
def save_basis(
    *,
    actor: User,
    code: str,
    name: str,
    law: str,
    permits: Mapping[str, list[str]],
    valid_from: date | None = None,
    valid_until: date | None = None,
    confirmed: bool = False,
    note: str = "",
    active: bool = True,
    revision: int = 0,
) -> LegalBasis:
    """Register a legal basis, or change the one of this code; `revision` is the one its editor saw, 0 for a new one.

    Side effects: the fields; one log entry with old and new values. Raises Conflict when somebody was faster.
    """
    base.require(actor, "registers.read", "registers.write")
    if not _CODE.fullmatch(code):
        raise Refused("A code has a–z, 0–9 and dashes, 2 to 60 of them.", field="code")
    if valid_from and valid_until and valid_until < valid_from:
        raise Refused("It ends before it begins.", field="valid_until")
    values = {
        "name": base.clean(name, field="name", label="The name", limit=200),
        "law": base.clean(law, field="law", label="The law", limit=300),
        "permits": _permits(permits),
        "valid_from": valid_from,
        "valid_until": valid_until,
        "confirmed": confirmed,
        "note": base.clean(note, field="note", label="The note", limit=4000, required=False),
        "active": active,
    }
    row = LegalBasis.objects.select_for_update().filter(code=code).first()
    if LegalBasis.objects.filter(name=values["name"]).exclude(code=code).exists():
        raise Refused("Another basis has this name.", field="name")
    basis = row or LegalBasis(code=code)
    _save(basis, row is None, values, revision, actor, action="basis.saved", name=code)
    return basis


@transaction.atomic
def save_recipient(
    *,
    actor: User,
    name: str,
    kind: str,
    ceiling: str,
    contact: str = "",
    note: str = "",
    active: bool = True,
    revision: int = 0,
) -> Recipient:
    """Register a recipient, or change the one of this name, which stays: pseudonyms are keyed by it.

    Side effects: the fields; one log entry with old and new values. Raises Conflict when somebody was faster.
    """
    base.require(actor, "registers.read", "registers.write")
    name = base.clean(name, field="name", label="The name", limit=200)
    values = {
        "kind": base.one_of(kind, RecipientKind.values, field="kind", label="The kind"),
        "ceiling": base.one_of(ceiling, Marking.values, field="ceiling", label="The highest marking"),
        "contact": base.clean(contact, field="contact", label="The contact", limit=300, required=False),
        "note": base.clean(note, field="note", label="The note", limit=4000, required=False),
        "active": active,
    }
    row = Recipient.objects.select_for_update().filter(name=name).first()
    recipient = row or Recipient(name=name)
    _save(recipient, row is None, values, revision, actor, action="recipient.saved", name=name)
    return recipient


def _save(row: Any, fresh: bool, values: dict[str, Any], revision: int, actor: User, *, action: str, name: str) -> None:
    seen = 0 if fresh else row.revision
    if revision != seen:
        raise Conflict(f"{name} was changed meanwhile or is there already. Look again before you decide.")
    old = {field: _plain(getattr(row, field)) for field in values}
    changed = {field: [None if fresh else old[field], _plain(value)] for field, value in values.items()}
    changed = {field: pair for field, pair in changed.items() if fresh or pair[0] != pair[1]}
    if not changed:
        raise Refused("Nothing was changed: the values are what they were.")
    for field, value in values.items():
        setattr(row, field, value)
    row.revision = seen + 1
    row.save(force_insert=fresh, update_fields=None if fresh else [*values, "revision"])
    data = {"name": name, "fields": " and ".join(changed), "values": changed}
    log.record(actor=actor.principal, action=action, about=row, data=data)


def _permits(given: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """By kind of recipient the classes of data, in the order of the vocabulary; empty ones left out."""
    for kind, classes in given.items():
        base.one_of(kind, RecipientKind.values, field="permits", label="The kind of recipient")
        for one in classes:
            base.one_of(one, DisclosedClass.values, field="permits", label="The class of data")
    found = {
        kind: [one for one in DisclosedClass.values if one in given.get(kind, [])] for kind in RecipientKind.values
    }
    return {kind: classes for kind, classes in found.items() if classes}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
