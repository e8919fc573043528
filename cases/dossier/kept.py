"""What was kept, held and handed out before the cut: preservation, holds, and the history of disclosures."""

from cases import history, holds
from cases.dossier.reading import Reading, Row, item, person, section, when, window
from cases.models import (
    DisclosureAsk,
    DisclosureNote,
    DisclosureRelease,
    Hold,
    HoldRelease,
    PreservationAnswer,
    PreservationRequest,
)


def preservation(reading: Reading) -> Row:
    """Requests to log owners, with what was gone when they were made, and the answer that stood at the cut."""
    asked = history.before(PreservationRequest.objects.filter(case=reading.case), reading.cut)
    asked = asked.select_related("source", "requested_by").order_by("at", "id")
    answers = history.newest(PreservationAnswer.objects.filter(request__case=reading.case), reading.cut)
    newest = {answer.request_id: answer for answer in answers}
    return section(
        [_request(one, newest.get(one.pk)) for one in asked], asked, "requests to preserve, with the newest answer"
    )


def _request(asked: PreservationRequest, answer: PreservationAnswer | None) -> Row:
    return {
        "item": item(asked),
        "source": asked.source.name,
        "data": asked.get_data_class_display(),
        "window": window(asked.window_start, asked.window_end),
        "accounts": asked.account_count,
        "authority": asked.authority,
        "asked_at": when(asked.at),
        "asked_by": person(asked.requested_by)["name"],
        "gone_before": when(asked.gone_before),
        "answer": answer.get_kind_display() if answer else None,
        "receipt": answer.number if answer else None,
        "answered_at": when(answer.answered_at) if answer else None,
        "kept_until": when(answer.keeps_until) if answer else None,
        "gone_as_answered": answer.gone if answer else None,
    }


def holds_placed(reading: Reading) -> Row:
    """The holds of the case and whether each stood at the cut."""
    placed = history.before(Hold.objects.filter(case=reading.case), reading.cut).order_by("number")
    released = history.before(HoldRelease.objects.filter(hold__case=reading.case), reading.cut)
    ends = {release.hold_id: release for release in released.select_related("releaser")}
    rows: list[Row] = []
    for hold in placed.select_related("placed_by"):
        end = ends.get(hold.pk)
        rows.append(
            {
                "item": item(hold),
                "number": hold.number,
                "scope": holds.scope_words(hold),
                "trigger_at": when(hold.triggered_at),
                "placed_at": when(hold.at),
                "placed_by": person(hold.placed_by)["name"],
                "released_at": when(end.at) if end else None,
                "released_by": person(end.releaser)["name"] if end else None,
            }
        )
    return section(rows, placed, "holds of the case, in the order of their numbers")


def disclosures(reading: Reading) -> Row:
    """Every earlier version that was handed out before the cut: to whom, on what basis, by which two people."""
    released = history.before(DisclosureRelease.objects.filter(ask__version__case=reading.case), reading.cut)
    beside = ("ask__version__case", "asker", "releaser")
    ordered = released.select_related(*beside).order_by("at", "id")
    noted = history.before(DisclosureNote.objects.filter(ask__version__case=reading.case), reading.cut)
    receipts: dict[object, list[str]] = {}
    recalled: dict[object, DisclosureNote] = {}
    for note in noted.order_by("happened_at", "id"):
        if note.kind == DisclosureNote.Kind.RECEIPT:
            receipts.setdefault(note.ask_id, []).append(note.number)
        if note.kind == DisclosureNote.Kind.RECALL:
            recalled[note.ask_id] = note
    rows = [_disclosure(one, receipts.get(one.ask_id, []), recalled.get(one.ask_id)) for one in ordered]
    return section(rows, ordered, "disclosures of earlier versions, in the order of their release")


def _disclosure(release: DisclosureRelease, receipts: list[str], recall: DisclosureNote | None) -> Row:
    ask: DisclosureAsk = release.ask
    return {
        "item": item(release),
        "package": ask.version.bag_name,
        "package_sha256": ask.package_sha256,
        "recipient": ask.recipient_name,
        "basis": ask.basis_code,
        "law": ask.basis_law,
        "data": ask.data_classes,
        "marking": ask.marking,
        "channel": ask.channel,
        "asked_by": person(release.asker)["name"],
        "released_by": person(release.releaser)["name"],
        "at": when(release.at),
        "receipts": receipts,
        "recalled_at": when(recall.happened_at) if recall else None,
    }
