"""Verbs of counsel, sanctioned testers and deconfliction by two at once: one effect, one entry, the loser told."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from cases.actions import brokers, counsel, deconfliction, testers
from people.models import User
from spine import sequencer, verification
from spine.errors import Refused
from spine.models import LogEntry
from tests.cases.deconflicting import ask, asking_case, compared, designate, hidden_case, make_broker
from tests.cases.test_actions_twice import Act, at_once
from tests.cases.testers import list_test
from tests.cases.tracks import let_in, make_track, write_note
from tests.factories import Cast, make_case, make_person

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "owner", "audit"]),
    pytest.mark.usefixtures("no_broker", "checkpoints_apart"),
]
Two = tuple[User, User]


@dataclass(frozen=True)
class Verb:
    """A verb brought to where it can be done once, who does it, and the action its entry has."""

    prepare: Callable[[Cast, Two], Act]
    action: str
    role: str = "counsel"


def open_track(cast: Cast, two: Two) -> Act:
    case = make_case(cast)
    return lambda actor: counsel.open_track(case, actor=actor, purpose="x", direction="y")


def add_member(cast: Cast, two: Two) -> Act:
    track = make_track(make_case(cast), cast)
    return lambda actor: counsel.add_member(track, actor=actor, person=cast.lead, reason="x")


def end_member(cast: Cast, two: Two) -> Act:
    member = let_in(make_track(make_case(cast), cast), cast, cast.lead)
    return lambda actor: counsel.end_member(member, actor=actor, reason="x")


def add_note(cast: Cast, two: Two) -> Act:
    track = make_track(make_case(cast), cast)
    return lambda actor: counsel.add_note(track, actor=actor, topic="a", text="b")


def correct_note(cast: Cast, two: Two) -> Act:
    note = write_note(make_track(make_case(cast), cast), cast.counsel)
    return lambda actor: counsel.add_note(note.track, actor=actor, topic="a", text=actor.username, supersedes=note)


def withdraw_note(cast: Cast, two: Two) -> Act:
    note = write_note(make_track(make_case(cast), cast), cast.counsel)
    return lambda actor: counsel.withdraw_note(note, actor=actor)


def put_on_the_list(cast: Cast, two: Two) -> Act:
    return lambda actor: list_test(actor, "a-1", "a-2")


def end_test(cast: Cast, two: Two) -> Act:
    test = list_test(cast.lead)
    return lambda actor: testers.end_test(test, actor=actor, reason="x")


def put_a_question(cast: Cast, two: Two) -> Act:
    case = asking_case(cast)
    make_broker(cast)
    return lambda actor: ask(case, actor)


def answer(cast: Cast, two: Two) -> Act:
    case = asking_case(cast)
    for person in two:
        designate(cast, person)
    question = ask(case, cast.analyst)
    compared(question)
    return lambda actor: deconfliction.answer(question, actor=actor, value="no_hit")


def approach(cast: Cast, two: Two) -> Act:
    hidden_case(cast)
    case = asking_case(cast)
    for person in two:
        designate(cast, person)
    [match] = compared(ask(case, cast.analyst))
    return lambda actor: deconfliction.approach(match, actor=actor, words="May I?")


def designate_a_broker(cast: Cast, two: Two) -> Act:
    return lambda actor: brokers.designate(actor=actor, person=cast.reader, reason="x")


def end_term(cast: Cast, two: Two) -> Act:
    term = designate(cast, cast.reader)
    return lambda actor: brokers.end_term(term, actor=actor, reason="x")


VERBS = [
    Verb(open_track, "counsel.opened"),
    Verb(add_member, "counsel.member_added"),
    Verb(end_member, "counsel.member_ended"),
    Verb(add_note, "counsel.noted"),
    Verb(correct_note, "counsel.corrected"),
    Verb(withdraw_note, "counsel.withdrawn"),
    Verb(put_on_the_list, "testers.listed", "case_lead"),
    Verb(end_test, "testers.ended", "case_lead"),
    Verb(put_a_question, "deconfliction.asked", "analyst"),
    Verb(answer, "deconfliction.answered", "reader"),
    Verb(approach, "deconfliction.approached", "reader"),
    Verb(designate_a_broker, "broker.designated", "administrator"),
    Verb(end_term, "broker.ended", "administrator"),
]


@pytest.fixture(params=VERBS, ids=lambda verb: verb.prepare.__name__)
def verb(request: pytest.FixtureRequest) -> Iterator[Verb]:
    yield request.param
    sequencer.sequence()
    assert [str(problem) for problem in verification.verify().problems] == []


def test_verb_by_two_at_once_has_one_effect(verb: Verb, committed_cast: Cast) -> None:
    two = make_person("one", verb.role), make_person("two", verb.role)
    act = verb.prepare(committed_cast, two)
    before = LogEntry.objects.count()
    outcomes = at_once(act, *two)
    losers = [outcome for _, outcome in outcomes if isinstance(outcome, Exception)]

    assert [len(losers), *(isinstance(loser, Refused) for loser in losers)] == [1, True], losers
    assert LogEntry.objects.count() == before + 1
    assert LogEntry.objects.latest("at").action == verb.action
