"""Lists of accounts: ids somebody brings, and downloads for enforcement that are in the log."""

import csv
import io
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from cases import account_lists, actions
from cases.access import lead_for, visible_entries
from cases.account_lists import ids_in
from cases.actions import lists
from cases.dossier.schedules import unguarded
from cases.filters import AccountFilter
from cases.models import Case, Lead
from detection.index import ensure_accounts
from detection.models import Finding
from spine.errors import Refused
from spine.models import LogEntry
from tests.cases.api import client_of as api_of
from tests.cases.pages import client_of, forms_of, text_of
from tests.cases.testers import list_test
from tests.factories import Cast, make_case, make_lead, provider_ids

pytestmark = pytest.mark.django_db


@pytest.fixture
def case(cast: Cast) -> Case:
    return make_case(cast, accounts=provider_ids(4, "lst"))


def rows_of(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.getvalue().decode())))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a\nb\r\n\n a \n", {"a": 1, "b": 2}),
        ("account_id,why\nacct_1,x\n\nacct_2,y", {"acct_1": 2, "acct_2": 4}),
        ('"quoted, with comma",1\n', {"quoted, with comma": 1}),
        ("\ufeffid\n1", {"1": 2}),
        ("", {}),
        (",,\n;", {";": 2}),
    ],
)
def test_ids_of_a_list_are_the_first_cells_each_once(text: str, found: dict[str, int]) -> None:
    assert list(ids_in(text).items()) == list(found.items())


def test_what_is_known_of_ids_is_told_in_their_order(case: Case, cast: Cast) -> None:
    make_lead(provider_ids(3, "wait"))
    ids = ["nobody", *provider_ids(1, "lst"), *provider_ids(1, "wait")]
    browser = client_of(cast.reader)
    page = text_of(browser.post("/accounts/", {"ids": "\n".join(ids)}))
    assert "2 of 3 known, 1 in a case" in page
    assert f'<a href="/cases/{case.ref}/accounts/?q=' in page
    found = api_of(cast.reader).post("/api/v1/accounts/known/", {"ids": ids}, format="json").json()
    assert [(one["provider_id"], one["account"] is not None, one["findings"], one["leads"]) for one in found] == [
        ("nobody", False, 0, 0),
        (ids[1], True, 1, 0),
        (ids[2], True, 1, 1),
    ]
    assert found[1]["cases"] == [{"ref": case.ref, "verdict": "no verdict"}]


def test_file_of_ids_counts_with_those_pasted_and_a_bad_one_is_told(case: Case, cast: Cast) -> None:
    browser = client_of(cast.analyst)
    file = SimpleUploadedFile("ids.csv", "\n".join(["account", *provider_ids(4, "lst")]).encode())
    assert "4 of 5 known" in text_of(browser.post("/accounts/", {"ids": "other", "file": file}))
    bad = SimpleUploadedFile("ids.csv", b"\xff\xfe\x00")
    answer = browser.post("/accounts/", {"file": bad})
    assert (answer.status_code, "The file is not text in UTF-8." in text_of(answer)) == (422, True)


@pytest.mark.parametrize(
    ("field", "sent", "said"),
    [
        ("file", "account\na\n\na\n" + "b" * 201, "What stands in line 5 is no account's id"),
        ("file", "account\na\x00b", "What stands in line 2 is no account's id"),
        ("ids", "a\n" + "b" * 200_000, "What stands in line 2 is no account's id"),
        ("file", "\n".join(map(str, range(10_001))), "10,001 ids are in it; at most 10,000 fit."),
    ],
)
def test_what_is_wrong_with_a_list_stands_under_it_with_its_line(field: str, sent: str, said: str, cast: Cast) -> None:
    given = {"ids": "fine", field: SimpleUploadedFile("ids.csv", sent.encode()) if field == "file" else sent}
    answer = client_of(cast.analyst).post("/accounts/", given)
    errors = answer.context["form"].errors
    assert (answer.status_code, list(errors)) == (422, [field])
    assert said in errors[field][0]


def test_nothing_of_a_restricted_case_is_known_to_who_may_not_know_of_it(case: Case, cast: Cast) -> None:
    actions.restrict_case(case, actor=cast.lead, reason="Few need to know")
    body = {"ids": provider_ids(1, "lst")}
    [for_lead] = api_of(cast.lead).post("/api/v1/accounts/known/", body, format="json").json()
    [for_reader] = api_of(cast.reader).post("/api/v1/accounts/known/", body, format="json").json()
    assert (len(for_lead["cases"]), for_reader["cases"]) == (1, [])


