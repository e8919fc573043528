"""The list of sanctioned testers: listed and ended by verbs, marked where accounts are shown, deciding nothing."""

import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import CommandError, call_command
from django.utils import timezone

from cases import actions, figures, history, testers
from cases.actions import testers as verbs
from cases.models import Case, CaseAccount, SanctionedAccount, SanctionedTest, Verdict
from detection.models import Account, Cluster
from detection.pseudonyms import pseudonym
from spine import sequencer
from spine.errors import Conflict, Refused
from spine.models import LogEntry
from tests.cases.api import client_of as api_of
from tests.cases.pages import client_of, text_of
from tests.cases.testers import BEFORE, LAST, list_test
from tests.factories import START, Cast, make_case, make_lead

pytestmark = pytest.mark.django_db
WORDS = {"organisation": "a", "purpose": "b", "authorised_by": "c", "authorisation": "d"}
AFTER = LAST + timedelta(days=9)


@pytest.fixture
def case(cast: Cast) -> Case:
    """A case of acct-0000 to acct-0003."""
    return make_case(cast)


def marked(case: Case) -> dict[str, str]:
    rows = CaseAccount.objects.filter(case=case).select_related("account", "member")
    found = testers.marks(rows)
    return {row.account.provider_id: found[row.account_id].words for row in rows if row.account_id in found}


def test_account_is_marked_while_its_activity_and_the_window_overlap(cast: Cast, case: Case) -> None:
    list_test(cast.lead, "acct-0000", "never-seen", until=AFTER)
    list_test(cast.lead, "acct-0001", until=START + timedelta(days=1))
    list_test(cast.lead, "acct-0002", until=START - timedelta(days=1))
    list_test(cast.lead, "acct-0003", since=LAST + timedelta(days=1), until=AFTER)

    assert marked(case) == {
        "acct-0000": "sanctioned tester 22 Apr 2026 until 19 May 2026",
        "acct-0001": "sanctioned tester 22 Apr 2026 until 02 May 2026, and active outside that time",
    }
    assert testers.count_at(case) == testers.members(Cluster.objects.get()).count() == 2


def test_the_list_is_of_one_namespace(cast: Cast, case: Case) -> None:
    list_test(cast.lead, "acct-0000", namespace="another")

    assert (marked(case), testers.look_up(["acct-0000"], "default")) == ({}, [])


def test_a_test_ended_early_covers_what_was_before(cast: Cast, case: Case) -> None:
    now = timezone.now()
    test = list_test(cast.lead, "acct-0000", since=BEFORE, until=now + timedelta(days=30))
    end = verbs.end_test(test, actor=cast.admin, reason="Finished")

    assert testers.tests().get().until == end.ended_at
    assert "until" in marked(case)["acct-0000"]
    with pytest.raises(Conflict, match=r"was ended \(by admin"):
        verbs.end_test(test, actor=cast.lead, reason="Again")


def test_a_window_that_is_over_cannot_be_ended(cast: Cast) -> None:
    with pytest.raises(Refused, match="over already"):
        verbs.end_test(list_test(cast.lead, "a", until=AFTER), actor=cast.lead, reason="x")


def test_case_leads_and_administrators_keep_the_list_and_others_do_not(cast: Cast) -> None:
    test = list_test(cast.admin, "a-1")
    for person in (cast.analyst, cast.counsel, cast.reader):
        with pytest.raises(PermissionDenied):
            list_test(person, "a-2")
        with pytest.raises(PermissionDenied):
            verbs.end_test(test, actor=person, reason="x")


