"""The disclosure gate, the registers behind it, and disclosures by two people."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from cases import actions, disclosed, gate
from cases.actions import disclosures as verbs
from cases.actions import dossiers, registers
from cases.dossier.build import build
from cases.dossier.document import snapshot_bytes
from cases.models import Case, DisclosureAsk, DisclosureRelease, DossierVersion, LegalBasis, Recipient
from spine import log
from spine.errors import Conflict, Refused
from tests.cases.api import client_of as api_of
from tests.cases.keeping import everything_to, register
from tests.cases.pages import client_of, text_of
from tests.factories import START, Cast, make_case

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("no_broker", "checkpoints_apart"),
]
ALL = ["content", "customer_record", "indicator", "aggregate"]


@pytest.fixture
def cast(committed_cast: Cast) -> Cast:
    return committed_cast


@pytest.fixture
def case(cast: Cast) -> Case:
    return make_case(cast, stage="judged")


def freeze(case: Case, cast: Cast, recipient: str, basis: str) -> DossierVersion:
    return dossiers.freeze(case, actor=cast.analyst, edition="counsel", recipient=recipient, basis=basis)


@pytest.fixture
def sealed(case: Case, cast: Cast, tmp_path: Path) -> DossierVersion:
    """A sealed version for a registered recipient."""
    version = freeze(case, cast, register().name, everything_to("committee").code)
    with transaction.atomic():
        dossiers.approve(version, actor=cast.counsel, snapshot_sha256=version.snapshot_sha256)
    version = DossierVersion.objects.get(pk=version.pk)
    build(version, tmp_path, actor="user:analyst")
    return version


def ask(version: DossierVersion, cast: Cast, **fields: Any) -> DisclosureAsk:
    return verbs.ask_disclosure(version, actor=cast.analyst, **{"channel": "by hand", **fields})


def judged(**changes: Any) -> list[str]:
    """What the gate says of a committee and a basis, with changes to either."""
    basis = LegalBasis(name="B", law="L", permits={"committee": ["aggregate"]}, **changes.get("basis", {}))
    recipient = Recipient(name="R", kind=changes.get("kind", "committee"), ceiling=changes.get("ceiling", "TLP:AMBER"))
    return gate.objections(
        recipient,
        basis,
        classes=changes.get("classes", ["aggregate"]),
        marking=changes.get("marking", "TLP:AMBER"),
        day=date(2026, 9, 30),
    )


def test_gate_lets_out_what_is_permitted_today_and_no_further() -> None:
    assert judged() == []
    assert judged(classes=["content"]) == ["B does not permit content of communications to a committee."]
    assert judged(kind="peer") == ["B does not permit aggregates to a peer company."]
    assert judged(marking="TLP:RED") == ["It is marked TLP:RED; R may get at most TLP:AMBER."]


@pytest.mark.parametrize(
    ("dates", "said"),
    [
        ({"valid_until": date(2026, 9, 30)}, []),
        ({"valid_until": date(2026, 9, 29)}, ["B (L) ended on 29 Sep 2026."]),
        ({"valid_from": date(2026, 9, 30)}, []),
        ({"valid_from": date(2026, 10, 1)}, ["B (L) holds from 01 Oct 2026 on."]),
    ],
)
def test_gate_knows_the_first_and_the_last_day(dates: dict[str, date], said: list[str]) -> None:
    assert judged(basis=dates) == said


def test_defaults_are_there_to_be_confirmed_and_cisa_has_its_end(case: Case) -> None:
    cisa = LegalBasis.objects.get(code="cisa-2015")

    assert (cisa.valid_until, cisa.permits["peer"], cisa.confirmed) == (date(2026, 9, 30), ["indicator"], False)
    assert not LegalBasis.objects.filter(confirmed=True).exists()


def test_registered_names_are_checked_when_a_dossier_is_prepared(case: Case, cast: Cast) -> None:
    register(kind="committee", ceiling="TLP:GREEN")
    with pytest.raises(Refused) as refused:
        dossiers.prepare(
            case, actor=cast.analyst, edition="counsel", recipient="Committee on Examples", basis="aggregates-only"
        )
    assert refused.value.missing[0].endswith("does not permit content of communications to a committee.")
    assert refused.value.missing[-1] == "It is marked TLP:AMBER; Committee on Examples may get at most TLP:GREEN."


def test_words_that_are_not_registered_build_a_draft_that_cannot_be_disclosed(case: Case, cast: Cast) -> None:
    version = freeze(case, cast, "Somebody", "Some law")
    snapshot = json.loads(snapshot_bytes(version))

    assert (snapshot["recipient"]["recipient_registered"], snapshot["recipient"]["basis_registered"]) == (False, False)
    assert "not a registered one" in snapshot["limits"]["general"][-1]
    assert disclosed.objections(version)[1] == "Some law is not a registered basis."
    with pytest.raises(Refused, match="Only a sealed version"):
        ask(version, cast)


def test_page_says_before_the_approval_that_it_cannot_be_disclosed(case: Case, cast: Cast) -> None:
    version = freeze(case, cast, "Somebody", "Some law")
    said = text_of(client_of(cast.counsel).get(f"/dossiers/{version.pk}/"))
    assert "This version cannot be disclosed." in said
    assert "Somebody is not a registered recipient. Some law is not a registered basis." in said
    known = freeze(case, cast, register().name, everything_to("committee").code)
    assert "cannot be disclosed" not in text_of(client_of(cast.counsel).get(f"/dossiers/{known.pk}/"))


def test_freeze_form_offers_what_the_registers_hold_today(case: Case, cast: Cast) -> None:
    register()
    everything_to("committee")
    page = client_of(cast.analyst).get(f"/cases/{case.ref}/dossiers/").getvalue().decode()
    assert '<option value="Committee on Examples">' in page
    assert '<option value="test-basis">' in page
    LegalBasis.objects.filter(code="test-basis").update(valid_until=date(2020, 1, 1))
    page = client_of(cast.analyst).get(f"/cases/{case.ref}/dossiers/").getvalue().decode()
    assert '<option value="test-basis">' not in page
    assert "<datalist" not in client_of(cast.reader).get(f"/cases/{case.ref}/dossiers/").getvalue().decode()


def test_one_asks_and_another_releases_and_it_stands_in_later_dossiers(sealed: DossierVersion, cast: Cast) -> None:
    asked = ask(sealed, cast, reply_due=timezone.now().date())
    with pytest.raises(Conflict, match="asked already"):
        ask(sealed, cast)
    with pytest.raises(PermissionDenied):
        verbs.release_disclosure(asked, actor=cast.analyst)
    by_lead = verbs.note_disclosure
    with pytest.raises(Refused, match="not released yet"):
        by_lead(asked, actor=cast.analyst, kind="receipt", number="C-1", happened_at=START)
    verbs.release_disclosure(asked, actor=cast.lead)
    by_lead(asked, actor=cast.analyst, kind="receipt", number="C-1", happened_at=START)
    by_lead(asked, actor=cast.analyst, kind="recall", text="Wrong version", happened_at=timezone.now())
    later = json.loads(snapshot_bytes(freeze(sealed.case, cast, "", "")))["disclosures"]["rows"]

    assert [(row["recipient"], row["receipts"], row["released_by"]) for row in later] == [
        ("Committee on Examples", ["C-1"], "lead")
    ]
    assert later[0]["recalled_at"] is not None
    assert disclosed.row(disclosed.of_version(sealed)[0])["state"] == "recalled"


def test_who_asked_cannot_release_not_even_in_the_database(sealed: DossierVersion, cast: Cast) -> None:
    asked = verbs.ask_disclosure(sealed, actor=cast.lead, channel="by hand")
    with pytest.raises(Refused, match="second person"):
        verbs.release_disclosure(asked, actor=cast.lead)
    for people in ((cast.lead, cast.lead), (cast.counsel, cast.lead)):
        row = DisclosureRelease(ask=asked, asker=people[0], releaser=people[1])
        with pytest.raises(IntegrityError), transaction.atomic():
            log.record(actor="user:lead", action="disclosure.released", rows=[row])
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_a_basis_that_lapsed_since_it_was_asked_stops_the_release(sealed: DossierVersion, cast: Cast) -> None:
    asked = ask(sealed, cast)
    basis = everything_to("committee")
    yesterday = timezone.now().date() - timedelta(days=1)
    names = ("code", "name", "law", "permits", "revision")
    given = {name: getattr(basis, name) for name in names}
    registers.save_basis(actor=cast.counsel, **given, valid_until=yesterday)
    with pytest.raises(Refused) as refused:
        verbs.release_disclosure(asked, actor=cast.lead)

    assert "ended on" in refused.value.missing[0]


def test_a_case_marked_higher_since_stops_it_too(sealed: DossierVersion, cast: Cast) -> None:
    Recipient.objects.update(ceiling="TLP:AMBER")
    actions.edit_case(sealed.case, actor=cast.analyst, changes={"marking": ("TLP:AMBER", "TLP:RED")})
    with pytest.raises(Refused) as refused:
        ask(sealed, cast)

    assert refused.value.missing == ("It is marked TLP:RED; Committee on Examples may get at most TLP:AMBER.",)


def test_withdrawn_before_its_release_it_can_be_asked_again(sealed: DossierVersion, cast: Cast) -> None:
    asked = ask(sealed, cast)
    verbs.note_disclosure(asked, actor=cast.analyst, kind="withdrawn", happened_at=timezone.now())
    with pytest.raises(Conflict, match="withdrawn"):
        verbs.release_disclosure(asked, actor=cast.lead)
    ask(sealed, cast)

    assert DisclosureAsk.objects.count() == 2


def test_registers_are_changed_by_who_saw_them_and_may(cast: Cast) -> None:
    given = {"name": "Agency of Examples", "kind": "agency", "ceiling": "TLP:AMBER"}
    made = registers.save_recipient(actor=cast.counsel, **given)
    with pytest.raises(Conflict):
        registers.save_recipient(actor=cast.counsel, **given)
    with pytest.raises(Refused, match="Nothing was changed"):
        registers.save_recipient(actor=cast.counsel, **given, revision=1)
    registers.save_recipient(actor=cast.admin, **{**given, "ceiling": "TLP:RED"}, revision=made.revision)
    with pytest.raises(PermissionDenied):
        registers.save_recipient(actor=cast.lead, **given)

    assert Recipient.objects.get().revision == 2


def test_pages_from_register_to_receipt(sealed: DossierVersion, cast: Cast) -> None:
    counsel, analyst, lead = client_of(cast.counsel), client_of(cast.analyst), client_of(cast.lead)
    form = {"code": "b-2", "name": "Second", "law": "Rule 2", "permits_peer": ["indicator"], "revision": 0}
    assert counsel.post("/registers/bases/", {**form, "active": "on"}).status_code == 302
    assert LegalBasis.objects.get(code="b-2").permits == {"peer": ["indicator"]}
    LegalBasis.objects.filter(code="b-2").update(valid_until=date(2031, 9, 30))
    assert 'name="valid_until" value="2031-09-30"' in counsel.get("/registers/").getvalue().decode()
    said = text_of(analyst.get("/registers/"))
    assert "Register a legal basis" not in said
    alike = "court, law enforcement, agency, committee, peer company, counsel, internal"
    assert f"<b>{alike}</b>: aggregates" in said
    page = f"/dossiers/{sealed.pk}/disclosures/"
    assert analyst.post(f"{page}ask/", {"channel": "by hand"}).status_code == 302
    asked = DisclosureAsk.objects.get()
    assert lead.post(f"/disclosures/{asked.pk}/release/", {}).status_code == 302
    note = {"kind": "receipt", "number": "C-9", "happened_at": "2026-05-20T10:00:00"}
    assert analyst.post(f"/disclosures/{asked.pk}/note/", note).status_code == 302

    assert "C-9" in text_of(analyst.get("/disclosures/"))
    said = text_of(analyst.get(page))
    assert "C-9" in said
    assert "content of communications, customer records, technical indicators, aggregates" in said
    assert "test-basis is still to be confirmed by counsel." in said
    LegalBasis.objects.filter(code="test-basis").update(confirmed=True)
    assert "to be confirmed" not in text_of(analyst.get(page))
    assert "Its disclosures" in text_of(analyst.get(f"/dossiers/{sealed.pk}/"))


def test_api_from_register_to_release(sealed: DossierVersion, cast: Cast) -> None:
    counsel, analyst, lead = api_of(cast.counsel), api_of(cast.analyst), api_of(cast.lead)
    made = counsel.post("/api/v1/recipients/", {"name": "Court", "kind": "court", "ceiling": "TLP:RED"})
    basis = {"code": "b-3", "name": "Third", "law": "Rule 3", "permits": {"court": ALL}}
    assert (made.status_code, counsel.post("/api/v1/legal-bases/", basis).status_code) == (201, 201)
    address = f"/api/v1/dossiers/{sealed.pk}/disclosures/"
    asked = analyst.post(address, {"channel": "portal"}).json()
    again = analyst.post(address, {"channel": "portal"})
    done = lead.post(f"/api/v1/disclosures/{asked['id']}/release/", {}).json()

    assert (asked["state"], again.status_code, done["state"]) == ("asked", 409, "released")
    assert analyst.get("/api/v1/disclosures/").json()["results"][0]["release"]["releaser"] == "lead"
