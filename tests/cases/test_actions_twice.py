"""Every verb twice in a row and by two people at once: one effect, one entry, and the loser is told who was faster."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from cases import actions
from cases.models import Case
from people.models import User
from spine import sequencer, verification
from spine.errors import Refused
from spine.models import LogEntry
from spine.principal import acting_as
from tests.factories import START, Cast, add_exhibit, make_case, make_lead, make_person, provider_ids

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "owner", "audit"]),
    pytest.mark.usefixtures("no_broker", "checkpoints_apart"),
]
Act = Callable[[User], Any]
NOTE = {"lane": "decisions", "starts_at": START, "text": "Keys rotated", "source": "mail", "confidence": "high"}
JUDGED = {
    "claim": "a",
    "likelihood": "likely",
    "confidence": "low",
    "rationale": "It is in the log.",
    "alternatives": "–",
}


def open_case(cast: Cast) -> Act:
    lead = make_lead()
    return lambda actor: actions.open_case(lead, actor=actor, title="Accounts that pay alike")


def join_case(cast: Cast) -> Act:
    case, lead = make_case(cast), make_lead(provider_ids(3, prefix="other"))
    return lambda actor: actions.join_case(lead, case, actor=actor)


def reject_lead(cast: Cast) -> Act:
    lead = make_lead()
    return lambda actor: actions.reject_lead(lead, actor=actor, reason="evaluation")


def snooze_lead(cast: Cast) -> Act:
    lead = make_lead()
    until = timezone.now() + timedelta(days=7)
    return lambda actor: actions.snooze_lead(lead, actor=actor, until=until)


def reopen_lead(cast: Cast) -> Act:
    lead = actions.reject_lead(make_lead(), actor=make_person("second", "analyst"), reason="evaluation")
    return lambda actor: actions.reopen_lead(lead, actor=actor)


def assign_lead(cast: Cast) -> Act:
    lead = make_lead()
    return lambda actor: actions.assign_lead(lead, actor=actor, to=cast.lead, expected=None)


def keep_apart(cast: Cast) -> Act:
    lead = make_lead()
    picked = [lead.cluster.members.earliest("pk").account_id]
    return lambda actor: actions.keep_apart(lead, picked, actor=actor, reason="Another customer")


def join_again(cast: Cast) -> Act:
    decision = keep_apart(cast)(cast.lead)
    return lambda actor: actions.join_again(decision, actor=actor, reason="A mistake")


def edit_case(cast: Cast) -> Act:
    case = make_case(cast)
    return lambda actor: actions.edit_case(case, actor=actor, changes={"title": (case.title, "A better title")})


def assign_case(cast: Cast) -> Act:
    case = make_case(cast)
    return lambda actor: actions.assign_case(case, actor=actor, to=cast.lead, expected=cast.analyst)


def move_case(cast: Cast) -> Act:
    case = make_case(cast)
    return lambda actor: actions.move_case(case, actor=actor, to="investigating", expected_from="open")


def set_verdict(cast: Cast) -> Act:
    case = make_case(cast)
    account = case.accounts.all()[0].account
    return lambda actor: actions.set_verdict(
        case, account, actor=actor, value="victim", reason="taken over", expected=None
    )


def set_verdicts_picked(cast: Cast) -> Act:
    case = make_case(cast)
    picks = dict(case.accounts.values_list("id", "verdict_id"))
    return lambda actor: actions.set_verdicts_picked(case, picks, actor=actor, value="benign", reason="known customers")


def judge(cast: Cast) -> Act:
    case = make_case(cast)
    return lambda actor: actions.judge(case, actor=actor, **JUDGED)


def answer_alternative(cast: Cast) -> Act:
    case = make_case(cast)
    return lambda actor: actions.answer_alternative(
        case, actor=actor, alternative="gateway", state="ruled_out", reason="No gateway is known."
    )


def add_evidence(cast: Cast) -> Act:
    case = make_case(cast)
    return lambda actor: add_exhibit(case, actor)


def add_timeline_note(cast: Cast) -> Act:
    case = make_case(cast)
    return lambda actor: actions.add_timeline_note(case, actor=actor, **NOTE)


def correct_timeline_note(cast: Cast) -> Act:
    case = make_case(cast)
    note = actions.add_timeline_note(case, actor=cast.counsel, **{**NOTE, "text": "Keys were rotated"})
    later = {**NOTE, "starts_at": START + timedelta(hours=2)}
    return lambda actor: actions.add_timeline_note(case, actor=actor, supersedes=note, **later)


def withdraw_timeline_note(cast: Cast) -> Act:
    note = actions.add_timeline_note(make_case(cast), actor=cast.counsel, **NOTE)
    return lambda actor: actions.withdraw_timeline_note(note, actor=actor, reason="another incident")


def detach_cluster(cast: Cast) -> Act:
    case = make_case(cast)
    cluster = case.clusters.get().cluster
    return lambda actor: actions.detach_cluster(case, cluster, actor=actor, reason="Another operation")


def detach_accounts(cast: Cast) -> Act:
    case = make_case(cast)
    picked = [case.accounts.earliest("pk").pk]
    return lambda actor: actions.detach_accounts(case, picked, actor=actor, reason="Another operation")


def attach_again(cast: Cast) -> Act:
    case = make_case(cast)
    gone = actions.detach_cluster(case, case.clusters.get().cluster, actor=cast.lead, reason="Another operation")
    return lambda actor: actions.attach_again(gone, actor=actor, reason="A mistake")


def restrict_case(cast: Cast) -> Act:
    case = make_case(cast)
    return lambda actor: actions.restrict_case(case, actor=actor, reason="Few need to know", people=[cast.lead])


def restricted_case(cast: Cast, *people: User) -> Case:
    return actions.restrict_case(make_case(cast), actor=cast.counsel, reason="Few need to know", people=people)


def open_case_up(cast: Cast) -> Act:
    case = restricted_case(cast, cast.lead)
    return lambda actor: actions.open_case_up(case, actor=actor, reason="Public by now")


def add_member(cast: Cast) -> Act:
    case = restricted_case(cast, cast.lead)
    return lambda actor: actions.add_member(case, actor=actor, person=cast.reader, reason="Reads along")


def remove_member(cast: Cast) -> Act:
    case = restricted_case(cast, cast.lead, cast.reader)
    return lambda actor: actions.remove_member(case, actor=actor, person=cast.reader, reason="Done")


@dataclass(frozen=True)
class Verb:
    """A verb brought to where it can be done once, and the action its entry has."""

    prepare: Callable[[Cast], Act]
    action: str


VERBS = [
    Verb(open_case, "case.opened"),
    Verb(join_case, "case.joined"),
    Verb(reject_lead, "lead.rejected"),
    Verb(snooze_lead, "lead.snoozed"),
    Verb(reopen_lead, "lead.reopened"),
    Verb(assign_lead, "lead.assigned"),
    Verb(keep_apart, "accounts.kept_apart"),
    Verb(join_again, "accounts.joined_again"),
    Verb(edit_case, "case.edited"),
    Verb(assign_case, "case.assigned"),
    Verb(move_case, "case.moved"),
    Verb(set_verdict, "verdict.set"),
    Verb(set_verdicts_picked, "verdicts.set"),
    Verb(judge, "judgement.made"),
    Verb(answer_alternative, "alternative.answered"),
    Verb(add_evidence, "evidence.added"),
    Verb(add_timeline_note, "timeline.added"),
    Verb(correct_timeline_note, "timeline.added"),
    Verb(withdraw_timeline_note, "timeline.withdrawn"),
    Verb(detach_cluster, "case.detached"),
    Verb(detach_accounts, "case.detached"),
    Verb(attach_again, "case.attached_again"),
    Verb(restrict_case, "case.restricted"),
    Verb(open_case_up, "case.opened_up"),
    Verb(add_member, "member.added"),
    Verb(remove_member, "member.removed"),
]
# Verbs whose repetition is another effect, or the same job; tests of their own say so.
ELSEWHERE = {"break_glass", "record_view", "set_verdicts_matching", "undo_verdicts", "count_matching", "Cited"}
ELSEWHERE |= {"record_copy", "record_custody"}
# Preservation and holds: tests/cases/test_actions_preservation.py and test_actions_holds.py.
ELSEWHERE |= {"request_preservation", "answer_preservation", "explain_absence", "place_hold", "add_custodian", "remind"}
ELSEWHERE |= {"acknowledge", "acknowledge_on_behalf", "ask_release", "release_hold", "Keeper"}


def test_every_verb_is_tested_twice_and_at_once() -> None:
    here = {verb.prepare.__name__ for verb in VERBS} - {"correct_timeline_note"}

    assert here | ELSEWHERE == set(actions.__all__)


@pytest.fixture(params=VERBS, ids=lambda verb: verb.prepare.__name__)
def verb(request: pytest.FixtureRequest) -> Iterator[Verb]:
    yield request.param
    sequencer.sequence()
    assert [str(problem) for problem in verification.verify().problems] == []


def entries(verb: Verb, winner: User) -> int:
    return LogEntry.objects.filter(action=verb.action, actor=winner.principal).count()


def test_verb_twice_in_a_row_has_one_effect(verb: Verb, committed_cast: Cast) -> None:
    cast = committed_cast
    act = verb.prepare(cast)
    act(cast.lead)
    before = LogEntry.objects.count()
    with pytest.raises(Refused) as refused:
        act(cast.analyst)

    assert f"by {cast.lead.username}" in refused.value.message
    assert (entries(verb, cast.lead), LogEntry.objects.count()) == (1, before)


def test_verb_by_two_at_once_has_one_effect(verb: Verb, committed_cast: Cast) -> None:
    cast = committed_cast
    act = verb.prepare(cast)
    before = LogEntry.objects.count()
    outcomes = at_once(act, cast.lead, cast.analyst)
    winners = [user for user, outcome in outcomes if not isinstance(outcome, Exception)]
    losers = [outcome for _, outcome in outcomes if isinstance(outcome, Exception)]

    assert [len(winners), *(isinstance(loser, Refused) for loser in losers)] == [1, True], losers
    assert f"by {winners[0].username}" in losers[0].message
    assert LogEntry.objects.count() == before + 1


def at_once(act: Act, *people: User) -> list[tuple[User, Any]]:
    """What each person's attempt came to, all started at the same moment on connections of their own."""
    barrier, outcomes = threading.Barrier(len(people)), []

    def attempt(person: User) -> None:
        try:
            with acting_as(person.principal):
                connection.ensure_connection()
                barrier.wait(timeout=20)
                outcome = act(person)
        except Exception as error:  # noqa: BLE001 - what it came to is the result
            outcome = error
        finally:
            connection.close()
        outcomes.append((person, outcome))

    threads = [threading.Thread(target=attempt, args=[person]) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return outcomes
