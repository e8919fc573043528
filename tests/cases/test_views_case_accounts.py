"""The Accounts tab: filter, drawer, verdicts on those picked and on all that match, and taking them back."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from cases import actions
from cases.models import Case, CaseAccount, Verdict
from detection.models import Account
from spine.models import Job, LogEntry
from tests.cases.pages import client_of, forms_of, text_of
from tests.factories import Cast, make_case, provider_ids, run_job

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_broker")]
BENIGN = {"value": "benign", "reason": "sampled and read"}


@pytest.fixture
def analyst(cast: Cast) -> Client:
    return client_of(cast.analyst)


def address(case: Case, query: str = "") -> str:
    return reverse("case_accounts", args=[case.ref]) + query


def held(case: Case) -> list[CaseAccount]:
    return list(CaseAccount.objects.filter(case=case).order_by("account__provider_id"))


def seen(rows: list[CaseAccount]) -> list[str]:
    return [f"{row.pk}:{row.verdict_id or ''}" for row in rows]


def shown(response: Any) -> set[str]:
    return {one.held.account.provider_id for one in response.context["accounts"]}


def decide_all(client: Client, case: Case, query: str = "", **data: Any) -> Any:
    match = client.get(address(case, query)).context["match"]
    counts = {f"already_{value}": n for value, n in match.counts.items() if value}
    return client.post(address(case, query), {**BENIGN, "all_matching": "1", "matching": match.total, **counts, **data})


def test_verdict_and_words_narrow_the_list(analyst: Client, cast: Cast) -> None:
    case = make_case(cast)
    first = held(case)[0]
    actions.set_verdict(case, first.account, actor=cast.analyst, value="victim", reason="taken over", expected=None)
    assert shown(analyst.get(address(case, "?verdict=victim"))) == {"acct-0000"}
    assert shown(analyst.get(address(case, "?verdict=none"))) == {"acct-0001", "acct-0002", "acct-0003"}
    assert shown(analyst.get(address(case, f"?q={first.account.pseudonym}"))) == {"acct-0000"}
    chips = {chip["label"]: chip["count"] for chip in analyst.get(address(case)).context["chips"]}
    assert (chips["all"], chips["victim"], chips["not judged"]) == (4, 1, 3)
    assert analyst.get(address(case, "?cursor=x")).status_code == 422


def test_a_page_shows_pseudonyms_and_never_the_provider_s_ids(analyst: Client, cast: Cast) -> None:
    case = make_case(cast)
    pseudonym = Account.objects.get(provider_id="acct-0001").pseudonym
    response = analyst.get(address(case, f"?open={pseudonym}&order=strength"))
    drawer = response.context["drawer"]
    assert (drawer["account"].pseudonym, len(drawer["links"]), drawer["close"]) == (pseudonym, 1, "?order=strength")
    assert "acct-" not in text_of(response)
    assert analyst.get(address(case, "?open=acc-nobody")).context["drawer"] is None


def test_the_list_takes_one_number_of_queries_for_one_row_and_for_three(analyst: Client, cast: Cast) -> None:
    counted = []
    for rows in (1, 3):
        case = make_case(cast, stage="judged", accounts=provider_ids(rows, f"of{rows}"))
        analyst.get(address(case))
        with CaptureQueriesContext(connection) as queries:
            assert len(shown(analyst.get(address(case)))) == rows
        counted.append(len(queries))
    # The second case is in a list of two, and asks for its neighbours there.
    assert counted[1] - counted[0] == 3


def test_picked_accounts_are_decided_in_one_entry(analyst: Client, cast: Cast) -> None:
    case = make_case(cast)
    rows = held(case)
    data = {**BENIGN, "account": [str(row.pk) for row in rows[:2]], "seen": seen(rows)}
    assert analyst.post(address(case, "?verdict=none"), data)["Location"] == address(case, "?verdict=none")
    assert [row.value for row in held(case)] == ["benign", "benign", "", ""]
    entry = LogEntry.objects.filter(scope=case.id).latest("at")
    assert (entry.actor, entry.action, entry.data["accounts"]) == ("user:analyst", "verdicts.set", 2)


def test_a_pick_somebody_decided_meanwhile_is_refused_with_name_and_input(analyst: Client, cast: Cast) -> None:
    case = make_case(cast)
    rows = held(case)
    actions.set_verdict(case, rows[0].account, actor=cast.lead, value="victim", reason="taken over", expected=None)
    data = {**BENIGN, "account": [str(row.pk) for row in rows[:2]], "seen": seen(rows)}
    refused = analyst.post(address(case), data)
    assert (refused.status_code, refused.context["picked"]) == (409, {str(row.pk) for row in rows[:2]})
    assert "is now victim (by lead" in text_of(refused)
    assert (refused.context["verdict_form"]["reason"].value(), Verdict.objects.count()) == ("sampled and read", 1)


def test_without_a_pick_nothing_is_decided(analyst: Client, cast: Cast) -> None:
    refused = analyst.post(address(make_case(cast)), BENIGN)
    assert (refused.status_code, Verdict.objects.count()) == (422, 0)


def test_all_that_match_are_decided_by_a_job_and_taken_back_by_another(analyst: Client, cast: Cast) -> None:
    case = make_case(cast)
    first = held(case)[0]
    actions.set_verdict(case, first.account, actor=cast.lead, value="benign", reason="known", expected=None)
    response = decide_all(analyst, case)
    job = Job.objects.get()
    assert (response["Location"], job.args["count"]) == (address(case, f"?job={job.pk}"), 3)
    waiting = analyst.get(response["Location"])
    assert [one["job_title"] for one in waiting.context["running"]] == ["Setting verdicts"]
    assert f'hx-get="/jobs/{job.pk}/"' in text_of(waiting)

    assert run_job(job).state == "done"
    decision = analyst.get(address(case)).context["decisions"][0]
    assert (decision["standing"], decision["by"], decision["word"]) == (3, "analyst", "benign")
    undo = reverse("undo_verdicts", args=[case.ref, job.pk])
    assert analyst.post(undo).status_code == 302
    assert run_job(Job.objects.latest("created_at")).state == "done"
    assert [row.value for row in held(case)] == ["benign", "", "", ""]
    twice = analyst.post(undo)
    assert (twice.status_code, "by analyst" in text_of(twice)) == (409, True)


def test_another_number_than_was_shown_is_refused(analyst: Client, cast: Cast) -> None:
    case = make_case(cast)
    refused = decide_all(analyst, case, matching=3)
    assert (refused.status_code, Job.objects.count()) == (409, 0)
    assert "4 accounts match now, not 3" in text_of(refused)


def test_failed_work_shows_its_error_and_is_started_again(analyst: Client, cast: Cast) -> None:
    case = make_case(cast)
    decide_all(analyst, case)
    job = Job.objects.get()
    actions.set_verdict(
        case, held(case)[0].account, actor=cast.lead, value="victim", reason="taken over", expected=None
    )
    assert run_job(job).state == "failed"
    page, again = analyst.get(address(case)), reverse("start_again", args=[job.pk])
    assert again in forms_of(page) and "Verdicts changed since this was asked" in text_of(page)
    assert forms_of(client_of(cast.reader).get(address(case))) == set()
    assert analyst.post(again).status_code == 302
    assert Job.objects.filter(state="queued").count() == 1


def test_readers_and_strangers_take_nothing_back(cast: Cast) -> None:
    case = make_case(cast, accounts=provider_ids(2))
    decide_all(client_of(cast.analyst), case)
    job = run_job(Job.objects.get())
    undo = reverse("undo_verdicts", args=[case.ref, job.pk])
    assert [client_of(one).post(undo).status_code for one in (cast.reader, cast.admin)] == [403, 404]
