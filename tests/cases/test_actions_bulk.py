"""Decisions by filter: exactly what was asked, once, as one entry, and back again."""

import threading

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection

from cases import actions, filters
from cases.filters import AccountFilter
from cases.models import Case, Verdict
from cases.tasks import set_verdicts
from spine import jobs
from spine.errors import Conflict, Refused
from spine.models import Job, JobState, LogEntry
from tests.factories import Cast, make_case, run_job

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "owner", "audit"]),
    pytest.mark.usefixtures("checkpoints_apart"),
]
ALL = AccountFilter()


def ask(case: Case, cast: Cast, value: str = "benign", wanted: AccountFilter = ALL, count: int = -1) -> Job:
    expected = actions.count_matching(case, wanted, value) if count < 0 else count
    return actions.set_verdicts_matching(
        case, wanted, actor=cast.analyst, value=value, reason="known customers", expected_count=expected
    )


def values(case: Case) -> list[str]:
    return list(case.accounts.order_by("account__provider_id").values_list("value", flat=True))


def decide(case: Case, cast: Cast, place: int, value: str) -> None:
    held = case.accounts.select_related("account").order_by("account__provider_id")[place]
    actions.set_verdict(case, held.account, actor=cast.lead, value=value, reason="looked at", expected=held.verdict_id)


@pytest.mark.usefixtures("no_broker")
def test_filtered_decision_meets_exactly_those_that_match(committed_cast: Cast) -> None:
    case = make_case(committed_cast)
    decide(case, committed_cast, 1, "victim")
    job = run_job(ask(case, committed_cast, wanted=AccountFilter(verdict="none")))
    entry = LogEntry.objects.get(action="verdicts.set")

    assert values(case) == ["benign", "victim", "benign", "benign"]
    assert (job.result["accounts"], entry.row_count, entry.actor, entry.data["filter"]) == (
        3,
        3,
        "user:analyst",
        {"verdict": "none"},
    )


@pytest.mark.usefixtures("no_broker")
def test_wrong_count_is_a_conflict_and_no_job(committed_cast: Cast) -> None:
    case = make_case(committed_cast)
    with pytest.raises(Conflict, match="4 accounts match now, not 3"):
        ask(case, committed_cast, count=3)

    assert not Job.objects.exists()


@pytest.mark.usefixtures("no_broker")
def test_asked_twice_is_one_job_and_nothing_is_left_to_ask_after_it(committed_cast: Cast) -> None:
    case = make_case(committed_cast)
    job = ask(case, committed_cast)
    again = ask(case, committed_cast)
    run_job(job)
    with pytest.raises(Refused, match="No account matches"):
        ask(case, committed_cast)

    assert (again.id, Verdict.objects.count()) == (job.id, 4)


@pytest.mark.usefixtures("no_broker")
def test_asked_by_two_at_once_is_one_job(committed_cast: Cast) -> None:
    case, found = make_case(committed_cast), []
    barrier = threading.Barrier(2)

    def attempt() -> None:
        barrier.wait(timeout=20)
        found.append(ask(case, committed_cast).id)
        connection.close()

    threads = [threading.Thread(target=attempt) for _ in range(2)]
    [thread.start() for thread in threads]
    [thread.join(timeout=60) for thread in threads]

    assert (len(set(found)), Job.objects.count()) == (1, 1)


@pytest.mark.usefixtures("no_broker")
def test_verdict_between_asking_and_doing_refuses_the_whole(committed_cast: Cast) -> None:
    case = make_case(committed_cast)
    job = ask(case, committed_cast)
    decide(case, committed_cast, 0, "victim")
    run_job(job)

    assert (job.state, values(case)) == (JobState.FAILED, ["victim", "", "", ""])
    assert job.error.startswith("Verdicts changed since this was asked: 4 accounts matched then, 4 now.")


@pytest.mark.usefixtures("no_broker")
def test_job_done_again_after_its_commit_writes_nothing_more(committed_cast: Cast) -> None:
    case = make_case(committed_cast)
    job = run_job(ask(case, committed_cast))
    Job.objects.filter(id=job.id).update(state=JobState.QUEUED)
    before = LogEntry.objects.count()
    again = run_job(job)

    assert (again.result, LogEntry.objects.count(), Verdict.objects.count()) == (job.result, before, 4)


