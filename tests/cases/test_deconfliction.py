"""Deconfliction: asked from a case, compared by the system, answered by a broker; nobody learns more."""

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, connection, transaction

from cases import deconfliction, history
from cases.actions import brokers as broker_verbs
from cases.actions import deconfliction as verbs
from cases.deconfliction import DESK
from cases.models import BrokerAnswer, Case, CaseAccount, CaseCluster, Introduction, Match, Question
from detection.models import Account, Attribute, ClusterLink
from people.models import User
from spine import log, sequencer
from spine.errors import Conflict, Refused
from spine.models import Job, LogEntry
from spine.principal import acting_as
from tests.cases.deconflicting import ask, asking_case, compared, designate, hidden_case, make_broker, restrict
from tests.factories import START, Cast, make_case, make_person, provider_ids, run_job

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_broker")]


@pytest.fixture
def broker(cast: Cast) -> User:
    return make_broker(cast)


def found(question: Question) -> list[tuple[int, int]]:
    return [(match.shared_accounts, match.shared_attributes) for match in compared(question)]


# What is compared


def test_a_hidden_case_that_shares_accounts_is_found(cast: Cast, broker: User) -> None:
    hidden_case(cast, shared=3)
    question = ask(asking_case(cast), cast.analyst)

    assert (question.accounts, found(question)) == (8, [(3, 0)])


def test_a_case_that_the_asker_sees_is_no_hit(cast: Cast, broker: User) -> None:
    make_case(cast, accounts=[*provider_ids(3), *provider_ids(9, prefix="open")])
    hidden_case(cast)

    assert found(ask(asking_case(cast), cast.lead)) == []


def test_a_rare_shared_value_is_found_and_a_common_one_is_not(cast: Cast, broker: User) -> None:
    hidden, case = hidden_case(cast, shared=0), asking_case(cast)
    for value, holders in (("pf_rare", deconfliction.RARE), ("pf_common", deconfliction.RARE + 1)):
        attribute = Attribute.objects.create(type="payment_fingerprint", value=value)
        for one in (hidden, case):
            link(one, attribute, holders)

    assert found(ask(case, cast.analyst)) == [(0, 1)]


def link(case: Case, attribute: Attribute, holders: int) -> None:
    """The first account of the case is tied by this value, which so many accounts have shown."""
    held = CaseAccount.objects.filter(case=case).order_by("account__provider_id")[0]
    cluster = CaseCluster.objects.get(case=case).cluster
    row = ClusterLink(
        cluster=cluster,
        account=held.account,
        attribute=attribute,
        signal="shared_attribute",
        count=1,
        holders=holders,
        population=2481,
        strength=0.5,
        reason="x",
        first_seen=START,
        last_seen=START,
    )
    log.record(actor="system:test", action="run.finished", rows=[row])


def test_only_the_chosen_accounts_are_compared(cast: Cast, broker: User, settings: Any) -> None:
    settings.DECONFLICTION_LEAST_ACCOUNTS = 2
    hidden_case(cast, shared=3)
    case = asking_case(cast)
    rows = CaseAccount.objects.filter(case=case).order_by("account__provider_id")
    from cases import actions

    picks = {row.pk: None for row in rows[2:5]}
    actions.set_verdicts_picked(case, picks, actor=cast.analyst, value="actor_controlled", reason="Looked at")

    assert found(ask(case, cast.analyst, about="actor_controlled")) == [(1, 0)]


def test_comparing_twice_writes_once(cast: Cast, broker: User) -> None:
    hidden_case(cast)
    question = ask(asking_case(cast), cast.analyst)
    compared(question)
    job = Job.objects.get(kind=verbs.KIND)
    Job.objects.filter(pk=job.pk).update(state="queued", attempts=0)
    run_job(job)

    assert (job.result, Match.objects.count()) == ({"question": str(question.pk)}, 1)


def test_the_job_reads_the_same_with_and_without_a_hit(cast: Cast, broker: User) -> None:
    hidden_case(cast)
    said = []
    for case in (asking_case(cast), make_case(cast, accounts=provider_ids(7, prefix="alone"))):
        question = ask(case, cast.analyst)
        compared(question)
        job = Job.objects.get(key=str(question.pk))
        said.append((job.state, job.note, job.error, job.done, job.total, set(job.result), set(job.args)))

    assert said[0] == said[1]


# Asking


