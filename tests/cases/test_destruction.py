"""Nothing goes without two people and a certificate, and nothing at all while a hold covers it, by whatever way."""

import json
import os
import threading
import time
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from cases import actions, retention, verifying
from cases.actions import destruction as verbs
from cases.actions import dossiers
from cases.destruction import carry_out
from cases.dossier.build import build, folder_of
from cases.dossier.document import snapshot_bytes
from cases.models import Case, DestructionDecision, DestructionOrder, EvidenceItem, Hold, RetentionPolicy
from detection import sources
from detection.models import Account, TelemetryFile, TelemetrySource
from spine import log, sequencer, vault, verification
from spine.errors import Conflict, Refused
from spine.models import Destruction
from spine.principal import acting_as
from tests.factories import START, Cast, add_exhibit, make_case

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "owner", "audit"]),
    pytest.mark.usefixtures("no_broker", "checkpoints_apart"),
]


@pytest.fixture
def cast(committed_cast: Cast) -> Cast:
    return committed_cast


@pytest.fixture
def exhibit(cast: Cast) -> EvidenceItem:
    """An exhibit of a closed case that nobody has touched for a year."""
    case = make_case(cast, stage="closed")
    Case.objects.filter(pk=case.pk).update(updated_at=timezone.now() - timedelta(days=365))
    return EvidenceItem.objects.get(case=case)


def policy(cast: Cast, data_class: str = "closed_exhibits", **fields: Any) -> RetentionPolicy:
    given = {"data_class": data_class, "days": 90, "basis": "Records rule 7", **fields}
    return verbs.set_policy(actor=cast.admin, **given)


def hold(case: Case, cast: Cast, **fields: Any) -> Hold:
    given = {"matter": "A dispute", "trigger": "A letter", "triggered_at": START, "scope": "case", **fields}
    return actions.place_hold(case, actor=cast.counsel, **given)


def order(cast: Cast, found: RetentionPolicy) -> DestructionOrder:
    return verbs.order_retention(found, actor=cast.admin, expected=retention.preview_of(found).count)


def granted(cast: Cast, found: RetentionPolicy) -> DestructionOrder:
    made = order(cast, found)
    verbs.decide(made, actor=cast.counsel, granted=True)
    return made


def done(made: DestructionOrder) -> dict[str, int]:
    with acting_as("system:destruction"):
        return {word: n for word, n in carry_out(made).items() if n}


def test_two_people_destroy_bytes_and_leave_record_certificate_and_proofs(exhibit: EvidenceItem, cast: Cast) -> None:
    made = order(cast, policy(cast))
    with pytest.raises(Refused, match="second person"):
        verbs.decide(made, actor=cast.admin, granted=True)
    with pytest.raises(Refused, match="Nobody has granted"):
        carry_out(made)
    verbs.decide(made, actor=cast.counsel, granted=True)
    assert done(made) == {"destroyed": 1}
    assert done(made) == {"destroyed": 1}  # again: passed over
    certificate = Destruction.objects.get()

    assert not vault.has(exhibit.sha256)
    assert exhibit.sha256 not in verifying.digests()  # nothing is missing: no banner
    assert (certificate.sha256, certificate.ordered_by) == (exhibit.sha256, "user:admin and user:counsel")
    assert exhibit.custody.order_by("at").last().action == "destroyed"  # type: ignore[union-attr]
    sequencer.sequence()
    assert verification.verify().problems == []


def test_a_dossier_after_it_names_the_exhibit_and_carries_no_file(
    exhibit: EvidenceItem, cast: Cast, tmp_path: Path
) -> None:
    assert done(granted(cast, policy(cast))) == {"destroyed": 1}
    version = dossiers.freeze(exhibit.case, actor=cast.analyst, edition="counsel")
    rows = json.loads(snapshot_bytes(version))["exhibits"]["rows"]
    package = build(version, tmp_path, actor="user:analyst")

    assert [(row["sha256"], row["file"]) for row in rows] == [(exhibit.sha256, "")]
    assert not [name for name in zipfile.ZipFile(package.path).namelist() if "/data/evidence/" in name]


def test_preview_is_exact_and_names_what_a_hold_keeps_back(exhibit: EvidenceItem, cast: Cast) -> None:
    found = policy(cast)
    before = retention.preview_of(found)
    placed = hold(exhibit.case, cast)
    after = retention.preview_of(found)

    assert (before.count, before.size, before.kept_count) == (1, exhibit.size, 0)
    assert (after.count, list(after.kept), after.kept_count) == (0, [placed.pk], 1)
    with pytest.raises(Refused, match="nothing that would go"):
        verbs.order_retention(found, actor=cast.admin, expected=0)


def test_a_hold_placed_after_the_grant_keeps_the_bytes(exhibit: EvidenceItem, cast: Cast) -> None:
    made = granted(cast, policy(cast))
    hold(exhibit.case, cast, scope="exhibit", exhibit=exhibit.number)

    assert done(made) == {"kept_back": 1}
    assert vault.has(exhibit.sha256)
    assert not Destruction.objects.exists()


