"""Judging claims and answering innocent explanations: ladder, citations, and nothing overwritten unseen."""

from typing import Any

import pytest

from cases import actions, history
from cases.actions import Cited
from cases.models import Case, Judgement
from spine.errors import Conflict, Refused
from spine.ids import new_id
from spine.models import LogEntry
from tests.factories import START, Cast, add_exhibit, make_case, make_cluster, provider_ids

pytestmark = pytest.mark.django_db
WORDS = {"rationale": "One fingerprint ties them.", "alternatives": "A reseller would look alike."}


def judge(case: Case, cast: Cast, **given: Any) -> Judgement:
    fields = {"claim": "b", "likelihood": "very_likely", "confidence": "moderate", **WORDS, **given}
    return actions.judge(case, actor=cast.analyst, **fields)


def test_judgement_cites_each_kind_of_item_in_one_entry(cast: Cast) -> None:
    case = make_case(cast)
    note = actions.add_timeline_note(
        case, actor=cast.lead, lane="decisions", starts_at=START, text="x", source="y", confidence="low"
    )
    cluster = case.clusters.get().cluster
    cited = [
        Cited("for", "finding", cluster.findings.get().finding_id, "the ring"),
        Cited("for", "evidence", add_exhibit(case, cast.lead).id),
        Cited("against", "cluster", cluster.id, "all in one country; so are most customers"),
        Cited("for", "timeline_note", note.id),
    ]
    judgement = judge(case, cast, citations=cited)
    stored = history.citations_of(history.judgements_at(case))

    assert [(one.side, one.note) for one in stored] == [(one.side, one.note) for one in cited]
    assert (judgement.entry.row_count, judgement.entry.data["citations"]) == (5, 4)


def test_second_judgement_supersedes_the_one_its_author_saw(cast: Cast) -> None:
    case = make_case(cast)
    earlier = judge(case, cast)
    later = judge(case, cast, likelihood="likely", supersedes=earlier.id)

    assert list(history.judgements_at(case)) == [later]
    assert LogEntry.objects.filter(action="judgement.made").latest("at").data["old"] == "very_likely"


def test_judgement_over_an_unseen_one_is_told_who_and_what(cast: Cast) -> None:
    case = make_case(cast)
    judge(case, cast)
    with pytest.raises(Conflict, match=r"Claim \(b\) is now: very likely \(by analyst, "):
        judge(case, cast, likelihood="likely")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("claim", "g"),
        ("likelihood", "probable"),
        ("confidence", "certain"),
        ("rationale", ""),
        ("rationale", "They are probably run together."),
        ("alternatives", "These criminals have none."),
        ("rationale", "It is likely, with high confidence."),
    ],
)
def test_judgement_off_the_ladder_is_refused(cast: Cast, field: str, value: str) -> None:
    with pytest.raises(Refused) as refused:
        judge(make_case(cast), cast, **{field: value})

    assert refused.value.field == field


def test_item_of_another_case_is_not_cited(cast: Cast) -> None:
    case = make_case(cast)
    other = make_case(cast, accounts=provider_ids(3, prefix="other"))
    foreign = [
        Cited("for", "evidence", add_exhibit(other, cast.lead).id),
        Cited("for", "finding", make_cluster(provider_ids(2, prefix="third")).findings.get().finding_id),
        Cited("for", "cluster", other.clusters.get().cluster_id),
        Cited("for", "timeline_note", new_id()),
    ]
    for one in foreign:
        with pytest.raises(Refused, match="not in this case"):
            judge(case, cast, citations=[one])


def test_item_is_cited_once(cast: Cast) -> None:
    case = make_case(cast)
    exhibit = add_exhibit(case, cast.lead)
    with pytest.raises(Refused, match="cited once"):
        judge(case, cast, citations=[Cited("for", "evidence", exhibit.id), Cited("against", "evidence", exhibit.id)])


def test_answer_is_changed_by_a_newer_one(cast: Cast) -> None:
    case = make_case(cast)
    given = {"alternative": "gateway", "reason": "Asked the gateway."}
    first = actions.answer_alternative(case, actor=cast.analyst, state="cannot_rule_out", **given)
    second = actions.answer_alternative(case, actor=cast.lead, state="ruled_out", supersedes=first.id, **given)

    assert list(history.answers_at(case)) == [second]
    with pytest.raises(Conflict, match=r"Aggregator or gateway is now: ruled out \(by lead, "):
        actions.answer_alternative(case, actor=cast.analyst, state="supported", supersedes=first.id, **given)


@pytest.mark.parametrize(("alternative", "state"), [("aliens", "ruled_out"), ("gateway", "maybe")])
def test_answer_in_unknown_words_is_refused(cast: Cast, alternative: str, state: str) -> None:
    with pytest.raises(Refused):
        actions.answer_alternative(
            make_case(cast), actor=cast.analyst, alternative=alternative, state=state, reason="x"
        )