def test_nobody_can_ask_before_there_is_a_broker(cast: Cast) -> None:
    with pytest.raises(Refused, match="Nobody is designated as broker"):
        ask(asking_case(cast), cast.analyst)


def test_a_broker_alone_cannot_ask_and_readers_cannot(cast: Cast) -> None:
    case = asking_case(cast)
    designate(cast, cast.analyst)
    with pytest.raises(Refused, match="Nobody is designated"):
        ask(case, cast.analyst)
    with pytest.raises(PermissionDenied):
        ask(case, cast.reader)


def test_a_small_set_is_refused(cast: Cast, broker: User) -> None:
    with pytest.raises(Refused, match="at least 5 accounts; these are 4"):
        ask(asking_case(cast, accounts=4), cast.analyst)


def test_the_same_question_waits_once_and_may_be_asked_again_when_answered(cast: Cast, broker: User) -> None:
    case = asking_case(cast)
    question = ask(case, cast.analyst)
    with pytest.raises(Conflict, match=r"waits for the broker \(by analyst"):
        ask(case, cast.lead)
    compared(question)
    verbs.answer(question, actor=broker, value="no_hit")
    ask(case, cast.lead)

    assert Question.objects.count() == 2


def test_a_set_that_differs_by_few_accounts_is_refused(cast: Cast, broker: User) -> None:
    """Otherwise two questions would tell of the one account between them."""
    from cases import actions

    case = asking_case(cast)
    compared(question := ask(case, cast.analyst))
    verbs.answer(question, actor=broker, value="no_hit")
    rows = CaseAccount.objects.filter(case=case).order_by("account__provider_id")
    picks = {row.pk: None for row in rows[:7]}
    actions.set_verdicts_picked(case, picks, actor=cast.analyst, value="actor_controlled", reason="Looked at")

    with pytest.raises(Refused, match="1 apart, 5 are needed"):
        ask(case, cast.analyst, about="actor_controlled")


def test_questions_a_day_are_limited_by_case_and_by_person(cast: Cast, broker: User, settings: Any) -> None:
    settings.DECONFLICTION_PER_DAY = 1
    first, second = asking_case(cast), make_case(cast, accounts=provider_ids(7, prefix="second"))
    compared(question := ask(first, cast.analyst))
    verbs.answer(question, actor=broker, value="no_hit")
    for case, actor in ((first, cast.lead), (second, cast.analyst)):
        with pytest.raises(Refused, match="At most 1 questions a day"):
            ask(case, actor)
    ask(second, cast.lead)


@pytest.mark.parametrize("words", ["Is acct-0003 yours?", "See RT-2026-K7Q4M.", "Look (acct-0001)!"])
def test_a_reason_that_names_an_account_or_a_case_is_refused(cast: Cast, broker: User, words: str) -> None:
    case = asking_case(cast)
    name = Account.objects.get(provider_id="acct-0002").pseudonym
    for reason in (words, f"About {name}, please"):
        with pytest.raises(Refused, match="name no account and no case") as refused:
            verbs.ask(case, actor=cast.analyst, about="all", reason=reason)
        assert "acct" not in refused.value.message


def test_a_closed_case_asks_nothing(cast: Cast, broker: User) -> None:
    case = make_case(cast, stage="closed", accounts=8)
    with pytest.raises(Refused, match="closed"):
        ask(case, cast.analyst)


# Answering


def test_a_hit_with_introduction_tells_each_side_the_others_name(cast: Cast, broker: User) -> None:
    hidden, case = hidden_case(cast), asking_case(cast)
    [match] = compared(question := ask(case, cast.counsel))
    Case.objects.filter(pk=hidden.pk).update(assignee=cast.lead)
    verbs.answer(question, actor=broker, value="hit", words="Please talk.", introduce=[match.pk])
    told = {one.case_id: one.person for one in Introduction.objects.all()}

    assert told == {case.pk: match.contact, hidden.pk: cast.counsel}
    assert [entry.action for entry in LogEntry.objects.filter(scope=hidden.pk, action__startswith="deconf")] == [
        "deconfliction.introduced"
    ]


def test_a_hit_without_introduction_leaves_the_other_side_untold(cast: Cast, broker: User) -> None:
    hidden = hidden_case(cast)
    compared(question := ask(asking_case(cast), cast.analyst))
    verbs.answer(question, actor=broker, value="hit", words="I will call you.")

    assert not Introduction.objects.exists()
    assert not LogEntry.objects.filter(scope=hidden.pk, action__startswith="deconfliction").exists()


