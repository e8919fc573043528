"""Lists of accounts: ids somebody brings, and downloads for enforcement that are in the log."""

import csv
import io
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import SimpleUploadedFile

from cases import account_lists, actions
from cases.account_lists import ids_in
from cases.actions import lists
from cases.dossier.schedules import unguarded
from cases.filters import AccountFilter
from cases.models import Case
from detection.index import ensure_accounts
from spine.errors import Refused
from spine.models import LogEntry
from tests.cases.api import client_of as api_of
from tests.cases.pages import client_of, text_of
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
        ("a\nb\r\n\n a \n", ["a", "b"]),
        ("account_id,why\nacct_1,x\nacct_2,y", ["acct_1", "acct_2"]),
        ('"quoted, with comma",1\n', ["quoted, with comma"]),
        ("\ufeffid\n1", ["1"]),
        ("", []),
        (",,\n;", [";"]),
    ],
)
def test_ids_of_a_list_are_the_first_cells_each_once(text: str, found: list[str]) -> None:
    assert ids_in(text) == found


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


@pytest.mark.parametrize("ids", [[], ["a"] * (account_lists.MOST_IDS + 1), ["x" * 201], ["nul\x00"]])
def test_list_that_cannot_be_looked_up_is_refused_at_its_field(ids: list[str], cast: Cast) -> None:
    with pytest.raises(Refused) as refused:
        lists.look_up(actor=cast.analyst, provider_ids=ids)
    assert refused.value.field == "ids"


def test_look_up_asks_a_fixed_number_of_queries(case: Case, cast: Cast, django_assert_num_queries: Any) -> None:
    for ids in (provider_ids(1, "lst"), provider_ids(4, "lst")):
        with django_assert_num_queries(4):
            account_lists.known(cast.reader, ids)
