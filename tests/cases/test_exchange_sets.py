"""Exchange sets: made in one pass by a job, asked again, and one exchange proven to belong without the others."""

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied

from cases import actions
from cases.actions import exchange_checks, exchange_sets
from cases.actions.exchange_sets import Choice
from cases.exchange_sets import kept, making
from cases.filters import AccountFilter
from cases.models import Case, CaseAccount, CustodyEvent, EvidenceItem, ExchangeSet, ExchangeSetRerun
from detection import sources
from detection.models import Account, TelemetrySource
from detection.telemetry import exchange_rows
from spine import jobs, merkle, sequencer, vault
from spine.errors import Refused
from spine.models import Job, JobState, LogEntry
from tests.cases.exchanges import PROMPT, RESPONSE, ask_for_set, exchange, make_set, read_in
from tests.factories import DAYS, START, Cast, make_case, run_job
from tests.second_verifier_forms import fault
from tests.second_verifier_sets import DIFFERENCE

pytestmark = pytest.mark.django_db
ROWS = 300


@pytest.fixture
def folder(tmp_path: Path, settings: Any, no_broker: None, checkpoints_apart: Path) -> Iterator[Path]:
    settings.TELEMETRY_ROOT = tmp_path / "telemetry"
    return tmp_path


@pytest.fixture
def case(cast: Cast, folder: Path) -> Case:
    """A case of four accounts, whose source has six accounts' exchanges."""
    made = make_case(cast)
    read_in(folder, [exchange(number) for number in range(ROWS)])
    return made


def naive_root(held: ExchangeSet, rows: list[dict[str, Any]]) -> str:
    """The root from the format's text alone: plain rows, plain tree."""
    from detection.telemetry.columns import EXCHANGES, REQUIRED, fitted

    inside = [fitted(row, EXCHANGES, REQUIRED) for row in rows if row["account_id"] <= "acct-0003"]
    key = bytes(held.key)
    order = sorted(
        (row["ts"], row["request_id"].encode(), exchange_rows.leaf_hash(exchange_rows.canonical_row(row, key)))
        for row in inside
    )
    return merkle.root([leaf for _, _, leaf in order]).hex()


def test_a_set_is_an_exhibit_whose_bytes_are_its_statement(case: Case, cast: Cast) -> None:
    held = make_set(case, cast.analyst, authority="terms of service, section 4")
    item = held.item
    stated = json.loads(vault.read(item.sha256))

    assert (item.kind, item.number, item.exhibit, item.size) == (
        "exchange_set",
        1,
        "Exhibit 1",
        len(vault.read(item.sha256)),
    )
    assert (held.row_count, held.account_count, stated["rows"]["count"], stated["accounts"]["count"]) == (
        200,
        4,
        200,
        4,
    )
    assert held.root == stated["rows"]["root"] == naive_root(held, [exchange(number) for number in range(ROWS)])
    assert (stated["rows"]["first"], stated["rows"]["input_tokens"]) == ("2026-05-01T00:00:00.000000Z", 2000)
    assert stated["leaves"] == {"sha256": held.leaves_sha256, "size": 200 * 48}
    assert stated["key_sha256"] == sha256(bytes(held.key)).hexdigest()
    assert [(file["name"], file["rows"]) for file in stated["files"]] == [("exchanges.jsonl", ROWS)]
    events = CustodyEvent.objects.filter(item=item).order_by("place")
    assert [(event.action, event.why) for event in events] == [
        ("hashed", "terms of service, section 4"),
        ("received", "terms of service, section 4"),
    ]
    entry = LogEntry.objects.get(action="exchange_set.made")
    assert (entry.data["rows"], entry.data["root"], entry.row_count) == (200, held.root, 4)


def test_nothing_a_set_says_has_an_account_id_content_or_the_key(case: Case, cast: Cast) -> None:
    held = make_set(case, cast.analyst)
    told = vault.read(held.item.sha256) + json.dumps([e.data for e in LogEntry.objects.all()]).encode()
    told += json.dumps(list(Job.objects.values_list("args", "result", "note")), default=str).encode()
    for secret in ("acct-0", PROMPT, RESPONSE, "192.0.2.", bytes(held.key).hex()):
        assert secret.encode() not in told