def test_an_answer_that_is_not_what_was_found_needs_a_reason(cast: Cast, broker: User) -> None:
    hidden_case(cast)
    compared(question := ask(asking_case(cast), cast.analyst))
    for value in ("no_hit", "no_answer"):
        with pytest.raises(Refused, match="Why is missing"):
            verbs.answer(question, actor=broker, value=value)
    verbs.answer(question, actor=broker, value="no_hit", why="A shared test account.")

    assert BrokerAnswer.objects.get().reason.words == "A shared test account."


def test_nothing_found_is_no_hit_to_be_answered_like_any_other(cast: Cast, broker: User) -> None:
    question = ask(asking_case(cast), cast.analyst)
    with pytest.raises(Conflict, match="not done yet"):
        verbs.answer(question, actor=broker, value="no_hit")
    assert compared(question) == []
    with pytest.raises(Refused, match="Nothing was found"):
        verbs.answer(question, actor=broker, value="hit")
    verbs.answer(question, actor=broker, value="no_hit")
    with pytest.raises(Conflict, match=r"was answered \(by broker"):
        verbs.answer(question, actor=broker, value="no_hit")


def test_people_are_put_in_touch_with_a_hit_and_a_match_of_this_question_alone(cast: Cast, broker: User) -> None:
    hidden_case(cast)
    [match] = compared(question := ask(asking_case(cast), cast.analyst))
    other = ask(make_case(cast, accounts=provider_ids(6, prefix="other")), cast.counsel)
    compared(other)
    with pytest.raises(Refused, match="with the answer"):
        verbs.answer(question, actor=broker, value="no_answer", why="x", introduce=[match.pk])
    with pytest.raises(Refused, match="no such match"):
        verbs.answer(other, actor=broker, value="no_hit", introduce=[match.pk])


def test_the_asker_is_never_the_broker(cast: Cast, broker: User) -> None:
    designate(cast, cast.analyst)
    compared(question := ask(asking_case(cast), cast.analyst))
    with pytest.raises(Refused, match="never the broker"):
        verbs.answer(question, actor=cast.analyst, value="no_hit")
    row = BrokerAnswer(question=question, asker=cast.analyst, value="no_hit", broker=cast.analyst)
    with pytest.raises(IntegrityError, match="asker_and_broker_are_two"), transaction.atomic():
        log.record(actor="user:analyst", action="deconfliction.answered", rows=[row])


def test_the_other_side_can_be_asked_first_and_replies_once(cast: Cast, broker: User) -> None:
    hidden = hidden_case(cast)
    [match] = compared(question := ask(asking_case(cast), cast.analyst))
    approach = verbs.approach(match, actor=broker, words="May I name you?")
    with pytest.raises(Conflict, match=r"asked already \(by broker"):
        verbs.approach(match, actor=broker, words="Again")
    with pytest.raises(PermissionDenied):
        verbs.reply(approach, actor=cast.reader, agrees=True)
    verbs.reply(approach, actor=cast.lead, agrees=False, words="Not yet.")
    with pytest.raises(Conflict, match=r"replied to already \(by lead"):
        verbs.reply(approach, actor=cast.lead, agrees=True)
    told = LogEntry.objects.filter(scope=hidden.pk, action__startswith="deconfliction").order_by("at", "id")

    assert [entry.action for entry in told] == ["deconfliction.approached", "deconfliction.replied"]
    assert str(question.pk) not in str([entry.data for entry in told])


# Brokers


def test_brokers_are_designated_by_administrators_who_are_none(cast: Cast, broker: User) -> None:
    with pytest.raises(PermissionDenied):
        broker_verbs.designate(actor=cast.lead, person=cast.reader, reason="x")
    with pytest.raises(Refused, match="administrators designate and are none"):
        designate(cast, cast.admin)
    with pytest.raises(Conflict, match=r"broker already \(by admin"):
        designate(cast, broker)
    User.objects.filter(pk=broker.pk).update(role="administrator")
    broker.refresh_from_db()

    assert not deconfliction.is_broker(broker)


