"""Erasure: the words are gone from database and vault, every proof stays, and a hold beats it."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import transaction

from cases import actions, erasing
from cases.actions import destruction as verbs
from cases.actions import dossiers
from cases.destruction import carry_out
from cases.dossier.build import build
from cases.dossier.package_files import verify
from cases.models import Case, DestructionOrder, DossierVersion
from config.embedded import binaries, postgres
from detection.models import Account
from detection.pseudonyms import pseudonym
from spine import sequencer, vault, verification
from spine.errors import Refused
from spine.models import Destruction
from spine.principal import acting_as
from tests.factories import START, Cast, add_exhibit, make_case, run_job
from tests.servers import HOME

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "owner", "audit"]),
    pytest.mark.usefixtures("no_broker", "checkpoints_apart"),
]
CANARY = "canary-7f3e-somebody"


@pytest.fixture
def cast(committed_cast: Cast) -> Cast:
    return committed_cast


def dump() -> bytes:
    """Every row of the database as its owner sees it, in text."""
    address = {"PGHOST": str(HOME.sockets), "PGPORT": "5432", "PGUSER": "retort_owner", "PGDATABASE": "retort"}
    environment = {**os.environ, **address, "PGPASSWORD": HOME.password("retort_owner")}
    with postgres.connect(HOME) as owner:
        environment["PGDATABASE"] = owner.info.dbname
    program = [str(binaries.program("pg_dump")), "--data-only", "--inserts", "--schema=public"]
    done = subprocess.run(program, env=environment, check=False, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def everywhere() -> bytes:
    """The database and every file of the vault."""
    return dump() + b"".join(b"".join(vault.pieces(sha256)) for sha256, _ in vault.stored())


def erase(cast: Cast, kind: str, key: Any, basis: str = "GDPR Art. 17(1)") -> DestructionOrder:
    expected = erasing.preview_of(erasing.subject_of(kind, key)).count
    order = verbs.order_erasure(actor=cast.counsel, kind=kind, key=key, basis=basis, expected=expected)
    verbs.decide(order, actor=cast.admin, granted=True)
    with acting_as("system:destruction"):
        counts = carry_out(order)
    assert counts == {"destroyed": order.count, "kept_back": 0, "not_free": 0}
    return order


def package(case: Case, cast: Cast, folder: Path) -> Path:
    """A sealed package of the case, as it was handed out."""
    version: DossierVersion = dossiers.freeze(case, actor=cast.analyst, edition="counsel")
    with transaction.atomic():
        dossiers.approve(version, actor=cast.counsel, snapshot_sha256=version.snapshot_sha256)
    return build(DossierVersion.objects.get(pk=version.pk), folder, actor="user:analyst").path


def verified(path: Path) -> bool:
    return verify.main([str(path)]) == 0


def test_words_of_an_exhibit_and_an_entry_are_gone_and_every_proof_is_green(cast: Cast, tmp_path: Path) -> None:
    case = make_case(cast, stage="judged")
    item = add_exhibit(case, cast.analyst, CANARY.encode(), title=f"Letter of {CANARY}", source=CANARY)
    given = {"lane": "decisions", "starts_at": START, "source": CANARY, "confidence": "high"}
    note = actions.add_timeline_note(case, actor=cast.analyst, text=f"{CANARY} called", **given)
    handed_out = package(case, cast, tmp_path)
    assert CANARY.encode() in everywhere()
    erase(cast, "exhibit", item.pk)
    erase(cast, "timeline", note.pk)
    sequencer.sequence()

    assert CANARY.encode() not in everywhere()
    assert verification.verify().problems == []
    assert verified(handed_out)
    assert Destruction.objects.filter(kind="row").count() > 2


def test_identifiers_of_an_account_are_gone_and_it_comes_again_as_another(cast: Cast) -> None:
    make_case(cast, accounts=[CANARY, "other-account-1", "other-account-2"])
    account = Account.objects.get(provider_id=CANARY)
    known = account.pseudonym
    assert CANARY.encode() in dump()
    erase(cast, "account", account.pk)
    sequencer.sequence()
    account.refresh_from_db()
    left = dump()

    assert CANARY.encode() not in left
    assert account.pseudonym != known
    assert verification.verify().problems == []
    assert Account.objects.create(provider_id=CANARY, pseudonym=pseudonym("default", CANARY)).pseudonym == known


def test_a_hold_over_any_part_refuses_the_erasure(cast: Cast) -> None:
    case = make_case(cast)
    item = add_exhibit(case, cast.analyst)
    placed = {"matter": "A dispute", "trigger": "A letter", "triggered_at": START}
    actions.place_hold(case, actor=cast.counsel, scope="case", **placed)
    account = Account.objects.first()
    assert account is not None
    for kind, key in (("exhibit", item.pk), ("account", account.pk)):
        with pytest.raises(Refused, match="A hold beats erasure"):
            verbs.order_erasure(actor=cast.counsel, kind=kind, key=key, basis="Art. 17", expected=1)


def test_a_hold_that_comes_after_the_grant_keeps_the_words(cast: Cast) -> None:
    case = make_case(cast)
    item = add_exhibit(case, cast.analyst, title="Stays")
    expected = erasing.preview_of(item).count
    order = verbs.order_erasure(actor=cast.counsel, kind="exhibit", key=item.pk, basis="Art. 17", expected=expected)
    verbs.decide(order, actor=cast.admin, granted=True)
    actions.place_hold(
        case, actor=cast.counsel, scope="case", matter="A dispute", trigger="A letter", triggered_at=START
    )
    with acting_as("system:destruction"):
        counts = carry_out(order)
    item.refresh_from_db()

    assert (counts["destroyed"], counts["kept_back"]) == (0, expected)
    assert item.title == "Stays"


def test_an_erased_row_is_erased_once_and_by_who_may(cast: Cast) -> None:
    item = add_exhibit(make_case(cast), cast.analyst)
    for actor in (cast.lead, cast.analyst, cast.reader):
        with pytest.raises(PermissionDenied):
            verbs.order_erasure(actor=actor, kind="exhibit", key=item.pk, basis="b", expected=1)
    erase(cast, "exhibit", item.pk)
    with pytest.raises(Refused, match="erased already"):
        erasing.subject_of("exhibit", item.pk)


def test_an_erased_row_that_holds_words_again_or_a_false_commitment_is_named(cast: Cast) -> None:
    item = add_exhibit(make_case(cast), cast.analyst)
    erase(cast, "exhibit", item.pk)
    sequencer.sequence()
    for statement in (
        "UPDATE cases_evidenceitem SET title = 'put back' WHERE id = %s",
        "UPDATE spine_destruction SET commitment = decode(repeat('ab', 32), 'hex') WHERE key LIKE '%%' || %s",
        "DELETE FROM spine_destruction WHERE key LIKE '%%' || %s",
    ):
        with postgres.connect(HOME) as owner:
            owner.execute("SET session_replication_role = replica")
            owner.execute(statement, [item.pk if statement.startswith("UPDATE cases") else str(item.pk)])
        named = {problem.row for problem in verification.verify().problems}
        assert str(item.pk) in named, statement


def test_a_row_that_was_changed_before_is_not_erased_over(cast: Cast) -> None:
    item = add_exhibit(make_case(cast), cast.analyst)
    with postgres.connect(HOME) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute("UPDATE cases_evidenceitem SET title = 'changed' WHERE id = %s", [item.pk])
    expected = erasing.preview_of(erasing.subject_of("exhibit", item.pk)).count
    order = verbs.order_erasure(actor=cast.counsel, kind="exhibit", key=item.pk, basis="b", expected=expected)
    verbs.decide(order, actor=cast.admin, granted=True)
    with acting_as("system:destruction"), pytest.raises(Refused, match="verify the log first"):
        carry_out(order)


def test_the_job_does_what_two_people_said(cast: Cast) -> None:
    item = add_exhibit(make_case(cast), cast.analyst)
    expected = erasing.preview_of(item).count
    order = verbs.order_erasure(actor=cast.counsel, kind="exhibit", key=item.pk, basis="b", expected=expected)
    verbs.decide(order, actor=cast.admin, granted=True)
    job = run_job(verbs.start(order))

    assert (job.state, job.result) == ("done", {"destroyed": expected, "kept_back": 0, "not_free": 0})
    assert re.fullmatch(r"[0-9a-f]{64}", item.sha256) and not vault.has(item.sha256)
