"""Stored files are compared in turn; what fails is a row, a custody event, a banner, and stays out of dossiers."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from cases import verifying
from cases.actions import dossiers
from cases.actions import verifying as verbs
from cases.actions.custody import named
from cases.models import Case, CustodyEvent, EvidenceItem, VaultCheck
from spine import vault
from spine.errors import Refused
from spine.models import Job, LogEntry
from tests.cases import api, pages
from tests.cases.exchanges import make_sample
from tests.factories import Cast, add_exhibit, make_case, run_job

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker")]


@pytest.fixture(autouse=True)
def apart(settings: Any, tmp_path: Path) -> Path:
    """A vault of this test's own."""
    folder = {"BACKEND": "spine.storages.Folder", "OPTIONS": {"location": tmp_path / "vault"}}
    settings.STORAGES = {**settings.STORAGES, "evidence": folder}
    return tmp_path / "vault"


@pytest.fixture
def case(committed_cast: Cast) -> Case:
    return make_case(committed_cast)


def damage(item: EvidenceItem) -> None:
    path = vault.path_of(item.sha256)
    path.chmod(0o600)
    path.write_bytes(b"other bytes")


def results() -> dict[str, str]:
    return {row.sha256: row.result for row in VaultCheck.objects.order_by("at")}


def test_everything_is_compared_and_failures_are_told_once(committed_cast: Cast, case: Case) -> None:
    cast = committed_cast
    good, bad, gone = (add_exhibit(case, cast.analyst, content) for content in (b"good", b"bad", b"gone"))
    damage(bad)
    vault.path_of(gone.sha256).unlink()
    job = run_job(verbs.verify_vault(actor=cast.admin))

    assert job.result == {"compared": 3, "failed": 2, "bytes": 4 + 11}
    assert results() == {good.sha256: "same", bad.sha256: "differs", gone.sha256: "missing"}
    events = CustodyEvent.objects.filter(action="verification_failed").order_by("item__number")
    assert [(event.item_id, event.sha256 == event.item.sha256) for event in events] == [
        (bad.id, False),
        (gone.id, True),
    ]
    entries = LogEntry.objects.filter(action="evidence.verification_failed")
    assert {(entry.scope, entry.data["number"]) for entry in entries} == {(case.id, 2), (case.id, 3)}
    run_job(verbs.verify_vault(actor=cast.admin))
    assert (events.count(), VaultCheck.objects.count()) == (2, 6)


def test_events_name_the_person_behind_a_job(cast: Cast) -> None:
    assert named(cast.analyst.principal) == named(cast.analyst)
    assert [named(one) for one in ("system:vault", "user:gone")] == ["system:vault", "user:gone"]


