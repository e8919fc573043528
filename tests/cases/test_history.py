"""A case as it stood at a cut: later rows are out, later changes are put back, building dossiers moves nothing."""

from datetime import timedelta

import pytest
from django.db import transaction

from cases import actions, figures, history, timeline
from cases.models import Case
from spine import log, sequencer
from spine.errors import Refused
from spine.models import LogEntry
from tests.factories import Cast, add_exhibit, judge_all, make_case, make_lead, provider_ids

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("checkpoints_apart")]


def cut(case: Case) -> history.Cut:
    sequencer.sequence()
    return history.cut(case)


def state(case: Case, at: history.Cut) -> tuple[object, ...]:
    """Everything history tells of a case at a cut, in values."""
    listed = [
        [(one.account_id, one.value) for one in history.verdicts_at(case, at)],
        [(one.claim, one.likelihood) for one in history.judgements_at(case, at)],
        [one.pk for one in history.citations_of(history.judgements_at(case, at))],
        [(one.alternative, one.state) for one in history.answers_at(case, at)],
        [one.number for one in history.evidence_at(case, at)],
        [one.action for one in history.custody_at(case, at)],
        [one.text for one in history.notes_at(case, at)],
        [one.pk for one in history.clusters_at(case, at)],
        [one.pk for one in history.members_at(case, at)],
        [one.pk for one in history.findings_at(case, at)],
        [one.pk for one in history.acts_at(case, at)],
        [(one.figure.key, one.value) for one in figures.compute(case, at)],
        list(timeline.entries(case, at)),
    ]
    return (history.header_at(case, at), *listed)


def change_everything(case: Case, cast: Cast) -> None:
    """Every verb once more, over what is there."""
    judge_all(case, cast.analyst)
    actions.join_case(make_lead([*provider_ids(1), *provider_ids(2, prefix="late")]), case, actor=cast.analyst)
    add_exhibit(case, cast.lead, b"later bytes")
    actions.record_view(case.evidence.get(number=1), actor=cast.reader)
    for note in history.notes_at(case):
        actions.withdraw_timeline_note(note, actor=cast.lead)
    actions.assign_case(case, actor=cast.lead, to=None, expected=cast.analyst)
    case.refresh_from_db()
    changes = {"title": (case.title, "Another title"), "marking": (case.marking, "TLP:RED")}
    actions.edit_case(case, actor=cast.lead, changes=changes)
    actions.move_case(case, actor=cast.lead, to="closed", expected_from="investigating", closing_reason="benign")


@pytest.mark.parametrize("numbered", [True, False])
def test_what_comes_after_the_cut_changes_nothing_before_it(cast: Cast, numbered: bool) -> None:
    case = make_case(cast, stage="investigating")
    held = case.accounts.all()[0]
    actions.set_verdict(case, held.account, actor=cast.analyst, value="victim", reason="taken over", expected=None)
    actions.add_timeline_note(
        case, actor=cast.lead, lane="accounts", starts_at=held.member.first_seen, text="x", source="y", confidence="low"
    )
    at = cut(case)
    before = state(case, at)
    change_everything(case, cast)
    if numbered:
        sequencer.sequence()

    assert state(case, at) == before


def test_header_at_each_act_is_what_it_was_then(cast: Cast) -> None:
    case, titles = make_case(cast), ["one", "two", "three"]
    cuts = [(case.title, cut(case))]
    for title in titles:
        case = actions.edit_case(case, actor=cast.lead, changes={"title": (case.title, title)})
        cuts.append((title, cut(case)))

    assert [history.header_at(case, at).title for _, at in cuts] == [title for title, _ in cuts]
    assert history.header_at(case).title == "three"


def test_cut_ends_with_the_last_act_of_the_case(cast: Cast) -> None:
    case = make_case(cast)
    add_exhibit(case, cast.analyst)
    make_case(cast, accounts=provider_ids(2, prefix="other"))
    at = cut(case)
    entry = LogEntry.objects.get(pk=at.entry_id)

    assert (entry.action, entry.scope, entry.at, entry.sequence.index) == (
        "evidence.added",
        case.id,
        at.at,
        at.log_size - 1,
    )


def test_building_dossiers_does_not_move_the_cut(cast: Cast) -> None:
    case = make_case(cast)
    at = cut(case)
    with transaction.atomic():
        data = {"number": 1, "edition": "counsel"}
        log.record(actor="user:lead", action="dossier.frozen", about=case, scope=case.id, data=data)

    assert cut(case) == at


def test_as_of_takes_the_last_act_until_then(cast: Cast) -> None:
    case = make_case(cast)
    first = cut(case)
    add_exhibit(case, cast.analyst)
    sequencer.sequence()

    assert history.cut(case, first.at) == first
    with pytest.raises(Refused):
        history.cut(case, first.at - timedelta(hours=1))


def test_present_and_cut_agree(cast: Cast) -> None:
    case = make_case(cast, stage="judged", accounts=provider_ids(4))
    actions.join_case(make_lead([*provider_ids(1), *provider_ids(2, prefix="late")]), case, actor=cast.analyst)
    at = cut(case)

    assert figures.compute(case, at) == figures.compute(case)
    assert list(timeline.entries(case, at)) == list(timeline.entries(case))
    assert history.header_at(case, at) == history.header_at(case)
    assert set(history.members_at(case, at).values_list("id", flat=True)) == set(
        case.accounts.values_list("member_id", flat=True)
    )
