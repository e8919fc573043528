"""How the parts of a snapshot are read: one case at one cut under one recipient's names, each list with its query."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import models

from cases.dossier.names import Names
from cases.history import Cut
from cases.models import Case
from people.models import User
from spine.canonical import timestamp

Row = dict[str, Any]


@dataclass(frozen=True)
class Reading:
    """One case at one cut for one recipient."""

    case: Case
    cut: Cut
    names: Names


def section(rows: list[Row], queryset: models.QuerySet[Any], what: str, **more: Any) -> Row:
    """A list in the snapshot: its rows, and under `source` what was asked for. Each row names its own item besides."""
    return {**more, "source": source(queryset, what), "rows": rows}


def source(queryset: models.QuerySet[Any], what: str) -> Row:
    """What a number or a list rests on: in words, and as the database was asked."""
    return {"what": what, "query": str(queryset.query)}


def item(row: models.Model) -> str:
    """How a row is named: `cases.verdict:<uuid>`."""
    return f"{row._meta.label_lower}:{row.pk}"


def person(user: User) -> Row:
    """Who did something, as people are named in a dossier."""
    return {"name": str(user), "username": user.username, "role": user.get_role_display()}


def when(moment: datetime | None) -> str | None:
    """A time in the log's form, with six decimals and a Z."""
    return None if moment is None else timestamp(moment)


def window(start: datetime, end: datetime) -> Row:
    """A span of time."""
    return {"start": when(start), "end": when(end)}
