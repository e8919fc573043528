"""Every column of every protected table, changed with the owner's rights: each change is found and located."""

import gzip
import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import models, transaction
from django.utils import timezone
from psycopg import sql
from psycopg.types.json import Jsonb

from cases import actions, erasing
from cases.actions import counsel, deconfliction, destruction, disclosures, dossiers, redactions, testers, verifying
from cases.actions.recalls import answer_recall
from cases.actions.versions import answer_version
from cases.destruction import carry_out
from cases.models import Case, Citation, DossierVersion, RecallFlag
from cases.redaction import Mark
from config.embedded import postgres
from detection.detector_verbs import lift_quarantine, reinstate_version
from detection.models import TelemetrySource
from detection.retention import set_retention
from spine import checkpoint, keyring, keys, protection, sequencer, timestamps, verification
from spine.ids import new_id
from spine.models import AppendOnly, Checkpoint, Job, JobState
from spine.principal import acting_as
from tests.authority import Authority
from tests.cases.deconflicting import ask, compared, make_broker, restrict
from tests.cases.detaching import make_detachment
from tests.cases.exchanges import make_sample
from tests.cases.keeping import everything_to, register
from tests.cases.keeping_apart import make_effect
from tests.cases.newer import newer_version, quiet_match
from tests.cases.recalling import recall, version_under
from tests.cases.testers import list_test
from tests.cases.tracks import let_in, make_track, write_note
from tests.detection.registered import make_detector, make_measure, make_quarantine
from tests.factories import START, Cast, add_exhibit, make_case, make_lead, make_release, provider_ids, run_job
from tests.servers import HOME

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner", "audit"])


# What an empty column is filled with, by its type.
OF_TYPE: dict[str, Any] = {
    "PositiveIntegerField": 1,
    "DateField": START.date(),
    "BinaryField": b"\x01",
    "DateTimeField": START,
    "UUIDField": new_id(),
    "ForeignKey": new_id(),
    "OneToOneField": new_id(),
    "BigIntegerField": 1,
    "CharField": "x",
    "TextField": "x",
    "JSONField": Jsonb({"x": "y"}),
}


# Cells for which no other value gets past the table's own constraints while the story stands as it is.
REFUSED_BY_CONSTRAINTS = {
    "cases_sampledexchange.index",  # the index after it was drawn too
    "cases_samplingplan.confidence_level",
    "cases_alternativeanswer.alternative",
    "cases_brokerterm.ended",
    "cases_citation.cluster_id",
    "cases_citation.evidence_id",
    "cases_citation.finding_id",
    "cases_citation.timeline_note_id",
    "cases_counselmember.ended",
    "cases_counselnote.withdrawn",
    "cases_dossierversion.edition",
    "cases_evidenceitem.derivation",
    "cases_evidenceitem.derived_from_id",
    "cases_evidenceitem.kind",
    "cases_hold.exhibit_id",
    "cases_hold.scope",
    "cases_holdacknowledgement.on_behalf",
    "cases_leaddecision.case_id",
    "cases_leaddecision.kind",
    "cases_leaddecision.reason",
    "cases_preservationanswer.kind",
    "cases_destructionorder.ground",
    "cases_destructionorder.policy_id",
    "cases_retentionpolicy.source_id",
    "detection_quarantine.until",
    "spine_destruction.commitment",
    "spine_destruction.kind",
    "cases_timelinenote.withdrawn",
}


def tell_everything(cast: Cast, folder: Path) -> None:
    """A story that leaves at least one row in every protected table."""
    make_release()
    case = make_case(cast, stage="escalated")
    actions.add_timeline_note(
        case, actor=cast.analyst, lane="decisions", starts_at=START, text="A note", source="us", confidence="high"
    )
    answer_version(newer_version(case), actor=cast.analyst, kind="stays", words="Not of this campaign")
    quiet_match(case)
    testers.end_test(list_test(cast.lead), actor=cast.admin, reason="Done")
    lift_quarantine(make_quarantine(make_detector()[1]), actor="user:admin", reason="It was another key")
    deconflict(cast)
    track = make_track(case, cast)
    counsel.withdraw_note(write_note(track, cast.counsel), actor=cast.counsel)
    counsel.end_member(let_in(track, cast, cast.lead), actor=cast.counsel, reason="Done")
    counsel.export(track, actor=cast.counsel, recipient="Court", purpose="In camera")
    later = timezone.now() + timedelta(days=7)
    waiting = make_lead(["other-1", "other-2"])
    snoozed = actions.snooze_lead(waiting, actor=cast.lead, until=later, factor=2, note="Later")
    actions.reject_lead(actions.reopen_lead(snoozed, actor=cast.lead), actor=cast.lead, reason="too_little")
    actions.restrict_case(case, actor=cast.analyst, reason="Few need to know", people=[cast.lead, cast.counsel])
    make_detachment(case, cast.lead)
    keep_and_release(case, cast)
    make_sample(case, cast.analyst, folder)
    given = {"recipient": register().name, "basis": everything_to("committee").code}
    run_job(dossiers.prepare(case, actor=cast.analyst, edition="counsel", **given))
    version = DossierVersion.objects.get()
    with transaction.atomic():
        dossiers.approve(version, actor=cast.counsel, snapshot_sha256=version.snapshot_sha256)
    redact(case, cast)
    verifying.verify_vault(actor=cast.admin)
    for job in Job.objects.filter(state=JobState.QUEUED):
        assert run_job(job).state == JobState.DONE, job.error
    disclose_and_erase(version, cast)
    actions.join_again(make_effect(cast.lead).decision, actor=cast.lead, reason="One key after all")
    sequencer.sequence()
    told_of_a_new_key()
    sequencer.sequence()
    timestamps.stamp_due()
    sequencer.sequence()


