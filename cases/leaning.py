"""What leans on a detector version, list by list, each of any length and narrowed to what a person may know of.

Findings have a list of their own, narrowed by detector and version; these are the lists of what rests on them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from cases import recalls
from cases.access import Person, visible_cases, visible_leads
from detection.models import DetectorVersion


@dataclass(frozen=True)
class Named:
    """One row in a list, whatever it is: what it is called, in which case it is, and since when it is there."""

    id: UUID
    name: str
    case: str | None
    at: datetime


@dataclass(frozen=True)
class Leaning:
    """One list: the rows of a version for a person, in the order by which it is paged, and a row by its name."""

    rows: Callable[[DetectorVersion, Person], QuerySet[Any]]
    order: tuple[str, ...]
    named: Callable[[Any], Named]


def _clusters(version: DetectorVersion, _: Person) -> QuerySet[Any]:
    return recalls.clusters(version).select_related("run__source")


def _leads(version: DetectorVersion, who: Person) -> QuerySet[Any]:
    return recalls.leads(version, visible_leads(who)).select_related("cluster")


def _cases(version: DetectorVersion, who: Person) -> QuerySet[Any]:
    return recalls.cases(version, visible_cases(who))


def _dossiers(version: DetectorVersion, who: Person) -> QuerySet[Any]:
    return recalls.dossiers(version, visible_cases(who))


def _disclosures(version: DetectorVersion, who: Person) -> QuerySet[Any]:
    return recalls.disclosures(version, visible_cases(who)).prefetch_related("notes", "recall_drafts")


LISTS = {
    "clusters": Leaning(_clusters, ("-id",), lambda one: Named(one.pk, one.title, None, one.run.finished_at)),
    "leads": Leaning(_leads, ("-raised_at", "-id"), lambda one: Named(one.pk, one.cluster.title, None, one.raised_at)),
    "cases": Leaning(_cases, ("-updated_at", "-id"), lambda one: Named(one.pk, one.title, one.ref, one.updated_at)),
    "dossiers": Leaning(
        _dossiers, ("-frozen_at", "-id"), lambda one: Named(one.pk, one.bag_name, one.case.ref, one.frozen_at)
    ),
    "disclosures": Leaning(
        _disclosures,
        ("-at", "-id"),
        lambda one: Named(one.pk, one.recipient_name, one.version.case.ref, one.release.at),
    ),
}