def test_a_hold_placed_at_the_same_moment_wins(exhibit: EvidenceItem, cast: Cast) -> None:
    made = granted(cast, policy(cast))
    placed, go_on = threading.Event(), threading.Event()

    def place() -> None:
        with acting_as("system:test"), transaction.atomic():
            hold(exhibit.case, cast)
            placed.set()
            go_on.wait(10)
        connection.close()

    thread = threading.Thread(target=place)
    thread.start()
    placed.wait(10)
    threading.Timer(0.5, go_on.set).start()
    began = time.monotonic()
    counts = done(made)
    thread.join()

    assert time.monotonic() - began > 0.4  # it waited for the hold that was not yet committed
    assert counts == {"kept_back": 1}
    assert vault.has(exhibit.sha256)


def test_a_case_reopened_since_keeps_its_bytes(exhibit: EvidenceItem, cast: Cast) -> None:
    made = granted(cast, policy(cast))
    actions.move_case(exhibit.case, actor=cast.lead, to="investigating", expected_from="closed")

    assert done(made) == {"not_free": 1}
    assert vault.has(exhibit.sha256)


def test_bytes_of_an_open_case_too_are_no_candidate(exhibit: EvidenceItem, cast: Cast) -> None:
    add_exhibit(make_case(cast, accounts=["x-1", "x-2"]), cast.analyst)  # the same bytes

    assert retention.preview_of(policy(cast)).count == 0


def test_only_files_that_nothing_names_are_unreferenced(exhibit: EvidenceItem, cast: Cast) -> None:
    stray = vault.put_bytes(b"nobody names this")
    for sha256 in (stray.sha256, exhibit.sha256):
        os.utime(vault.path_of(sha256), (0, 0))
    found = policy(cast, "unreferenced")

    assert [one.key for one in retention.preview_of(found).targets] == [stray.sha256]
    assert done(granted(cast, found)) == {"destroyed": 1}


def test_telemetry_goes_by_file_unless_a_hold_covers_its_window(cast: Cast, tmp_path: Path) -> None:
    lines = '{"request_id": "r-1", "ts": "2026-05-02T00:00:00Z", "account_id": "a", "model": "m"}\n'
    path = tmp_path / "lines.ndjson"
    path.write_text(lines)
    source = sources.source_named("gateway")
    record, _ = sources.add_file(actor="system:test", source=source, kind="exchanges", path=path)
    parts = lambda: list(sources.root_of(source).glob("exchanges/day=*/*.parquet"))  # noqa: E731
    found = policy(cast, "telemetry", source=source)
    case = make_case(cast)
    window = {"window_start": START, "window_end": START + timedelta(days=9)}
    Hold.objects.count()
    placed = hold_source(case, cast, source, window)
    held = retention.preview_of(found)
    release(placed, cast)

    assert (held.count, held.kept_count, len(parts())) == (0, 1, 1)
    assert done(granted(cast, found)) == {"destroyed": 1}
    assert parts() == []
    assert TelemetryFile.objects.get(pk=record.pk).rows == 1
    assert retention.preview_of(found).count == 0


def hold_source(case: Case, cast: Cast, source: TelemetrySource, window: dict[str, Any]) -> Hold:
    return hold(case, cast, scope="source", source=source, **window)


def release(placed: Hold, cast: Cast) -> None:
    ask = actions.ask_release(placed, actor=cast.counsel, reason="Settled")
    actions.release_hold(placed, actor=cast.lead, ask=ask.pk)


def test_rendered_packages_go_and_can_be_built_again(cast: Cast) -> None:
    version = dossiers.freeze(make_case(cast, stage="judged"), actor=cast.analyst, edition="counsel")
    folder = folder_of(version)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.zip").write_bytes(b"12345")
    os.utime(folder / "a.zip", (0, 0))
    found = policy(cast, "packages")

    assert retention.preview_of(found).size == 5
    assert done(granted(cast, found)) == {"destroyed": 1}
    assert not folder.exists()


def test_policies_are_set_over_the_one_that_was_seen_by_who_may(cast: Cast) -> None:
    first = policy(cast)
    with pytest.raises(Conflict):
        policy(cast, days=7)
    policy(cast, days=7, active=False, supersedes=first.pk)
    for actor in (cast.lead, cast.analyst, cast.reader):
        with pytest.raises(PermissionDenied):
            verbs.set_policy(actor=actor, data_class="packages", days=7, basis="b")

    assert [(one.days, one.active) for one in retention.current()] == [(7, False)]


def test_an_order_for_another_count_than_was_seen_is_a_conflict(exhibit: EvidenceItem, cast: Cast) -> None:
    with pytest.raises(Conflict, match="1 things now, not 2"):
        verbs.order_retention(policy(cast), actor=cast.admin, expected=2)