def test_schedule_takes_what_was_never_compared_then_the_oldest(
    committed_cast: Cast, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [add_exhibit(case, committed_cast.analyst, b"%d" % number) for number in range(3)]
    month_ago, later = timezone.now() - timedelta(days=31), timezone.now() - timedelta(days=30, hours=1)
    for item, at in ((items[0], later), (items[1], month_ago)):
        run_job(verbs.verify_item(item, actor=committed_cast.reader))
        _date(item, at)
    assert verifying.due(timezone.now() - timedelta(days=30)) == [items[2].sha256, items[1].sha256, items[0].sha256]
    monkeypatch.setattr(verbs, "MOST_A_TURN", 2)
    jobs = []
    while job := verbs.verify_due():
        jobs.append(run_job(job))
    assert [job.result and job.result["compared"] for job in jobs] == [2, 1]
    assert {job.actor for job in jobs} == {"system:vault"}


def _date(item: EvidenceItem, at: Any) -> None:
    """Date a comparison back, as its owner could not: rows are only ever added."""
    from django.db import connections

    from config.embedded import postgres
    from tests.servers import HOME

    connections.close_all()
    with postgres.connect(HOME) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute("UPDATE cases_vaultcheck SET at = %s WHERE sha256 = %s", [at, item.sha256])


def test_a_byte_flipped_beside_an_exchange_set_is_found_by_the_schedule(
    committed_cast: Cast, case: Case, settings: Any, tmp_path: Path, checkpoints_apart: Path
) -> None:
    settings.TELEMETRY_ROOT = tmp_path / "telemetry"
    plan = make_sample(case, committed_cast.analyst, tmp_path)
    held = plan.exchange_set
    kept = {
        "the list of its accounts": held.accounts_sha256,
        "its leaf hashes": held.leaves_sha256,
        "the nodes of its tree": held.nodes_sha256,
        "a difference report": held.reruns.get().report_sha256,
        "a sampling plan": plan.plan_sha256,
    }
    first = run_job(verbs.verify_due())  # type: ignore[arg-type]
    assert first.result and (first.result["compared"], first.result["failed"]) == (6, 0)
    assert verbs.verify_due() is None
    for sha256 in kept.values():
        path = vault.path_of(sha256)
        path.chmod(0o600)
        raw = path.read_bytes()
        path.write_bytes(bytes([raw[0] ^ 1]) + raw[1:] if raw else b"x")
    settings.VERIFY_DAYS = 0
    job = run_job(verbs.verify_due())  # type: ignore[arg-type]
    assert job.result and job.result["failed"] == 5

    assert results() == {held.item.sha256: "same", **dict.fromkeys(kept.values(), "differs")}
    events = CustodyEvent.objects.filter(action="verification_failed")
    assert {(event.item_id, event.sha256) for event in events} == {(held.item_id, held.item.sha256)}
    assert {event.why for event in events} == {
        f"comparison of the vault of {words}, kept beside it: not the same bytes" for words in kept
    }
    entries = LogEntry.objects.filter(action="evidence.beside_failed", scope=case.pk)
    assert {entry.data["beside"] for entry in entries} == set(kept)
    assert "Evidence is damaged." in pages.client_of(committed_cast.analyst).get("/").content.decode()
    page = pages.client_of(committed_cast.admin).get("/vault/").content.decode()
    assert all(sha256 in page for sha256 in kept.values())
    again = run_job(verbs.verify_item(held.item, actor=committed_cast.reader))
    assert again.result and (again.result["compared"], again.result["failed"]) == (6, 5)
    assert events.count() == 5


def test_job_that_is_begun_again_goes_on_where_it_was(committed_cast: Cast, case: Case) -> None:
    for number in range(3):
        add_exhibit(case, committed_cast.analyst, b"%d" % number)
    job = verbs.verify_vault(actor=committed_cast.lead)
    done = EvidenceItem.objects.order_by("sha256")[0].sha256
    verbs.record_checks([(done, vault.compare(done))], actor="user:lead")

    assert (run_job(job).result or {})["compared"] == 2
    assert VaultCheck.objects.count() == 3


def test_damaged_exhibit_is_marked_everywhere_and_stays_out_of_dossiers(committed_cast: Cast) -> None:
    cast = committed_cast
    case = make_case(cast, stage="judged")
    item = case.evidence.get()
    damage(item)
    client = pages.client_of(cast.analyst)
    posted = client.post(f"/cases/{case.ref}/evidence/1/verify/")
    run_job(Job.objects.get(kind="vault.compare"))

    assert posted["Location"].startswith(f"/cases/{case.ref}/evidence/1/?job=")
    assert "This exhibit is damaged." in client.get(f"/cases/{case.ref}/evidence/1/").content.decode()
    for path in ("/", f"/cases/{case.ref}/"):
        assert "Evidence is damaged." in client.get(path).content.decode()
    assert "Evidence is damaged." not in pages.client_of(cast.reader).get("/").content.decode()
    with pytest.raises(Refused) as refused:
        dossiers.prepare(case, actor=cast.analyst, edition="counsel")
    assert refused.value.missing[0].startswith("Exhibit 1, Request log extract: not the same bytes when compared")
    chain = api.client_of(cast.reader).get(f"/api/v1/cases/{case.ref}/evidence/1/custody/").json()
    assert chain["comparisons"][0]["result"] == "differs"
    assert "verification_failed" in {gap["code"] for gap in chain["gaps"]}

    vault.put_bytes(b"request_id,model\nr-1,aster-2\n")  # restored
    run_job(verbs.verify_item(item, actor=cast.reader))
    assert "Evidence is damaged." not in client.get("/").content.decode()
    dossiers.demand_whole(case)


def test_vault_page_tells_digests_and_no_case_to_who_keeps_the_store(committed_cast: Cast, case: Case) -> None:
    cast = committed_cast
    item = add_exhibit(case, cast.analyst, b"soon damaged")
    damage(item)
    run_job(verbs.verify_vault(actor=cast.admin))
    seen = pages.client_of(cast.admin).get("/vault/").content.decode()
    known = pages.client_of(cast.reader).get("/vault/").content.decode()
    health = api.client_of(cast.admin).get("/api/v1/vault/").json()

    assert item.sha256 in seen
    assert "not shown to you" in seen
    assert case.ref not in seen
    assert f"{case.ref}, Exhibit 1" in known
    assert (health["store"], health["files"], health["failed"], health["never_compared"]) == (
        "folder",
        1,
        [item.sha256],
        0,
    )
    assert "Evidence is damaged." in seen


def test_restricted_cases_exhibit_is_compared_and_named_to_members_alone(committed_cast: Cast, case: Case) -> None:
    from cases.actions import access

    cast = committed_cast
    damage(add_exhibit(case, cast.analyst, b"secret"))
    access.restrict_case(case, actor=cast.analyst, reason="need to know", people=[cast.analyst])
    run_job(verbs.verify_vault(actor=cast.lead))

    assert case.ref in pages.client_of(cast.analyst).get("/vault/").content.decode()
    for stranger in (cast.lead, cast.admin):
        assert case.ref not in pages.client_of(stranger).get("/vault/").content.decode()
    assert "Evidence is damaged." not in pages.client_of(cast.lead).get("/").content.decode()


def test_reader_has_one_exhibit_compared_but_not_the_vault(committed_cast: Cast, case: Case) -> None:
    add_exhibit(case, committed_cast.analyst)
    reader = api.client_of(committed_cast.reader)
    asked = reader.post(f"/api/v1/cases/{case.ref}/evidence/1/verify/")
    assert (asked.status_code, asked.json()["job"]["kind"]) == (202, "vault.compare")
    assert reader.post("/api/v1/vault/verify/").status_code == 403
    with pytest.raises(PermissionDenied):
        verbs.verify_vault(actor=committed_cast.reader)