def test_download_of_ids_is_a_guarded_file_and_in_the_log_without_an_id(case: Case, cast: Cast) -> None:
    formula = '=HYPERLINK("http://x.example")'
    ensure_accounts("default", [formula])
    sent = {"do": "download", "ids": "\n".join([f'"{formula.replace(chr(34), chr(34) * 2)}"', *provider_ids(1, "lst")])}
    answer = client_of(cast.analyst).post("/accounts/", sent)
    first, second = rows_of(answer)
    assert first["provider_id"].startswith("'=")
    assert unguarded(first["provider_id"]) == formula
    assert (first["known"], second["cases"]) == ("yes", f"{case.ref}: no verdict")
    entry = LogEntry.objects.get(action="accounts.listed")
    assert (entry.actor, entry.data) == ("user:analyst", {"count": 2, "known": 2})


def test_accounts_of_a_case_are_downloaded_by_filter_and_it_is_logged(case: Case, cast: Cast) -> None:
    held = case.accounts.select_related("account").order_by("account__pseudonym")[0]
    actions.set_verdict(
        case, held.account, actor=cast.analyst, value="actor_controlled", reason="Looked at", expected=None
    )
    answer = client_of(cast.analyst).post(f"/cases/{case.ref}/accounts/download/", {"verdict": "actor_controlled"})
    assert answer["Content-Disposition"] == f'attachment; filename="{case.ref}-accounts.csv"'
    [row] = rows_of(answer)
    assert (row["provider_id"], row["pseudonym"], row["verdict"], row["decided_by"]) == (
        held.account.provider_id,
        held.account.pseudonym,
        "actor-controlled",
        "analyst",
    )
    entry = LogEntry.objects.get(action="accounts.exported")
    assert (entry.scope, entry.data["count"], entry.data["which"]) == (case.pk, 1, "verdict actor-controlled")
    whole = api_of(cast.counsel).get(f"/api/v1/cases/{case.ref}/accounts/download/")
    assert {one["provider_id"] for one in rows_of(whole)} == set(provider_ids(4, "lst"))


def test_who_may_not_see_the_providers_ids_downloads_no_case(case: Case, cast: Cast) -> None:
    with pytest.raises(PermissionDenied):
        lists.export_accounts(case, actor=cast.reader, wanted=AccountFilter())
    assert "Download" not in text_of(client_of(cast.reader).get(f"/cases/{case.ref}/accounts/"))
    assert not LogEntry.objects.filter(action="accounts.exported").exists()


def test_accounts_of_a_lead_are_downloaded_with_what_speaks_against_acting_on_them(cast: Cast) -> None:
    formula = '=HYPERLINK("http://x.example")'
    lead = make_lead([formula, "apart", "tester", "plain"])
    list_test(cast.lead, "tester")
    picked = lead.cluster.members.filter(account__provider_id="apart").values_list("account", flat=True)
    actions.keep_apart(lead, list(picked), actor=cast.analyst, reason="Another customer")
    browser = client_of(cast.analyst)
    address = reverse("download_lead_accounts", args=[lead.pk])
    assert address in forms_of(browser.get(f"/leads/{lead.pk}/"))
    sent, asked = browser.post(address), api_of(cast.counsel).get(f"/api/v1/leads/{lead.pk}/accounts/download/")
    rows = {row["provider_id"]: row for row in rows_of(sent)}
    assert rows_of(asked) == list(rows.values())
    assert [unguarded(one) for one in sorted(rows)] == [formula, "apart", "plain", "tester"]
    marks = {name: (bool(row["sanctioned_tester"]), row["kept_apart"]) for name, row in rows.items() if name[0] != "'"}
    assert marks == {"apart": (False, "Another customer"), "plain": (False, ""), "tester": (True, "")}
    member = lead.cluster.members.select_related("account").get(account__provider_id="plain")
    assert (rows["plain"]["pseudonym"], rows["plain"]["exchanges"]) == (member.account.pseudonym, str(member.exchanges))
    assert sent["Content-Disposition"] == (
        f'attachment; filename="lead-accounts-{lead.cluster.run.finished_at:%Y%m%d-%H%M}.csv"'
    )
    entries = LogEntry.objects.filter(action="lead.accounts_exported").order_by("at")
    told = {"cluster": str(lead.cluster_id), "count": 4}
    assert [(one.actor, one.data) for one in entries] == [("user:analyst", told), ("user:counsel", told)]