@pytest.mark.usefixtures("no_broker")
def test_person_who_lost_the_right_in_between_decides_nothing(committed_cast: Cast) -> None:
    case = make_case(committed_cast)
    job = ask(case, committed_cast)
    type(committed_cast.analyst).objects.filter(username="analyst").update(is_active=False)
    run_job(job)

    assert (job.state, values(case)) == (JobState.FAILED, [""] * 4)


@pytest.mark.usefixtures("no_broker")
def test_undo_restores_earlier_verdicts_as_a_new_decision(committed_cast: Cast) -> None:
    case = make_case(committed_cast)
    decide(case, committed_cast, 1, "victim")
    done = run_job(ask(case, committed_cast))
    run_job(actions.undo_verdicts(done, actor=committed_cast.lead))
    entry = LogEntry.objects.get(action="verdicts.undone")

    assert values(case) == ["", "victim", "", ""]
    assert (entry.actor, entry.row_count, entry.data["undoes"]) == ("user:lead", 4, str(done.id))
    assert Verdict.objects.count() == 9


@pytest.mark.usefixtures("no_broker")
def test_undo_leaves_alone_what_was_decided_since(committed_cast: Cast) -> None:
    case = make_case(committed_cast)
    done = run_job(ask(case, committed_cast))
    decide(case, committed_cast, 2, "victim")
    run_job(actions.undo_verdicts(done, actor=committed_cast.lead))

    assert values(case) == ["", "", "victim", ""]


@pytest.mark.usefixtures("no_broker")
def test_second_undo_is_told_who_was_first(committed_cast: Cast) -> None:
    case = make_case(committed_cast)
    done = run_job(ask(case, committed_cast))
    run_job(actions.undo_verdicts(done, actor=committed_cast.lead))
    with pytest.raises(Conflict, match=r"None of its verdicts stands any more \(by lead, "):
        actions.undo_verdicts(done, actor=committed_cast.analyst)


@pytest.mark.usefixtures("no_broker")
def test_undo_can_be_undone(committed_cast: Cast) -> None:
    case = make_case(committed_cast)
    done = run_job(ask(case, committed_cast))
    undone = run_job(actions.undo_verdicts(done, actor=committed_cast.lead))
    run_job(actions.undo_verdicts(undone, actor=committed_cast.lead))

    assert values(case) == ["benign"] * 4


@pytest.mark.usefixtures("no_broker")
def test_reader_asks_and_undoes_nothing(committed_cast: Cast) -> None:
    case = make_case(committed_cast)
    done = run_job(ask(case, committed_cast))
    with pytest.raises(PermissionDenied):
        actions.undo_verdicts(done, actor=committed_cast.reader)
    with pytest.raises(PermissionDenied):
        actions.set_verdicts_matching(
            case, ALL, actor=committed_cast.reader, value="victim", reason="x", expected_count=4
        )


@pytest.mark.usefixtures("no_broker")
def test_attempt_that_lost_its_lease_writes_nothing(committed_cast: Cast) -> None:
    case = make_case(committed_cast)
    job = ask(case, committed_cast)
    overtaken = jobs._take(job.id)
    assert overtaken is not None
    Job.objects.filter(id=job.id).update(holder=job.id)
    with pytest.raises(jobs.LeaseLost):
        set_verdicts(overtaken)

    assert values(case) == [""] * 4


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (AccountFilter(), 4),
        (AccountFilter(verdict="none"), 3),
        (AccountFilter(verdict="victim"), 1),
        (AccountFilter(min_exchanges=101), 0),
        (AccountFilter(text="pf_"), 4),
        (AccountFilter(text="acc-"), 4),
        (AccountFilter(text="nothing like it"), 0),
    ],
)
@pytest.mark.usefixtures("no_broker")
def test_filter_counts_exactly(committed_cast: Cast, wanted: AccountFilter, count: int) -> None:
    case = make_case(committed_cast)
    decide(case, committed_cast, 1, "victim")

    assert (filters.matching(case, wanted).count(), AccountFilter.of(wanted.as_args())) == (count, wanted)


@pytest.mark.parametrize(
    "given", [{"verdict": "guilty"}, {"cluster": "7"}, {"min_exchanges": "many"}, {"text": "a\x00b"}]
)
def test_filter_that_means_nothing_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(Refused):
        AccountFilter.of(given)
