"""Everything there is to know of one exhibit, for its page, its custody form and the API."""

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from cases.chains import gaps_of
from cases.custody_gaps import Gap
from cases.models import CustodyEvent, EvidenceItem, VaultCheck
from cases.vocabulary import CustodyAction
from spine.canonical import timestamp


@dataclass(frozen=True)
class Whole:
    """An exhibit with its chain, the gaps in it, its comparisons, and what was made from it."""

    item: EvidenceItem
    events: list[CustodyEvent]
    gaps: list[Gap]
    checks: list[VaultCheck]
    tree: list[tuple[int, EvidenceItem]]

    @property
    def check(self) -> VaultCheck | None:
        """The last comparison of its stored bytes."""
        return self.checks[0] if self.checks else None

    @property
    def open_transfers(self) -> list[CustodyEvent]:
        """Transfers that nobody has acknowledged."""
        answered = {event.answers_id for event in self.events}
        handed = [event for event in self.events if event.action == CustodyAction.TRANSFERRED]
        return [event for event in handed if event.id not in answered]


def whole(item: EvidenceItem) -> Whole:
    """The exhibit with all about it; a fixed number of queries for a tree of any size."""
    events = list(custody_of(item))
    checks = list(VaultCheck.objects.filter(sha256=item.sha256).order_by("-at", "-id")[:10])
    return Whole(item, events, gaps_of(item, events), checks, tree_of(item))


def custody_of(item: EvidenceItem) -> QuerySet[CustodyEvent]:
    """Its custody events in the order in which they were written."""
    return (
        CustodyEvent.objects.filter(item=item).select_related("recorded_by").order_by("entry__at", "entry_id", "place")
    )


def tree_of(item: EvidenceItem) -> list[tuple[int, EvidenceItem]]:
    """The original it goes back to with everything derived from that: depth and exhibit, each below its own original.

    Empty for an exhibit that was made from nothing and from which nothing was made.
    """
    related = EvidenceItem.objects.filter(case=item.case_id).exclude(derived_from=None, derivatives=None)
    items = {one.id: one for one in related.distinct()}
    below: dict[Any, list[EvidenceItem]] = {}
    for one in sorted(items.values(), key=lambda one: one.number):
        if one.derived_from_id in items:
            one.derived_from = items[one.derived_from_id]
        below.setdefault(one.derived_from_id, []).append(one)
    top = items.get(item.id)
    while top is not None and top.derived_from_id in items:
        top = items[top.derived_from_id]
    return list(_descend(top, below, 0)) if top is not None else []


def _descend(item: EvidenceItem, below: dict[Any, list[EvidenceItem]], depth: int) -> Any:
    yield depth, item
    for one in below.get(item.id, []):
        yield from _descend(one, below, depth + 1)


def custody_document(found: Whole) -> dict[str, Any]:
    """The custody form of an exhibit as data: what docs/formats/custody.md describes."""
    item = found.item
    return {
        "v": 1,
        "case": item.case.ref,
        "marking": item.case.marking,
        "exhibit": {
            "number": item.number,
            "title": item.title,
            "kind": item.kind_words,
            "details": [{"label": label, "value": value} for label, value in item.described],
            "source": item.source,
            "file_name": item.file_name,
            "media_type": item.media_type,
            "size": item.size,
            "sha256": item.sha256,
            "acquired_at": timestamp(item.acquired_at),
            "added_at": timestamp(item.added_at),
            "added_by": str(item.added_by),
            "derived_from": item.derived_from.number if item.derived_from else None,
        },
        "events": [_event(event) for event in found.events],
        "gaps": [{"code": gap.code, "text": gap.text, "events": list(gap.events)} for gap in found.gaps],
        "comparisons": [
            {"at": timestamp(check.at), "result": check.result, "sha256": check.found_sha256, "bytes": check.size}
            for check in found.checks
        ],
    }


def _event(event: CustodyEvent) -> dict[str, Any]:
    return {
        "id": str(event.id),
        "action": event.action,
        "words": event.get_action_display(),
        "at": timestamp(event.at),
        "clock": event.clock,
        "who": event.who,
        "party": event.party,
        "where": event.where_at,
        "why": event.why,
        "how": event.how,
        "tool": event.tool,
        "tool_version": event.tool_version,
        "sha256": event.sha256,
        "bytes": event.size,
        "recorded_by": str(event.recorded_by) if event.recorded_by else None,
        "answers": str(event.answers_id) if event.answers_id else None,
    }