def test_a_term_that_ended_opens_nothing_and_can_begin_again(cast: Cast) -> None:
    term = designate(cast, cast.reader)
    broker_verbs.end_term(term, actor=cast.admin, reason="Moved on")
    with pytest.raises(Conflict, match="was ended"):
        broker_verbs.end_term(term, actor=cast.admin, reason="Moved on")
    assert not deconfliction.is_broker(cast.reader)
    designate(cast, cast.reader)

    assert [one.user for one in deconfliction.terms()] == [cast.reader]


@pytest.mark.parametrize("verb", ["answer", "approach", "look"])
def test_the_desk_is_for_brokers_alone(cast: Cast, broker: User, verb: str) -> None:
    hidden_case(cast)
    [match] = compared(question := ask(asking_case(cast), cast.analyst))
    for person in cast.all():
        with pytest.raises(PermissionDenied):
            {
                "answer": lambda person=person: verbs.answer(question, actor=person, value="hit"),
                "approach": lambda person=person: verbs.approach(match, actor=person, words="x"),
                "look": lambda person=person: verbs.record_look(question, actor=person),
            }[verb]()


# Who learns what


TABLES = ("cases_question", "cases_comparison", "cases_match", "cases_brokeranswer", "cases_brokerreason")


def counted(principal: str) -> list[int]:
    """Rows and brokers' entries that the database itself gives this principal."""
    with acting_as(principal), connection.cursor() as cursor:
        counts = []
        for table in TABLES:
            cursor.execute(f"SELECT count(*) FROM {table}")
            counts.append(int(cursor.fetchone()[0]))
        return [*counts, LogEntry.objects.filter(scope=DESK).count()]


def test_the_database_shows_what_was_found_to_brokers_alone(cast: Cast, broker: User) -> None:
    hidden_case(cast)
    case = restrict(asking_case(cast), cast.analyst)
    compared(question := ask(case, cast.analyst))
    with acting_as(broker.principal):
        verbs.record_look(deconfliction.question_for(broker, question.pk), actor=broker)
        verbs.answer(question, actor=broker, value="no_hit", why="Shared test accounts.")

    people = (broker.username, "analyst", "lead", "reader", "admin")
    assert {name: counted(f"user:{name}") for name in people} == {
        "broker": [1, 1, 1, 1, 1, 3],
        "analyst": [1, 0, 0, 1, 0, 0],
        "lead": [0, 0, 0, 0, 0, 0],
        "reader": [0, 0, 0, 0, 0, 0],
        "admin": [0, 0, 0, 0, 0, 0],
    }


def test_a_broker_acts_on_cases_that_the_database_hides_from_them(cast: Cast, broker: User) -> None:
    hidden = hidden_case(cast)
    case = restrict(asking_case(cast), cast.analyst)
    [match] = compared(question := ask(case, cast.analyst))
    with acting_as(broker.principal):
        assert not Case.objects.exists()
        mine = deconfliction.question_for(broker, question.pk)
        verbs.approach(deconfliction.match_for(mine, match.pk), actor=broker, words="May I?")
        verbs.answer(mine, actor=broker, value="hit", introduce=[match.pk])
        assert not Case.objects.exists()

    assert {one.case_id for one in Introduction.objects.all()} == {case.pk, hidden.pk}


def test_nothing_of_a_question_is_in_what_a_dossier_says(cast: Cast, broker: User) -> None:
    case = asking_case(cast)
    compared(question := ask(case, cast.analyst))
    verbs.answer(question, actor=broker, value="no_hit")
    sequencer.sequence()
    at = history.cut(case)

    assert {entry.action for entry in history.acts_at(case, at)} == {"case.opened"}
    assert LogEntry.objects.filter(scope=case.pk, action__startswith="deconfliction").count() == 2


def test_contact_is_who_has_the_case_else_a_lead_among_its_members(cast: Cast) -> None:
    case = restrict(make_case(cast), cast.counsel, cast.lead)
    contacts = [deconfliction.contact(case)]
    Case.objects.filter(pk=case.pk).update(assignee=None)
    case.refresh_from_db()
    contacts.append(deconfliction.contact(case))
    User.objects.filter(pk=cast.lead.pk).update(is_active=False)

    assert [*contacts, deconfliction.contact(case)] == [cast.analyst, cast.lead, cast.counsel]


def test_sets_are_kept_exactly() -> None:
    ids = sorted(make_person(f"p{number}", "reader").pk for number in range(3))

    assert deconfliction.unpacked(deconfliction.packed(reversed(ids))) == ids
