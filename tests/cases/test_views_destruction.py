"""Retention and erasure as people click them, through the API, and by the command."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from cases.actions import destruction as verbs
from cases.models import Case, DestructionOrder, EvidenceItem, RetentionPolicy
from spine import vault
from tests.cases.api import client_of as api_of
from tests.cases.pages import client_of, sent_by, text_of
from tests.factories import Cast, make_case

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker", "checkpoints_apart")]


@pytest.fixture
def exhibit(committed_cast: Cast) -> EvidenceItem:
    case = make_case(committed_cast, stage="closed")
    Case.objects.filter(pk=case.pk).update(updated_at=timezone.now() - timedelta(days=365))
    return EvidenceItem.objects.get(case=case)


def test_from_policy_by_preview_to_certificate(exhibit: EvidenceItem, committed_cast: Cast) -> None:
    admin, counsel = client_of(committed_cast.admin), client_of(committed_cast.counsel)
    given = {"data_class": "closed_exhibits", "days": 90, "basis": "Records rule 7", "active": "on"}
    assert admin.post("/retention/policy/", given).status_code == 302
    policy = RetentionPolicy.objects.get()
    shown = admin.get(f"/retention/?preview={policy.pk}")
    form = shown.context["policies"][0]["form"]
    assert "1 would go" in text_of(shown)
    assert admin.post(f"/retention/{policy.pk}/order/", sent_by(form)).status_code == 302
    order = DestructionOrder.objects.get()
    assert admin.get("/retention/").context["orders"][0]["form"] is None  # who asked is offered nothing
    own = admin.post(f"/retention/orders/{order.pk}/decide/", {"granted": "yes"})
    granted = counsel.post(f"/retention/orders/{order.pk}/decide/", {"granted": "yes"})
    out, said = StringIO(), StringIO()
    call_command("retention", "--apply", stdout=out, stderr=said)

    assert (own.status_code, granted.status_code) == (422, 302)
    assert not vault.has(exhibit.sha256)
    assert "1 destroyed" in said.getvalue()
    assert "granted, 1 of 1 gone" in text_of(counsel.get("/retention/"))


def test_erasure_is_offered_from_the_exhibit_to_who_may_ask_for_it(exhibit: EvidenceItem, committed_cast: Cast) -> None:
    counsel, lead = client_of(committed_cast.counsel), client_of(committed_cast.lead)
    address = f"/cases/{exhibit.case.ref}/evidence/{exhibit.number}/"
    way = f"/erasure/?kind=exhibit&amp;key={exhibit.pk}"
    assert [way in text_of(one.get(address)) for one in (counsel, lead)] == [True, False]
    shown = counsel.get(way.replace("&amp;", "&"))
    assert (shown.status_code, str(shown.context["erase_form"]["key"].value())) == (200, str(exhibit.pk))


def test_empty_page_says_who_sets_policies(committed_cast: Cast) -> None:
    words = "Policies are set by people whose role is administrator or counsel."
    people = (committed_cast.lead, committed_cast.counsel)
    assert [words in text_of(client_of(one).get("/retention/")) for one in people] == [True, False]


def test_command_previews_and_changes_nothing(exhibit: EvidenceItem, committed_cast: Cast) -> None:
    verbs.set_policy(actor=committed_cast.admin, data_class="closed_exhibits", days=90, basis="Rule")
    said = StringIO()
    call_command("retention", "--preview", stdout=StringIO(), stderr=said)

    assert f"1 would go, {exhibit.size:,} bytes; 0 kept back by 0 holds" in said.getvalue()
    assert vault.has(exhibit.sha256)


def test_erasure_page_shows_what_would_go_and_asks(exhibit: EvidenceItem, committed_cast: Cast) -> None:
    counsel = client_of(committed_cast.counsel)
    shown = counsel.get("/erasure/", {"kind": "exhibit", "key": str(exhibit.pk)})
    form = shown.context["erase_form"]
    asked = counsel.post("/erasure/order/", {**sent_by(form), "basis": "GDPR Art. 17(1)(d)"})

    assert "personal columns of a row" in text_of(shown)
    assert asked.status_code == 302
    assert DestructionOrder.objects.get().subject == f"cases_evidenceitem:{exhibit.pk}"


def test_api_from_policy_to_grant(exhibit: EvidenceItem, committed_cast: Cast) -> None:
    admin, counsel = api_of(committed_cast.admin), api_of(committed_cast.counsel)
    given = {"data_class": "closed_exhibits", "days": 90, "basis": "Rule"}
    policy = admin.post("/api/v1/retention/policies/", given).json()
    found = admin.get(f"/api/v1/retention/policies/{policy['id']}/preview/").json()
    order = admin.post(f"/api/v1/retention/policies/{policy['id']}/order/", {"expected": found["count"]}).json()
    address = f"/api/v1/destruction/orders/{order['id']}/decide/"
    own, other = admin.post(address, {"granted": True}), counsel.post(address, {"granted": True})

    assert found == {"count": 1, "size": exhibit.size, "kept_count": 0, "kept": {}, "by_kind": {"blob": 1}}
    assert (own.status_code, other.status_code, other.json()["decision"]["decider"]) == (409, 201, "counsel")


def test_api_previews_an_erasure(exhibit: EvidenceItem, committed_cast: Cast) -> None:
    api = api_of(committed_cast.counsel)
    body = {"kind": "exhibit", "key": str(exhibit.pk)}
    found = api.post("/api/v1/erasure/preview/", body).json()
    order = api.post("/api/v1/erasure/", {**body, "basis": "Art. 17", "expected": found["count"]})

    assert found["by_kind"]["blob"] == 1
    assert order.status_code == 201