def test_accounts_of_a_lead_that_is_hidden_are_given_to_nobody_outside_and_told_to_none(case: Case, cast: Cast) -> None:
    actions.restrict_case(case, actor=cast.lead, reason="Few need to know")
    lead = Lead.objects.get(decisions__case=case)
    page, api = f"/leads/{lead.pk}/accounts/download/", f"/api/v1/leads/{lead.pk}/accounts/download/"
    assert [client_of(who).post(page).status_code for who in (cast.lead, cast.counsel)] == [200, 404]
    assert [api_of(who).get(api).status_code for who in (cast.lead, cast.counsel)] == [200, 404]
    logged = [visible_entries(who).filter(action="lead.accounts_exported").count() for who in (cast.lead, cast.counsel)]
    assert logged == [2, 0]


def test_accounts_of_a_finding_are_downloaded_from_its_drawer_and_it_is_logged(case: Case, cast: Cast) -> None:
    finding = Finding.objects.get()
    browser = client_of(cast.analyst)
    address = reverse("download_finding_accounts", args=[finding.pk])
    opened = {"open": str(finding.pk)}
    for page in ("/findings/", f"/cases/{case.ref}/findings/"):
        assert address in forms_of(browser.get(page, opened))
    assert "Download" not in text_of(client_of(cast.reader).get("/findings/", opened))
    rows = rows_of(browser.post(address))
    asked = api_of(cast.counsel).get(f"/api/v1/findings/{finding.pk}/accounts/download/")
    assert rows_of(asked) == rows
    named = finding.accounts.select_related("account").order_by("account__pseudonym")
    assert [(row["provider_id"], row["pseudonym"], row["exchanges"]) for row in rows] == [
        (one.account.provider_id, one.account.pseudonym, "" if one.exchanges is None else str(one.exchanges))
        for one in named
    ]
    entries = LogEntry.objects.filter(action="finding.accounts_exported").order_by("at")
    told = {"detector": finding.detector.name, "count": 4}
    assert [(one.actor, one.data) for one in entries] == [("user:analyst", told), ("user:counsel", told)]


def test_who_may_not_see_the_providers_ids_downloads_no_lead_and_no_finding(case: Case, cast: Cast) -> None:
    lead, finding = make_lead(provider_ids(3, "wait")), Finding.objects.earliest("id")
    for person in (cast.reader, cast.admin):
        with pytest.raises(PermissionDenied):
            lists.export_members(lead, actor=person)
        with pytest.raises(PermissionDenied):
            lists.export_stated(finding, actor=person)
        for path in (f"leads/{lead.pk}", f"findings/{finding.pk}"):
            assert client_of(person).post(f"/{path}/accounts/download/").status_code == 403
            assert api_of(person).get(f"/api/v1/{path}/accounts/download/").status_code == 403
    assert not LogEntry.objects.filter(action__endswith=".accounts_exported").exists()
    for path in (f"leads/{case.pk}", f"findings/{case.pk}"):
        assert api_of(cast.analyst).get(f"/api/v1/{path}/accounts/download/").status_code == 404


@pytest.mark.parametrize("accounts", [2, 6])
def test_accounts_are_given_out_with_one_number_of_queries(
    cast: Cast, accounts: int, django_assert_num_queries: Any
) -> None:
    lead = lead_for(cast.analyst, make_lead(accounts).pk)
    finding, rows = Finding.objects.select_related("detector").get(), account_lists.member_rows(cast.analyst, lead)
    with django_assert_num_queries(5):
        assert len(list(rows)) == accounts
    with django_assert_num_queries(1):
        assert len(list(account_lists.stated_rows(finding))) == accounts


@pytest.mark.parametrize("ids", [[], ["a"] * (account_lists.MOST_IDS + 1), ["x" * 201], ["nul\x00"]])
def test_list_that_cannot_be_looked_up_is_refused_at_its_field(ids: list[str], cast: Cast) -> None:
    with pytest.raises(Refused) as refused:
        lists.look_up(actor=cast.analyst, provider_ids=ids)
    assert refused.value.field == "ids"


def test_look_up_asks_a_fixed_number_of_queries(case: Case, cast: Cast, django_assert_num_queries: Any) -> None:
    for ids in (provider_ids(1, "lst"), provider_ids(4, "lst")):
        with django_assert_num_queries(4):
            account_lists.known(cast.reader, ids)
