"""Deconfliction: who brokers, what is compared, and what each side may know of a question.

The comparison is the system's own work: no person is shown which accounts two cases share. Brokers see counts and whom
to put in touch; the asker sees the broker's answer and nothing before it; the other side what the broker tells it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet
from django.http import Http404

from cases.access import Person, visible_cases
from cases.models import (
    Approach,
    BrokerTerm,
    Case,
    CaseAccount,
    CaseMember,
    Introduction,
    Match,
    Question,
    QuestionAbout,
)
from cases.models.access import MemberVia
from people.models import Role, User
from people.rights import RIGHTS
from spine.models import LogEntry

SYSTEM = "system:deconfliction"
# The scope of the brokers' own entries in the log, which no case has.
DESK = UUID("6d5c1f0e-0000-4000-8000-00000000de5c")
# A value that more accounts than this have shown says little about two cases that both have it.
RARE = 50


# Brokers


def terms() -> QuerySet[BrokerTerm]:
    """The terms that hold, by name. Administrators designate brokers and are none; who is switched off is none."""
    roles = [role for role in Role.values if "cases.read" in RIGHTS[role]]
    rows = BrokerTerm.objects.filter(superseded_by__isnull=True, ended=False, user__is_active=True)
    return rows.filter(user__role__in=roles).select_related("user", "decided_by").order_by("user__username")


def is_broker(user: Person) -> bool:
    """Whether this person is a broker now."""
    return isinstance(user, User) and user.is_active and terms().filter(user=user).exists()


def desk(user: Person) -> QuerySet[Question]:
    """Every question, for a broker; Http404 for anybody else. Order by ("-at", "-id")."""
    if not is_broker(user):
        raise Http404("There is no such page.")
    return Question.objects.select_related("asker", "comparison", "answer__broker", "answer__reason")


def question_for(user: Person, question_id: UUID) -> Question:
    """One question of the desk."""
    found = desk(user).filter(pk=question_id).first()
    if found is None:
        raise Http404("There is no such question.")
    return found


def matches(question: Question) -> QuerySet[Match]:
    """What the comparison found, in an order that tells nothing of the cases."""
    rows = Match.objects.filter(question=question).select_related("contact", "approach__broker", "approach__reply__by")
    return rows.order_by("place")


def match_for(question: Question, match_id: UUID) -> Match:
    """One match of a question."""
    found = matches(question).filter(pk=match_id).first()
    if found is None:
        raise Http404("There is no such match.")
    return found


def desk_entries(question: Question) -> QuerySet[LogEntry]:
    """What brokers and the system did about a question, newest first."""
    about = f"{question._meta.label_lower}:{question.pk}"
    return LogEntry.objects.filter(scope=DESK, about=about).select_related("sequence").order_by("-at", "-id")


# A case's side


def questions(case: Case) -> QuerySet[Question]:
    """What was asked from this case, newest first; of the answer what the asker is told."""
    return Question.objects.filter(case=case).select_related("asker", "answer__broker").order_by("-at", "-id")


def approaches(case: Case) -> QuerySet[Approach]:
    """Where a broker asks this case whether it agrees to be put in touch, newest first."""
    return Approach.objects.filter(case=case).select_related("broker", "reply__by").order_by("-at", "-id")


def introductions(case: Case) -> QuerySet[Introduction]:
    """Whom a broker told this case to talk to, newest first."""
    return Introduction.objects.filter(case=case).select_related("person", "broker").order_by("-at", "-id")


def of_case(case: Case) -> int:
    """How many questions, approaches and introductions stand on the case's tab."""
    return sum(rows.count() for rows in (questions(case), approaches(case), introductions(case)))


def approach_of(case: Case, approach_id: UUID) -> Approach:
    """One approach to this case."""
    found = approaches(case).filter(pk=approach_id).first()
    if found is None:
        raise Http404("There is no such question.")
    return found


