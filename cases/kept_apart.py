"""Decisions that keep accounts apart, as a person may know of them, and where they have effect."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q, QuerySet

from cases import history
from cases.access import Person, visible_cases, visible_decisions
from cases.models import Case, CaseAccount, Lead, LeadSighting
from detection import apart
from detection.joining import OTHER
from detection.models import Cluster, KeptApart, KeptApartEffect

SHOWN = 50


@dataclass(frozen=True)
class Effect:
    """A decision as it meets one lead."""

    decision: KeptApart
    lead: UUID | None  # where it was said
    sides: frozenset[str]  # those that members of the lead stand on
    joins: tuple[KeptApartEffect, ...]  # what it kept out when the cluster was made
    cases: tuple[str, ...]  # references of cases with accounts of the other side, where the lead has one side alone

    @property
    def within(self) -> bool:
        """Whether both sides are members: it was joined before, or by a run that does not go by decisions."""
        return len(self.sides) == len(OTHER)


def on_lead(person: Person, lead: Lead, *, only: UUID | None = None) -> list[Effect]:
    """The decisions that stand and meet this lead, and those that were made about it; newest first, or one alone."""
    tags = apart.sides_in([lead.cluster_id])[lead.cluster_id]
    sides: dict[UUID, set[str]] = {}
    for decision, side in tags:
        sides.setdefault(decision, set()).add(side)
    known = visible_decisions(person).select_related("by", "lifted__by")
    here = LeadSighting.objects.filter(lead=lead).values("cluster")
    met = known.filter(Q(pk__in=sides) | Q(cluster__in=here))
    rows = list((met if only is None else met.filter(pk=only)).order_by("-at", "-pk")[:SHOWN])
    seen = LeadSighting.objects.filter(cluster__in=[one.cluster_id for one in rows])
    said = dict(seen.values_list("cluster", "lead"))
    joins = _joins(lead.cluster, rows)
    return [
        Effect(
            one,
            said.get(one.cluster_id),
            frozenset(sides.get(one.pk, ())),
            tuple(join for join in joins if join.decision_id == one.pk),
            tuple(_cases(person, one, sides.get(one.pk, set()))),
        )
        for one in rows
    ]


def in_case(person: Person, case: Case) -> list[tuple[KeptApart, UUID | None]]:
    """The decisions that stand and of which a case holds both sides, newest first, each with its lead."""
    tags = apart.sides_in(list(history.held_at(case).values_list("cluster", flat=True)))
    sides = frozenset[tuple[UUID, str]]().union(*tags.values())
    both = {decision for decision, side in sides if (decision, OTHER[side]) in sides}
    rows = list(visible_decisions(person).filter(pk__in=both).select_related("by").order_by("-at", "-pk")[:SHOWN])
    seen = LeadSighting.objects.filter(cluster__in=[one.cluster_id for one in rows])
    said = dict(seen.values_list("cluster", "lead"))
    return [(one, said.get(one.cluster_id)) for one in rows]


def _joins(cluster: Cluster, rows: Iterable[KeptApart]) -> list[KeptApartEffect]:
    found = KeptApartEffect.objects.filter(cluster=cluster, decision__in=[one.pk for one in rows])
    return list(found.select_related("attribute").order_by("attribute__type", "attribute__value", "pk"))


def _cases(person: Person, decision: KeptApart, sides: set[str]) -> QuerySet[CaseAccount, str] | list[str]:
    """Cases that have accounts of the side that the lead does not have."""
    if len(sides) != 1:
        return []
    there = apart.accounts_on(decision, OTHER[next(iter(sides))]).values("account")
    held = CaseAccount.objects.filter(account__in=there, case__in=visible_cases(person).values("pk"))
    return held.order_by("case__ref").values_list("case__ref", flat=True).distinct()


def marks(effects: Iterable[Effect], accounts: Iterable[UUID]) -> dict[UUID, KeptApart]:
    """Of these accounts, those that stand apart within their lead, each with the newest decision that says so."""
    within = {one.decision.pk: one.decision for one in effects if one.within}
    found: dict[UUID, KeptApart] = {}
    for account, tags in apart.sides_by(within, list(accounts)).items():
        mine = [within[decision] for decision, side in tags if side == "a" or not within[decision].rest]
        if mine:
            found[account] = max(mine, key=lambda one: one.at)
    return found