def told_of_a_new_key() -> None:
    """A hand-over in the log; the signer itself keeps its key, which every test needs."""
    newest = checkpoint.parse(Checkpoint.objects.latest("size").note)
    old, new = checkpoint.load_private_key(HOME.log_key), Ed25519PrivateKey.generate()
    statement = asdict(keyring.hand_over(newest.origin, newest.size, old, new))
    plain = {name: value.hex() if isinstance(value, bytes) else value for name, value in statement.items()}
    with transaction.atomic():
        assert keys.record([plain], actor="system:command") == 1


def disclose_and_erase(version: DossierVersion, cast: Cast) -> None:
    """A disclosure with its receipt; a policy, and a citation whose words are erased by two people."""
    ask = disclosures.ask_disclosure(version, actor=cast.analyst, channel="by hand", purpose="Inquiry")
    disclosures.release_disclosure(ask, actor=cast.lead, note="Agreed")
    disclosures.note_disclosure(ask, actor=cast.analyst, kind="receipt", number="C-1", happened_at=START, text="Given")
    recalled = recall(version_under(version.case))
    make_measure(recalled.detector_version)
    flag = RecallFlag.objects.get(case=version.case)
    answer_recall(flag, actor=cast.analyst, words="It stands without it")
    reinstate_version(recalled, actor="user:admin", reason="It was right")
    destruction.set_policy(actor=cast.admin, data_class="packages", days=90, basis="Records rule 7")
    cited = Citation.objects.order_by("pk").first()
    assert cited is not None
    count = erasing.preview_of(cited).count
    order = destruction.order_erasure(
        actor=cast.counsel, kind="citation", key=cited.pk, basis="Art. 17", expected=count
    )
    destruction.decide(order, actor=cast.admin, granted=True, note="Checked")
    with acting_as("system:destruction"):
        assert carry_out(order)["destroyed"] == count


def keep_and_release(case: Case, cast: Cast) -> None:
    """A statement of retention, a receipt, an explanation, and a hold from its placing to its release."""
    source = TelemetrySource.objects.get()
    with transaction.atomic():
        set_retention(source, actor="user:admin", data_class="request_logs", days=30, custodian="Gateway team")
        asked = case.preservation_requests.get()
        actions.answer_preservation(
            asked,
            actor=cast.analyst,
            kind="receipt",
            number="P-7",
            answered_by="Gateway team",
            answered_at=START,
            what="All of it",
            keeps_until=START + timedelta(days=400),
            gone="The first day",
        )
        actions.explain_absence(case, actor=cast.analyst, source=source, reason="Asked by telephone")
        hold = actions.place_hold(
            case,
            actor=cast.counsel,
            matter="A dispute",
            trigger="A letter",
            triggered_at=START,
            scope="source",
            source=source,
            window_start=START,
            window_end=START + timedelta(days=9),
            keepers=[actions.Keeper(name="Gateway team", contact="gateway@example.org")],
        )
        custodian = hold.custodians.get()
        actions.remind(custodian, actor=cast.counsel, note="By mail")
        actions.acknowledge_on_behalf(custodian, actor=cast.counsel, exhibit=1, note="Signed")
        ask = actions.ask_release(hold, actor=cast.counsel, reason="It is settled")
        actions.release_hold(hold, actor=cast.lead, ask=ask.pk, note="Agreed")


def deconflict(cast: Cast) -> None:
    """A question with a match, the other side asked first, and people put in touch."""
    broker = make_broker(cast)
    asking = make_case(cast, accounts=provider_ids(8, "asks"))
    hidden = make_case(cast, accounts=[*provider_ids(3, "asks"), *provider_ids(9, "hides")])
    restrict(hidden, cast.lead)
    question = ask(asking, cast.counsel)
    [match] = compared(question)
    approach = deconfliction.approach(match, actor=broker, words="May I?")
    deconfliction.reply(approach, actor=cast.lead, agrees=True)
    deconfliction.answer(question, actor=broker, value="hit", why="Both agree.", introduce=[match.pk])


def redact(case: Case, cast: Cast) -> None:
    """A redaction by two people, made; and an archive, listed."""
    marks = [Mark(0, 4, "secret")]
    proposal = redactions.propose_redaction(case.evidence.earliest("number"), actor=cast.lead, marks=marks)
    redactions.decide_redaction(proposal, actor=cast.counsel, approve=True)
    add_exhibit(case, cast.lead, gzip.compress(b"a,b\n"), file_name="a.csv.gz")