def test_the_same_test_again_is_a_conflict_and_another_set_is_not(cast: Cast) -> None:
    list_test(cast.lead, "a-1", "a-2")
    with pytest.raises(Conflict, match="stands on the list since"):
        list_test(cast.lead, "a-2", " a-1 ", "a-1")
    list_test(cast.lead, "a-1", "a-3")

    assert SanctionedTest.objects.count() == 2


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"organisation": " "}, "organisation"),
        ({"authorisation": ""}, "authorisation"),
        ({"until": BEFORE}, "ends_at"),
        ({"since": BEFORE.replace(tzinfo=None)}, "starts_at"),
    ],
)
def test_a_test_that_lacks_something_is_refused(cast: Cast, given: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as refused:
        list_test(cast.lead, "a", **given)

    assert refused.value.field == field


@pytest.mark.parametrize("ids", [[], ["", "  "], ["ok", "secret-\x00id"], ["secret" * 40], ["x", "y\u200by"]])
def test_bad_ids_are_refused_by_line_and_never_repeated(cast: Cast, ids: list[str]) -> None:
    with pytest.raises(Refused) as refused:
        verbs.list_test(actor=cast.lead, starts_at=BEFORE, ends_at=AFTER, provider_ids=ids, **WORDS)

    assert refused.value.field == "accounts"
    assert "secret" not in refused.value.message


def test_the_log_has_counts_and_no_id_and_no_name(cast: Cast) -> None:
    list_test(cast.lead, "raw-id-1", until=AFTER, organisation="CANARY org")
    entry = LogEntry.objects.get(action="testers.listed")

    assert (entry.scope, entry.data) == (None, {"accounts": 1, "from": "2026-04-22", "until": "2026-05-19"})


def test_pages_show_the_mark_and_the_count_where_one_decides(cast: Cast, case: Case) -> None:
    list_test(cast.lead, "acct-0000", until=AFTER)
    analyst = client_of(cast.analyst)
    name = Account.objects.get(provider_id="acct-0000").pseudonym
    words = "sanctioned tester 22 Apr 2026 until 19 May 2026"
    accounts = text_of(analyst.get(f"/cases/{case.ref}/accounts/"))
    drawer = text_of(analyst.get(f"/cases/{case.ref}/accounts/?open={name}"))
    claims = text_of(analyst.get(f"/cases/{case.ref}/claims/"))
    lead = text_of(analyst.get(f"/leads/{case.clusters.get().cluster.sighting.lead_id}/"))

    assert (accounts.count(words), drawer.count(words), lead.count(words)) == (1, 2, 1)
    assert "1 of those that match is on the list" in accounts
    assert "1 account of this case is on the list" in claims
    assert "1 of these accounts is on the list" in lead


def test_a_verdict_on_all_is_never_changed_by_the_list_and_says_how_many_are_on_it(cast: Cast, case: Case) -> None:
    list_test(cast.lead, "acct-0000")
    client = client_of(cast.analyst)
    at = f"/cases/{case.ref}/accounts/"
    rows = CaseAccount.objects.filter(case=case)
    sent = {"value": "actor_controlled", "reason": "Looked at", "account": [row.pk for row in rows]}
    page = client.post(at, {**sent, "seen": [f"{row.pk}:" for row in rows]}, follow=True)

    assert set(Verdict.objects.values_list("value", flat=True)) == {"actor_controlled"}
    assert Verdict.objects.count() == 4
    assert "1 of them is on the list of sanctioned testers" in text_of(page)


def test_the_api_marks_counts_and_hints(cast: Cast, case: Case) -> None:
    test = list_test(cast.lead, "acct-0000", until=AFTER)
    api, at = api_of(cast.analyst), f"/api/v1/cases/{case.ref}/"
    rows = api.get(f"{at}accounts/").json()["results"]
    shown = [row["sanctioned_tester"] for row in rows if row["sanctioned_tester"]]
    expected = {
        "test": str(test.pk),
        "since": "2026-04-22T00:00:00Z",
        "until": "2026-05-19T00:00:00Z",
        "outside": False,
    }

    assert shown == [expected]
    counted = api.get(f"{at}verdicts/bulk/", {"value": "benign"}).json()
    assert counted == {"count": 4, "sanctioned_testers": 1}
    hints = {one["alternative"]: one["sanctioned_testers"] for one in api.get(f"{at}alternatives/").json()["results"]}
    assert {name: n for name, n in hints.items() if n is not None} == {"red_team": 1}


def test_the_figure_counts_them_for_the_present(cast: Cast, case: Case) -> None:
    list_test(cast.lead, "acct-0000", "acct-0001")
    found = {one.figure.key: one.value for one in figures.compute(case)}

    assert found["accounts_sanctioned_testers"] == 2


def test_the_page_lists_ends_and_looks_up_and_shows_no_raw_id(cast: Cast) -> None:
    client = client_of(cast.admin)
    tomorrow = timezone.now() + timedelta(days=1)
    fields = {
        "organisation": "Red team",
        "purpose": "Probe",
        "authorised_by": "Security",
        "authorisation": "Letter 3",
        "starts_at": "2026-05-01T00:00:00",
        "ends_at": tomorrow.strftime("%Y-%m-%dT%H:%M:%S"),
    }
    file = io.BytesIO("raw-id-2\r\nraw-id-3\r\n".encode("utf-8-sig"))
    file.name = "ids.txt"
    page = client.post("/sanctioned-testers/", {**fields, "accounts": "raw-id-1\n", "file": file}, follow=True)
    assert "Listed: 3 accounts." in text_of(page)
    assert "raw-id" not in text_of(page)
    assert pseudonym("default", "raw-id-2") in text_of(page)
    found = client.post("/sanctioned-testers/look-up/", {"accounts": "raw-id-3\nraw-id-9"})
    assert "1 of 2 on the list." in text_of(found)
    assert "raw-id" not in text_of(found)
    test = SanctionedTest.objects.get()
    assert client.post(f"/sanctioned-testers/{test.pk}/end/", {"reason": ""}).status_code == 422
    assert "Ended early" in text_of(client.post(f"/sanctioned-testers/{test.pk}/end/", {"reason": "Over"}, follow=True))
    assert client.post(f"/sanctioned-testers/{test.pk}/end/", {"reason": "Over"}).status_code == 409
    assert "List a test" not in text_of(client_of(cast.reader).get("/sanctioned-testers/"))


def test_a_file_that_is_no_text_is_refused_beside_its_field(cast: Cast) -> None:
    file = io.BytesIO(b"\xff\xfe\x00")
    file.name = "ids.bin"
    fields = {"organisation": "a", "purpose": "b", "authorised_by": "c", "authorisation": "d"}
    times = {"starts_at": "2026-05-01T00:00:00", "ends_at": "2026-06-01T00:00:00"}
    answer = client_of(cast.lead).post("/sanctioned-testers/", {**fields, **times, "file": file})

    assert (answer.status_code, answer.context["list_form"].errors["file"]) == (
        422,
        ["The file is not text in UTF-8."],
    )


def test_the_api_keeps_the_list(cast: Cast) -> None:
    api = api_of(cast.admin)
    body = {
        "organisation": "Red team",
        "purpose": "Probe",
        "authorised_by": "Security",
        "authorisation": "Letter 3",
        "starts_at": "2026-05-01T00:00:00Z",
        "ends_at": "2999-01-01T00:00:00Z",
        "accounts": ["raw-1", "raw-2"],
    }
    made = api.post("/api/v1/sanctioned-testers/", body)
    assert (made.status_code, made.json()["accounts"]) == (201, 2)
    assert api.post("/api/v1/sanctioned-testers/", body).status_code == 409
    found = api.post("/api/v1/sanctioned-testers/lookup/", {"accounts": ["other", "raw-2"]}).json()["found"]
    assert [(one["place"], one["pseudonym"]) for one in found] == [(1, pseudonym("default", "raw-2"))]
    end = f"/api/v1/sanctioned-testers/{made.json()['id']}/end/"
    assert [api.post(end, {"reason": "x"}).status_code for _ in range(2)] == [201, 409]
    assert len(api_of(cast.reader).get("/api/v1/sanctioned-testers/").json()["results"]) == 1
    assert api_of(cast.analyst).post("/api/v1/sanctioned-testers/", body).status_code == 403


def test_the_command_lists_a_file_and_prints_no_id(cast: Cast, tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "ids.txt"
    file.write_text("raw-1\n\nraw-2\n", encoding="utf-8")
    words = ["--organisation", "Red team", "--purpose", "Probe", "--authorised-by", "S", "--authorisation", "L"]
    window = ["--from", "2026-05-01", "--until", "2026-06-01T00:00:00+00:00"]
    call_command("sanctioned_testers", "--add", str(file), *words, *window, "--actor", "lead")
    test = SanctionedTest.objects.get()
    assert capsys.readouterr().out.strip() == str(test.pk)
    call_command("sanctioned_testers")
    printed = capsys.readouterr()
    assert printed.out.strip() == f"{test.pk} 2026-05-01T00:00:00+00:00 2026-06-01T00:00:00+00:00 2"
    assert "raw-" not in printed.out + printed.err
    assert SanctionedAccount.objects.count() == 2
    for wrong, told in (
        (["--add", str(file)], "--organisation"),
        (["--add", str(tmp_path / "none"), *words, *window, "--actor", "lead"], "cannot be read"),
        (["--add", str(file), *words, *window, "--actor", "nobody"], "Nobody active"),
    ):
        with pytest.raises(CommandError, match=told):
            call_command("sanctioned_testers", *wrong)
    with pytest.raises(PermissionDenied):
        call_command("sanctioned_testers", "--add", str(file), *words, *window, "--actor", "reader")


def test_a_lead_without_a_listed_member_says_nothing(cast: Cast) -> None:
    page = text_of(client_of(cast.analyst).get(f"/leads/{make_lead().pk}/"))

    assert "on the list" not in page


def test_a_cut_counts_by_the_list_as_it_stood(cast: Cast, case: Case) -> None:
    test = list_test(cast.lead, "acct-0000")
    actions.edit_case(case, actor=cast.analyst, changes={"title": (case.title, "Renamed")})
    sequencer.sequence()
    at = history.cut(case)
    list_test(cast.lead, "acct-0001")
    verbs.end_test(test, actor=cast.lead, reason="Listed by mistake")
    later = {one.figure.key: one.value for one in figures.compute(case, at)}

    assert (later["accounts_sanctioned_testers"], testers.count_at(case)) == (1, 2)