def test_a_declined_order_destroys_nothing(exhibit: EvidenceItem, cast: Cast) -> None:
    made = order(cast, policy(cast))
    verbs.decide(made, actor=cast.counsel, granted=False)
    with pytest.raises(Conflict):
        verbs.decide(made, actor=cast.counsel, granted=True)
    with pytest.raises(Refused):
        carry_out(made)


def refused(statement: str, *given: Any) -> str:
    """What the database says to the application role."""
    with pytest.raises(DatabaseError) as error, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, given)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    return str(error.value)


def test_sql_of_the_application_role_is_refused_on_what_a_hold_covers(exhibit: EvidenceItem, cast: Cast) -> None:
    made = granted(cast, policy(cast))
    placed = hold(exhibit.case, cast)
    account = Account.objects.first()
    assert account is not None
    file = TelemetryFile.objects.create(
        source=TelemetrySource.objects.get(), kind="exchanges", name="a", sha256="a", size=1, rows=1, bad=0, repeated=0
    )
    entry = exhibit.entry_id
    certificate = (
        "INSERT INTO spine_destruction (id, entry_id, place, kind, key, sha256, order_id, basis, ordered_by, at) "
        "VALUES (gen_random_uuid(), %s, 9, %s, %s, '', %s, 'b', 'x', now())"
    )
    for statement, given in [
        ("DELETE FROM detection_telemetryfile WHERE id = %s", [file.pk]),
        ("DELETE FROM detection_telemetryfile", []),
        ("UPDATE detection_telemetryfile SET last_ts = now() WHERE id = %s", [file.pk]),
        ("DELETE FROM detection_account WHERE id = %s", [account.pk]),
        ("UPDATE detection_account SET provider_id = 'x' WHERE id = %s", [account.pk]),
        ("UPDATE detection_account SET pseudonym = 'x' WHERE id = %s", [account.pk]),
        ("UPDATE detection_attribute SET value = 'x'", []),
        ("DELETE FROM detection_attribute", []),
        ("DELETE FROM detection_sighting", []),
        ("DELETE FROM detection_findingaccount", []),
        ("DELETE FROM detection_telemetrysource", []),
        ("DELETE FROM cases_caseaccount", []),
        ("DELETE FROM cases_case", []),
        ("DELETE FROM cases_lead", []),
        ("DELETE FROM cases_hold WHERE id = %s", [placed.pk]),
        ("UPDATE cases_hold SET scope = 'exhibit' WHERE id = %s", [placed.pk]),
        ("TRUNCATE cases_hold CASCADE", []),
        ("DELETE FROM cases_evidenceitem", []),
        ("UPDATE cases_evidenceitem SET title = '', salt = NULL", []),
        ("DELETE FROM spine_destruction", []),
        (certificate, [entry, "blob", exhibit.sha256, made.pk]),
        (certificate, [entry, "account", str(account.pk), made.pk]),
        (certificate, [entry, "blob", "ab" * 32, placed.pk]),
        ("SELECT retort_erase('cases_evidenceitem', %s)", [exhibit.pk]),
        ("SET session_replication_role = replica", []),
        ("ALTER TABLE cases_hold DISABLE TRIGGER ALL", []),
        ("DROP FUNCTION retort_keep() CASCADE", []),
        ("CREATE OR REPLACE FUNCTION retort_keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'", []),
    ]:
        assert refused(statement, *given), statement
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('retort.erasing', %s, true)", [f"cases_evidenceitem:{exhibit.pk}"])
        with pytest.raises(DatabaseError), transaction.atomic():
            cursor.execute("UPDATE cases_evidenceitem SET title = '' WHERE id = %s", [exhibit.pk])

    assert vault.has(exhibit.sha256)


def test_certificates_need_a_grant_and_grants_two_people_in_the_database(exhibit: EvidenceItem, cast: Cast) -> None:
    made = order(cast, policy(cast))

    def write(row: Any) -> None:
        with transaction.atomic():
            log.record(actor="user:admin", action="destruction.done", rows=[row])
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    def certificate() -> Destruction:
        return Destruction(kind="blob", key=exhibit.sha256, order_id=made.pk, basis="b", ordered_by="nobody")

    def decision(**people: Any) -> DestructionDecision:
        return DestructionDecision(order=made, granted=True, **people)

    for row in (
        certificate(),
        decision(asker=cast.admin, decider=cast.admin),
        decision(asker=cast.lead, decider=cast.admin),
    ):
        with pytest.raises(IntegrityError):
            write(row)
    write(decision(asker=cast.admin, decider=cast.counsel))
    write(certificate())


def test_bytes_leave_the_vault_for_a_certificate_alone(exhibit: EvidenceItem) -> None:
    made_up = Destruction(kind="blob", key=exhibit.sha256)
    with pytest.raises(RuntimeError), transaction.atomic():
        vault.remove(made_up)

    assert vault.has(exhibit.sha256)