def other_values(field: Any, value: Any) -> list[Any]:
    """Other values of the same type; where the column has choices, every other choice."""
    if field.choices:
        return [choice for choice, _ in field.flatchoices if choice not in {value, ""}]
    if value is None:
        return [OF_TYPE[field.get_internal_type()]]
    another = [value[:-1] + "~"] if isinstance(value, str) and value else []  # where the first one is somebody else's
    return [other_value(value), *another]


def other_value(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value / 2 + 0.01
    if isinstance(value, datetime):
        return value + timedelta(microseconds=1)
    if isinstance(value, bytes | memoryview):
        return bytes(value)[:-1] + bytes([bytes(value)[-1] ^ 1]) if value else b"\x01"
    if isinstance(value, dict | list):
        return Jsonb({"changed": json.loads(json.dumps(value, default=str))})
    if isinstance(value, str):
        return value[:-1] + ("0" if value[-1:] != "0" else "1") if value else "x"
    return new_id()


def changed(connection: psycopg.Connection, table: str, column: str, key: tuple[str, Any], values: list[Any]) -> Any:
    """Try the values until a constraint lets one in; gives the old and the new one, None when all are refused."""
    for value in values:
        try:
            return change(connection, table, column, key, value), value
        except psycopg.errors.IntegrityError:
            continue
    return None


def change(connection: psycopg.Connection, table: str, column: str, key: tuple[str, Any], value: Any) -> Any:
    """Set one column of one row, whatever triggers and foreign keys say; gives what it was."""
    name = sql.Identifier(column)
    where = sql.SQL("{} = %s").format(sql.Identifier(key[0]))
    old = connection.execute(sql.SQL("SELECT {} FROM {} WHERE {}").format(name, sql.Identifier(table), where), [key[1]])
    row = old.fetchone()
    assert row is not None
    statement = sql.SQL("UPDATE {} SET {} = %s WHERE {}").format(sql.Identifier(table), name, where)
    assert connection.execute(statement, [value, key[1]]).rowcount == 1
    return row[0]


@dataclass(frozen=True)
class Cell:
    """One column of one row of a protected table."""

    model: type[models.Model]
    field: Any
    key: tuple[str, Any]
    value: Any

    @property
    def name(self) -> str:
        return f"{self.model._meta.db_table}.{self.field.column}"


def rounds() -> list[list[Cell]]:
    """Every column once. Append-only tables are changed together, one column of each; the tree's one by one."""
    together: dict[int, list[Cell]] = {}
    alone: list[list[Cell]] = []
    for model in protection.protected_models():
        row = model._default_manager.order_by("-pk").first()
        assert row is not None, f"{model._meta.db_table} is empty: the story has to reach it"
        fields = [field for field in model._meta.concrete_fields if field.column]
        for number, field in enumerate(fields):
            cell = Cell(model, field, key_of(row), getattr(row, field.attname))
            if issubclass(model, AppendOnly):
                together.setdefault(number, []).append(cell)
            else:
                alone.append([cell])
    return [*together.values(), *alone]


def key_of(row: models.Model) -> tuple[str, Any]:
    """A column and value that single out the row; nodes have two key columns, of which the hash is as good."""
    if row._meta.db_table == "spine_node":
        return "hash", row.hash  # type: ignore[attr-defined]
    return str(row._meta.pk.column), row.pk


def test_every_changed_column_of_every_protected_table_is_found_and_located(
    committed_cast: Cast,
    no_broker: None,
    checkpoints_apart: Path,
    tmp_path: Path,
    settings: Any,
    authority: Authority,
) -> None:
    settings.TELEMETRY_ROOT = tmp_path / "telemetry"
    tell_everything(committed_cast, tmp_path)
    assert verification.verify().problems == []
    missed: list[str] = []
    refused: list[str] = []
    tried = 0
    with postgres.connect(HOME) as owner:
        owner.execute("SET session_replication_role = replica")
        for cells in rounds():
            done = [(cell, tamper(owner, cell)) for cell in cells]
            problems = verification.verify().problems
            for cell, change_made in done:
                if change_made is None:
                    refused.append(cell.name)
                    continue
                tried += 1
                old, new = change_made
                now = (cell.key[0], new) if cell.field.column == cell.key[0] else cell.key
                found = (
                    [p for p in problems if p.row == str(now[1])] if issubclass(cell.model, AppendOnly) else problems
                )
                missed += [] if found else [cell.name]
                restored = Jsonb(old) if isinstance(old, dict | list) else old
                change(owner, cell.model._meta.db_table, cell.field.column, now, restored)
    assert missed == []
    assert tried > 200
    assert set(refused) <= REFUSED_BY_CONSTRAINTS
    assert verification.verify().problems == []


def tamper(owner: psycopg.Connection, cell: Cell) -> Any:
    """Change the cell; gives the old and the new value, None when constraints let no other value in."""
    values = other_values(cell.field, cell.value)
    return changed(owner, cell.model._meta.db_table, cell.field.column, cell.key, values)