def chosen(case: Case, about: str) -> list[UUID]:
    """The accounts a question is about, by id."""
    rows = CaseAccount.objects.filter(case=case)
    if about == QuestionAbout.ACTOR_CONTROLLED:
        rows = rows.filter(value="actor_controlled")
    return sorted(rows.values_list("account_id", flat=True))


def packed(accounts: Iterable[UUID]) -> bytes:
    """A set of accounts as it is kept: 16 bytes each, sorted."""
    return b"".join(sorted(account.bytes for account in accounts))


def unpacked(content: bytes | memoryview) -> list[UUID]:
    """The accounts of a kept set."""
    data = bytes(content)
    return [UUID(bytes=data[start : start + 16]) for start in range(0, len(data), 16)]


def asked_since(moment: datetime, *, case: Case | None = None, asker: User | None = None) -> int:
    """How many questions a case or a person has asked since then."""
    rows = Question.objects.filter(at__gt=moment)
    return (rows.filter(case=case) if case is not None else rows.filter(asker=asker)).count()


# The comparison


def compare(question: Question) -> list[Match]:
    """Unsaved matches with every other case its asker cannot see, those that share most first.

    The caller acts as the system. Two sets are compared as sets: accounts by id, attributes by value where at most RARE
    accounts of the population have shown them.
    """
    seen = visible_cases(question.asker).values("pk")
    others = list(Case.objects.exclude(pk=question.case_id).exclude(pk__in=seen).values_list("pk", flat=True))
    ids = unpacked(question.account_set)
    accounts = _shared_accounts(ids, others)
    attributes = _shared_attributes(question.case_id, ids, others)
    found = [
        Match(
            question=question,
            case=case,
            contact=contact(case),
            shared_accounts=accounts.get(case.pk, 0),
            shared_attributes=attributes.get(case.pk, 0),
        )
        for case in Case.objects.filter(pk__in={*accounts, *attributes}).select_related("assignee")
    ]
    return sorted(found, key=lambda match: (-match.shared_accounts, -match.shared_attributes, match.pk))


def contact(case: Case) -> User | None:
    """Whom to put in touch: who has the case, else a case lead among its members, else a member."""
    if case.assignee is not None and case.assignee.is_active:
        return case.assignee
    members = CaseMember.objects.filter(case=case, via=MemberVia.INVITED, person__is_active=True)
    ordered = sorted(members.select_related("person"), key=lambda one: (one.person.role != Role.CASE_LEAD, one.since))
    return ordered[0].person if ordered else None


def _shared_accounts(ids: Sequence[UUID], others: Sequence[UUID]) -> dict[UUID, int]:
    statement = """
        SELECT case_id, count(*) FROM cases_caseaccount
        WHERE account_id = ANY(%s) AND case_id = ANY(%s) AND detached_by_id IS NULL GROUP BY case_id
    """
    return _counted(statement, [list(ids), list(others)])


def _shared_attributes(case_id: UUID, ids: Sequence[UUID], others: Sequence[UUID]) -> dict[UUID, int]:
    statement = """
        SELECT held.case_id, count(DISTINCT link.attribute_id)
        FROM detection_clusterlink link JOIN cases_casecluster held ON held.cluster_id = link.cluster_id
        JOIN cases_caseaccount a
            ON a.case_id = held.case_id AND a.account_id = link.account_id AND a.detached_by_id IS NULL
        WHERE held.case_id = ANY(%s) AND link.attribute_id IN (
            SELECT mine.attribute_id
            FROM detection_clusterlink mine JOIN cases_casecluster held ON held.cluster_id = mine.cluster_id
            WHERE held.case_id = %s AND mine.account_id = ANY(%s) AND mine.holders <= %s
        )
        GROUP BY held.case_id
    """
    return _counted(statement, [list(others), case_id, list(ids), RARE])


def _counted(statement: str, values: list[Any]) -> dict[UUID, int]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return dict(cursor.fetchall())
