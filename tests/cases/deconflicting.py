"""Questions of deconfliction for tests, by the real verbs: two cases that share accounts, a broker, a question."""

from cases.actions import brokers as broker_verbs
from cases.actions import deconfliction as verbs
from cases.models import BrokerTerm, Case, CaseMember, Match, Question
from people.models import User
from spine.models import Job
from tests.factories import Cast, make_case, make_person, provider_ids, run_job


def restrict(case: Case, *members: User) -> Case:
    """The case, hidden from all but these people."""
    for person in members:
        CaseMember.objects.create(case=case, person=person)
    Case.objects.filter(pk=case.pk).update(restricted=True)
    case.refresh_from_db()
    return case


def make_broker(cast: Cast, username: str = "broker") -> User:
    """A reader who is designated as broker."""
    person = make_person(username, "reader")
    designate(cast, person)
    return person


def designate(cast: Cast, person: User) -> BrokerTerm:
    """A broker's term."""
    return broker_verbs.designate(actor=cast.admin, person=person, reason="Knows both teams.")


def asking_case(cast: Cast, accounts: int = 8) -> Case:
    """A case of acct-0000 and so on, open to all who read cases."""
    return make_case(cast, accounts=provider_ids(accounts))


def hidden_case(cast: Cast, shared: int = 3) -> Case:
    """A case of the lead alone, of which so many accounts are in the asking case too."""
    mine = provider_ids(9, prefix="hidden")
    return restrict(make_case(cast, accounts=[*provider_ids(shared), *mine]), cast.lead)


def ask(case: Case, actor: User, about: str = "all") -> Question:
    """A question."""
    return verbs.ask(case, actor=actor, about=about, reason="They changed hands last week.")


def compared(question: Question) -> list[Match]:
    """What a worker finds."""
    run_job(Job.objects.get(kind=verbs.KIND, key=str(question.pk)))
    return list(Match.objects.filter(question=question).order_by("place"))
