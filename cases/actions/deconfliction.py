"""Verbs of deconfliction: ask, compare, answer, ask the other side first, reply.

A broker may not know of the cases that a question touches: what is entered into their logs is written as the system's,
in the broker's name, and says no more than the broker decided to tell.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone

from cases import deconfliction
from cases.actions import base
from cases.deconfliction import DESK, SYSTEM
from cases.models import (
    Approach,
    BrokerAnswer,
    BrokerReason,
    Case,
    CaseAccount,
    Comparison,
    Introduction,
    Match,
    Question,
    QuestionAbout,
    Reply,
)
from cases.models.deconfliction import AnswerValue
from people.models import User
from spine import jobs, log
from spine.errors import Conflict, Refused
from spine.models import AppendOnly
from spine.principal import acting_as

KIND = "deconfliction.compare"
DAY = timedelta(days=1)
_WORD = re.compile(r"[^\s,;()\[\]{}\"'<>“”‘’]+")
_REF = re.compile(r"RT-\d{4}-\w{5}", re.IGNORECASE)


@transaction.atomic
def ask(case: Case, *, actor: User, about: str, reason: str) -> Question:
    """Ask whether accounts of this case are in another that the actor cannot see. A broker answers, nobody before.

    Side effects: the question with its set of accounts; one log entry; a job that compares as the system. Raises
    Conflict while the same question waits for its answer; Refused without a broker, for a set that is too small or
    differs from an earlier one by too few accounts, when the day's questions are used up, and for a reason that names
    an account or a case: the broker sees none.
    """
    base.require(actor, "cases.write")
    base.one_of(about, QuestionAbout.values, field="about", label="The set of accounts")
    reason = base.clean(reason, field="reason", label="The reason", limit=1000)
    if not deconfliction.terms().exclude(user=actor).exists():
        raise Refused("Nobody is designated as broker who could answer: an administrator designates one.")
    User.objects.select_for_update(no_key=True).get(pk=actor.pk)
    row = base.locked_case(case)
    waiting = deconfliction.questions(row).filter(about=about, answer__isnull=True).select_related("entry").first()
    if waiting is not None:
        raise base.lost("This was asked already and waits for the broker", waiting.entry)
    accounts = deconfliction.chosen(row, about)
    _check_set(row, accounts)
    _check_pace(row, actor)
    _check_reason(row, reason)
    question = Question(
        case=row,
        asker=actor,
        about=about,
        reason=reason,
        accounts=len(accounts),
        account_set=deconfliction.packed(accounts),
    )
    data = {"question": str(question.pk), "accounts": len(accounts), "about": about}
    log.record(
        actor=actor.principal, action="deconfliction.asked", about=question, scope=row.pk, data=data, rows=[question]
    )
    args = {"question": str(question.pk)}
    jobs.enqueue(KIND, actor=SYSTEM, key=str(question.pk), args=args, scope=row.pk)
    return question


def compare(job: jobs.Running) -> dict[str, str]:
    """Compare a question's set with every other case its asker cannot see, once, as the system.

    Side effects: the comparison and its matches; one log entry that brokers alone see. What the job answers and how its
    progress reads is the same whether or not there is a match.
    """
    with acting_as(SYSTEM), transaction.atomic():
        question = Question.objects.select_related("asker").get(pk=job.args["question"])
        job.confirm()
        if not Comparison.objects.filter(question=question).exists():
            found = deconfliction.compare(question)
            rows: list[AppendOnly] = [Comparison(question=question, matches=len(found)), *found]
            data = {"question": str(question.pk), "matches": len(found)}
            log.record(actor=SYSTEM, action="deconfliction.compared", about=question, scope=DESK, data=data, rows=rows)
    return {"question": str(question.pk)}


@transaction.atomic
def answer(
    question: Question,
    *,
    actor: User,
    value: str,
    words: str = "",
    why: str = "",
    introduce: Iterable[UUID] = (),
) -> BrokerAnswer:
    """Answer a question, once: no hit, hit, or no answer. `introduce` are matches whose people are put in touch.

    Side effects: the answer and one introduction a match to the asking case, in an entry of its log; one introduction
    and entry for each case that is introduced; the reason, in an entry of the brokers. Raises Conflict when it was
    answered before; Refused before the comparison is done, for a hit where nothing was found, and without a reason
    where the answer is not what was found.
    """
    _require_broker(actor)
    base.one_of(value, AnswerValue.values, field="value", label="The answer")
    words = base.clean(words, field="words", label="What the asker is told", limit=1000, required=False)
    if question.asker_id == actor.pk:
        raise Refused("The asker is never the broker: somebody else answers this question.")
    with acting_as(SYSTEM):
        case = Case.objects.select_for_update(no_key=True).get(pk=question.case_id)
        found = _answerable(question)
        wanted = _introduced(found, value, introduce)
        required = value == AnswerValue.NO_ANSWER or (value == AnswerValue.NO_HIT and bool(found))
        why = base.clean(why, field="why", label="Why", limit=1000, required=required)
        if value == AnswerValue.HIT and not found:
            raise Refused("Nothing was found: there is nobody to be put in touch with.", field="value")
        given = BrokerAnswer(question=question, asker_id=question.asker_id, value=value, words=words, broker=actor)
        told = [_introduction(case.pk, question, match.contact, words, actor) for match in _once(wanted)]
        data = {"question": str(question.pk), "answer": value}
        log.record(
            actor=actor.principal,
            action="deconfliction.answered",
            about=question,
            scope=case.pk,
            data=data,
            rows=[given, *told],
        )
        for match in wanted:
            _introduce(match, question, words, actor)
        if why:
            log.record(
                actor=actor.principal,
                action="deconfliction.weighed",
                about=question,
                scope=DESK,
                data=data,
                rows=[BrokerReason(answer=given, words=why)],
            )
    return given


@transaction.atomic
def approach(match: Match, *, actor: User, words: str) -> Approach:
    """Ask the other side first whether it agrees to be put in touch; it learns that there is a question, not whose.

    Side effects: the approach; one entry in the other case's log. Raises Conflict when it was asked before, or the
    question is answered.
    """
    _require_broker(actor)
    words = base.clean(words, field="words", label="What the other side is told", limit=1000)
    with acting_as(SYSTEM):
        Case.objects.select_for_update(no_key=True).get(pk=match.case_id)
        _answerable(match.question)
        known = Approach.objects.filter(match=match).select_related("entry").first()
        if known is not None:
            raise base.lost("The other side was asked already", known.entry)
        row = Approach(match=match, case_id=match.case_id, words=words, broker=actor)
        log.record(actor=actor.principal, action="deconfliction.approached", about=row, scope=match.case_id, rows=[row])
    return row


@transaction.atomic
def reply(approach: Approach, *, actor: User, agrees: bool, words: str = "") -> Reply:
    """Tell the broker whether this case agrees to be put in touch.

    Side effects: the reply; one log entry. Raises Conflict when somebody replied before.
    """
    base.require(actor, "cases.write")
    words = base.clean(words, field="words", label="What the broker is told", limit=1000, required=False)
    case = base.locked_case(approach.case)
    known = Reply.objects.filter(approach=approach).select_related("entry").first()
    if known is not None:
        raise base.lost("This was replied to already", known.entry)
    row = Reply(approach=approach, agrees=agrees, words=words, by=actor)
    data = {"agrees": agrees}
    log.record(
        actor=actor.principal, action="deconfliction.replied", about=approach, scope=case.pk, data=data, rows=[row]
    )
    return row


@transaction.atomic
def record_look(question: Question, *, actor: User) -> None:
    """Note that a broker was shown a question with what was found. Side effects: one entry that brokers alone see."""
    _require_broker(actor)
    log.record(actor=actor.principal, action="deconfliction.read", about=question, scope=DESK)


def _check_set(case: Case, accounts: Sequence[UUID]) -> None:
    """Large enough, and not an earlier set with one account more or less: that would ask about the one."""
    least = settings.DECONFLICTION_LEAST_ACCOUNTS
    if len(accounts) < least:
        raise Refused(f"A question is about at least {least} accounts; these are {len(accounts)}.", field="about")
    now = set(accounts)
    for earlier in Question.objects.filter(case=case).values_list("account_set", flat=True):
        apart = len(now ^ set(deconfliction.unpacked(earlier)))
        if 0 < apart < least:
            raise Refused(
                f"An earlier question was about nearly the same accounts ({apart} apart, {least} are needed): its "
                "answer stands. The same accounts exactly may be asked about again.",
                field="about",
            )


def _check_pace(case: Case, actor: User) -> None:
    since, most = timezone.now() - DAY, settings.DECONFLICTION_PER_DAY
    with acting_as(SYSTEM):  # a person's questions from cases they see no more count too
        by_case = deconfliction.asked_since(since, case=case)
        by_person = deconfliction.asked_since(since, asker=actor)
    if max(by_case, by_person) >= most:
        raise Refused(f"At most {most} questions a day are taken from one case and from one person: ask tomorrow.")


def _check_reason(case: Case, reason: str) -> None:
    words = {form for word in _WORD.findall(reason) for form in (word, word.strip(".:!?…"))}
    held = CaseAccount.objects.filter(case=case)
    named = held.filter(account__provider_id__in=words) | held.filter(account__pseudonym__in=words)
    if _REF.search(reason) or named.exists():
        raise Refused("The broker reads this and sees no case: name no account and no case in it.", field="reason")


def _require_broker(actor: User) -> None:
    if not deconfliction.is_broker(actor):
        raise PermissionDenied("Only a broker designated by an administrator can do this.")


def _answerable(question: Question) -> list[Match]:
    """What was found, if the comparison is done and nobody has answered."""
    known = BrokerAnswer.objects.filter(question=question).select_related("entry").first()
    if known is not None:
        raise base.lost("This question was answered", known.entry)
    if not Comparison.objects.filter(question=question).exists():
        raise Conflict("The comparison is not done yet.")
    return list(deconfliction.matches(question))


def _introduced(found: Sequence[Match], value: str, introduce: Iterable[UUID]) -> list[Match]:
    wanted = set(introduce)
    chosen = [match for match in found if match.pk in wanted]
    if len(chosen) != len(wanted):
        raise Refused("There is no such match of this question.", field="introduce")
    if chosen and value != AnswerValue.HIT:
        raise Refused("People are put in touch with the answer “hit” alone.", field="introduce")
    return chosen


def _once(wanted: Sequence[Match]) -> list[Match]:
    """One match a contact: the asker is told of each person once."""
    return list({match.contact_id: match for match in wanted}.values())


def _introduce(match: Match, question: Question, words: str, actor: User) -> None:
    told = _introduction(match.case_id, question, question.asker, words, actor)
    log.record(actor=actor.principal, action="deconfliction.introduced", about=told, scope=match.case_id, rows=[told])


def _introduction(case_id: UUID, question: Question, person: User | None, words: str, actor: User) -> Introduction:
    return Introduction(case_id=case_id, question=question, person=person, words=words, broker=actor)