def test_only_chosen_accounts_and_the_window_are_in_it(case: Case, cast: Cast) -> None:
    picks = dict(CaseAccount.objects.filter(account__provider_id="acct-0001").values_list("id", "verdict_id"))
    actions.set_verdicts_picked(case, picks, actor=cast.analyst, value="benign", reason="looked at")
    one = make_set(case, cast.analyst, choice=Choice(AccountFilter(verdict="benign")))
    cluster = str(case.clusters.get().cluster_id)
    every = make_set(case, cast.analyst, choice=Choice(AccountFilter(cluster=cluster)))
    names = tuple(
        Account.objects.filter(provider_id__in=["acct-0002", "acct-0003"]).values_list("pseudonym", flat=True)
    )
    two = make_set(case, cast.analyst, choice=Choice(listed=names), end=START + timedelta(days=1))
    assert [(held.account_count, held.row_count) for held in (one, every, two)] == [(1, 50), (4, 200), (2, 68)]
    assert [held.chosen for held in (one, two)] == ["verdict benign", "2 accounts by name"]
    assert two.last_ts is not None
    assert two.last_ts < START + timedelta(days=1)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"end": START}, "end"),
        ({"start": START + timedelta(days=9999), "end": START + timedelta(days=10_000)}, "start"),
        ({"start": START - timedelta(days=9), "end": START - timedelta(days=8)}, "source"),
        ({"choice": Choice(AccountFilter(verdict="victim"))}, "source"),
        ({"choice": Choice(listed=("acc-000000000000",))}, "listed"),
        ({"title": "x" * 201}, "title"),
    ],
)
def test_what_no_set_can_be_made_of_is_refused(case: Case, cast: Cast, given: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as refused:
        ask_for_set(case, cast.analyst, **given)
    assert (refused.value.field, Job.objects.filter(kind="exchange_set.make").count()) == (field, 0)


def test_a_window_without_a_row_makes_no_exhibit(case: Case, cast: Cast) -> None:
    start = START + timedelta(seconds=1)
    job = run_job(ask_for_set(case, cast.analyst, start=start, end=start + timedelta(seconds=1)))
    assert (job.state, EvidenceItem.objects.count()) == (JobState.FAILED, 0)
    assert "no exchange of these accounts" in job.error


def test_a_reader_makes_none(case: Case, cast: Cast) -> None:
    with pytest.raises(PermissionDenied):
        ask_for_set(case, cast.reader)


def test_the_same_question_while_it_waits_is_one_job(case: Case, cast: Cast) -> None:
    assert ask_for_set(case, cast.analyst).pk == ask_for_set(case, cast.lead).pk


def test_an_attempt_that_lost_its_lease_writes_nothing_and_the_next_one_does(case: Case, cast: Cast) -> None:
    job = ask_for_set(case, cast.analyst)
    first = jobs._take(job.id)
    assert first is not None
    Job.objects.filter(pk=job.pk).update(state=JobState.QUEUED, holder=None, lease_until=None)
    with pytest.raises(jobs.LeaseLost):
        exchange_sets.make(first)
    assert ExchangeSet.objects.count() == EvidenceItem.objects.count() == 0
    assert run_job(job).state == JobState.DONE
    assert ExchangeSet.objects.count() == EvidenceItem.objects.count() == 1
    assert not list((Path(sources.root_of(TelemetrySource.objects.get()))).glob("**/.s*"))


def test_a_job_that_is_done_twice_makes_one_set(case: Case, cast: Cast) -> None:
    held = make_set(case, cast.analyst)
    Job.objects.filter(pk=held.job_id).update(state=JobState.QUEUED, holder=None, lease_until=None)
    job = run_job(Job.objects.get(pk=held.job_id))
    assert (job.state, job.result["root"], ExchangeSet.objects.count()) == (JobState.DONE, held.root, 1)


def test_a_case_closed_meanwhile_gets_no_exhibit(cast: Cast, folder: Path) -> None:
    closing = make_case(cast, stage="escalated")
    read_in(folder, [exchange(number) for number in range(20)])
    job = ask_for_set(closing, cast.analyst)
    actions.move_case(closing, actor=cast.lead, to="closed", expected_from="escalated", closing_reason="handed_over")
    before = EvidenceItem.objects.count()
    assert (run_job(job).state, EvidenceItem.objects.count()) == (JobState.FAILED, before)


# Asked again


def rerun(held: ExchangeSet, cast: Cast) -> ExchangeSetRerun:
    job = run_job(exchange_checks.request_rerun(held, actor=cast.analyst))
    assert job.state == JobState.DONE, job.error
    return ExchangeSetRerun.objects.get(job_id=job.id)


def counts(made: ExchangeSetRerun) -> tuple[int, int, int]:
    return made.missing, made.added, made.changed


def test_asked_again_an_unchanged_source_gives_the_same_root(case: Case, cast: Cast) -> None:
    held = make_set(case, cast.analyst)
    made = rerun(held, cast)
    assert (made.root, made.row_count, counts(made)) == (held.root, 200, (0, 0, 0))
    event = CustodyEvent.objects.filter(item=held.item).latest("entry__at", "place")
    assert (event.action, "the same 200 rows" in event.how) == ("analysed", True)


def test_late_changed_and_lost_rows_are_told_apart_and_located(case: Case, cast: Cast, folder: Path) -> None:
    held = make_set(case, cast.analyst)
    shutil.rmtree(sources.root_of(held.source) / "exchanges")
    rows = [exchange(number) for number in range(ROWS) if number not in {0, 1, 14}]
    rows[next(i for i, row in enumerate(rows) if row["request_id"] == "req-000020")]["response"] = "Rewritten."
    rows += [exchange(900 + n, account="acct-0000", ts="2026-05-01T01:00:00Z") for n in range(2)]
    read_in(folder, rows, "again.jsonl")

    made = rerun(held, cast)

    assert (counts(made), made.row_count) == ((3, 2, 1), 199)
    report = json.loads(vault.read(made.report_sha256))
    assert fault(report, DIFFERENCE) == ""
    told = {row["what"]: set(row) - {"what", "ts", "leaf"} for row in report["examples"]}
    assert told == {"missing": {"index"}, "changed": {"index", "request_id"}, "added": {"request_id"}}
    assert (report["kept"], report["before"]["root"], report["now"]["root"]) == (196, held.root, made.root)
    shown = {(row["what"], row["ts"][:19], row.get("index"), row.get("request_id")) for row in report["examples"]}
    assert shown == {
        ("missing", "2026-05-01T00:00:00", 0, None),
        ("missing", "2026-05-01T00:07:00", 1, None),
        ("missing", "2026-05-01T01:38:00", 10, None),
        ("added", "2026-05-01T01:00:00", None, "req-000900"),
        ("added", "2026-05-01T01:00:00", None, "req-000901"),
        ("changed", "2026-05-01T02:20:00", 14, "req-000020"),
    }


def test_a_source_that_is_gone_is_a_set_of_missing_rows(case: Case, cast: Cast) -> None:
    held = make_set(case, cast.analyst)
    shutil.rmtree(sources.root_of(held.source))
    assert counts(rerun(held, cast)) == (200, 0, 0)


def test_damaged_leaves_are_refused_not_compared(case: Case, cast: Cast) -> None:
    held = make_set(case, cast.analyst)
    path = vault.path_of(held.leaves_sha256)
    path.chmod(0o600)
    path.write_bytes(bytes(200 * 48))
    job = run_job(exchange_checks.request_rerun(held, actor=cast.analyst))
    assert (job.state, "not the ones it was made with" in job.error) == (JobState.FAILED, True)


# Proven


def prove(held: ExchangeSet, cast: Cast, request_id: str, **more: Any) -> dict[str, Any]:
    sequencer.sequence()
    found: dict[str, Any] = json.loads(
        exchange_checks.prove_exchange(held, actor=cast.analyst, request_id=request_id, **more)
    )
    return found


def test_a_proof_has_the_row_its_path_and_the_log_and_is_a_custody_event(case: Case, cast: Cast) -> None:
    held = make_set(case, cast.analyst)
    proof = prove(held, cast, "req-000020", columns=["account_id", "ip"], purpose="request of 3 May")
    leaf = exchange_rows.leaf_hash(proof["row"]["canonical"].encode())
    path = [bytes.fromhex(step) for step in proof["row"]["path"]]
    assert merkle.is_included(leaf, proof["row"]["index"], 200, path, bytes.fromhex(held.root))
    row = json.loads(proof["row"]["canonical"])
    assert {name: one["value"] for name, one in proof["opened"].items()} == {
        "account_id": "acct-0002",
        "ip": "192.0.2.20",
    }
    assert all(
        row[name] == exchange_rows.commitment(one["salt"], one["value"]) for name, one in proof["opened"].items()
    )
    assert proof["statement"].encode() == vault.read(held.item.sha256)
    event = CustodyEvent.objects.get(item=held.item, action="exported")
    assert (event.why, "account_id, ip opened" in event.how) == ("request of 3 May", True)


def test_every_row_of_a_set_can_be_proven(case: Case, cast: Cast) -> None:
    held = make_set(case, cast.analyst, end=START + timedelta(hours=3))
    roots = set()
    for number in (n for n in range(26) if n % 6 < 4):
        proof = prove(held, cast, f"req-{number:06d}")
        path = [bytes.fromhex(step) for step in proof["row"]["path"]]
        leaf = exchange_rows.leaf_hash(proof["row"]["canonical"].encode())
        roots.add(merkle.root_from_path(leaf, proof["row"]["index"], held.row_count, path).hex())
    assert roots == {held.root}


@pytest.mark.parametrize("request_id", ["req-000004", "req-999999", "' OR 1=1 --", "req-000299\x00"])
def test_an_exchange_that_is_not_in_the_set_has_no_proof(case: Case, cast: Cast, request_id: str) -> None:
    held = make_set(case, cast.analyst)
    with pytest.raises(Refused):
        prove(held, cast, request_id)
    assert not CustodyEvent.objects.filter(action="exported").exists()


def test_a_changed_exchange_has_no_proof(case: Case, cast: Cast, folder: Path) -> None:
    held = make_set(case, cast.analyst)
    shutil.rmtree(sources.root_of(held.source) / "exchanges")
    read_in(folder, [exchange(20, response="Rewritten.")], "again.jsonl")
    with pytest.raises(Refused, match="otherwise than when the set was made"):
        prove(held, cast, "req-000020")


def test_a_set_that_no_checkpoint_covers_has_no_proof_yet(case: Case, cast: Cast) -> None:
    held = make_set(case, cast.analyst)
    with pytest.raises(Refused, match="No checkpoint covers this yet"):
        exchange_checks.prove_exchange(held, actor=cast.analyst, request_id="req-000020")


def test_an_unknown_column_is_not_opened_and_a_reader_opens_none(case: Case, cast: Cast) -> None:
    held = make_set(case, cast.analyst)
    with pytest.raises(Refused, match="The column 'model' is not known"):
        prove(held, cast, "req-000020", columns=["model"])
    sequencer.sequence()
    assert exchange_checks.prove_exchange(held, actor=cast.reader, request_id="req-000020")
    with pytest.raises(PermissionDenied):
        exchange_checks.prove_exchange(held, actor=cast.reader, request_id="req-000020", columns=["ip"])


def test_leaves_and_nodes_in_the_vault_give_the_root(case: Case, cast: Cast) -> None:
    held = make_set(case, cast.analyst)
    with kept.opened(held.leaves_sha256, held.row_count) as leaves:
        raw = leaves.hashes(0, held.row_count)
        assert leaves.find(0, raw[:32]) is None
    assert merkle.root([raw[at : at + 32] for at in range(0, len(raw), 32)]).hex() == held.root
    assert vault.read(held.nodes_sha256) == b""
    assert len(making.accounts_of(held.accounts_sha256)) == 4
    assert DAYS == 10
