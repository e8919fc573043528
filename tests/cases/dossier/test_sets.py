"""Exchange sets and samples in a dossier: the same figures in JSON, schedules and PDF, and nothing of the exchanges."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from cases.actions import dossiers, exchange_checks, sampling
from cases.dossier import pdf, sample_proofs
from cases.dossier.document import document
from cases.dossier.package_files import verify
from cases.dossier.schedules import schedules
from cases.dossier.verify import verify_package
from cases.exchange_sets.intervals import wilson
from cases.models import Case, DossierVersion, SamplingPlan
from people.models import User
from spine import vault
from tests.cases.dossier.reading_pdf import text_of, without_space
from tests.cases.dossier.story import files_of, package_of
from tests.cases.dossier.test_snapshot import bare_numbers
from tests.cases.exchanges import PROMPT, RESPONSE, exchange, make_plan, make_sample, read_in
from tests.factories import Cast, add_exhibit, make_case, run_job
from tests.second_verifier import check_package

pytestmark = pytest.mark.django_db(transaction=True)
NOTE = "QX7CANARY note of a reviewer"
LISTS = ("exchange_sets", "exchange_set_reruns", "samples", "sampled_exchanges")


@pytest.fixture
def drawn(
    committed_cast: Cast, no_broker: None, checkpoints_apart: Path, settings: Any, tmp_path: Path
) -> SamplingPlan:
    """A set over 40 exchanges of four accounts, asked again twice (two rows came since), with two samples of it."""
    settings.TELEMETRY_ROOT = tmp_path / "telemetry"
    case = make_case(committed_cast)
    plan = make_sample(case, committed_cast.analyst, tmp_path)
    for sampled in plan.sample.filter(ordinal__gt=1).order_by("ordinal"):
        sampled.plan = plan
        value = "benign" if sampled.ordinal == 7 else "actor_controlled"
        sampling.judge_sampled(sampled, actor=committed_cast.analyst, value=value, note=NOTE)
    make_plan(plan.exchange_set, committed_cast.analyst, strata_by="account", per_stratum=2)
    read_in(tmp_path, [exchange(500, "acct-0001"), exchange(501, "acct-0002")], "late.jsonl")
    run_job(exchange_checks.request_rerun(plan.exchange_set, actor=committed_cast.analyst))
    return plan


def frozen(case: Case, actor: User, **asked: Any) -> DossierVersion:
    return dossiers.freeze(case, actor=actor, edition="counsel", **asked)


def snapshot_of(version: DossierVersion) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(vault.read(version.snapshot_sha256))
    return whole


def test_a_set_stands_in_json_schedules_and_pdf_with_what_became_of_it(
    drawn: SamplingPlan, committed_cast: Cast, tmp_path: Path
) -> None:
    held = drawn.exchange_set
    version = frozen(held.case, committed_cast.analyst)
    snapshot = snapshot_of(version)
    said = snapshot["exchange_sets"]["rows"]
    assert [(one["exhibit"], one["rows"], one["root"], one["accounts"]) for one in said] == [(1, 40, held.root, 4)]
    assert said[0]["asked"].startswith("every exchange of 4 accounts (")
    assert f"in api-logs from {said[0]['window']['start']} up to " in said[0]["asked"]
    assert "canonical JSON (RFC 8785)" in snapshot["exchange_sets"]["rule"]
    again = snapshot["exchange_set_reruns"]["rows"]
    assert [(one["rows"], one["missing"], one["added"], one["same"]) for one in again] == [
        (40, 0, 0, True),
        (42, 0, 2, False),
    ]
    assert list(bare_numbers(snapshot)) == ["/v"]
    told = next(part for part in snapshot["limits"]["known"] if part["title"] == "Exchange sets against their source")
    assert [row["text"].split(": ", 1)[1] for row in told["rows"]] == [
        "0 missing, 0 of them older than the source keeps; 2 added; 0 changed."
    ]

    files = files_of(package_of(version, tmp_path / "out"))
    tables = {name: list(csv.DictReader(io.StringIO(files[f"data/schedules/{name}.csv"].decode()))) for name in LISTS}
    assert {name: len(rows) for name, rows in tables.items()} == dict(zip(LISTS, (1, 2, 2, 18), strict=True))
    assert [row["added"] for row in tables["exchange_set_reruns"]] == ["0", "2"]
    printed = text_of(files["data/dossier.pdf"])
    for shown in ("Exchange sets and samples", held.root, said[0]["asked"], "9 of 10", "59.6 % – 98.2 %", "the same"):
        assert without_space(shown) in printed
    assert without_space("It was not asked again") not in printed


def test_a_sample_says_frame_seed_strata_and_its_interval(drawn: SamplingPlan, committed_cast: Cast) -> None:
    plan = snapshot_of(frozen(drawn.exchange_set.case, committed_cast.analyst))["samples"]["rows"][0]
    assert (plan["frame"], plan["seed"], plan["sampled"], plan["judged"], plan["reviewers"]) == (40, "7", 10, 10, 1)
    assert plan["strata"] == [{"name": "", "rows": 40, "sampled": 10, "judged": 10}]
    first = next(line for line in plan["results"] if line["result"] == "actor-controlled")
    low, high = wilson(0.9, 10, 95)
    assert (first["found"], first["judged"], first["share"]) == (9, 10, 0.9)
    assert (first["low"], first["high"]) == (round(low, 6), round(high, 6))
    assert (round(low, 3), round(high, 3)) == (0.596, 0.982)  # as tables of Wilson's interval have it
    assert first["words"] == "9 of 10 actor-controlled: 59.6–98.2 %"


def test_what_came_after_the_cut_is_out(drawn: SamplingPlan, committed_cast: Cast) -> None:
    case, actor = drawn.exchange_set.case, committed_cast.analyst
    add_exhibit(case, actor)
    version = frozen(case, actor)
    before = snapshot_of(version)
    again = run_job(exchange_checks.request_rerun(drawn.exchange_set, actor=actor))
    assert again.error == ""
    first = drawn.sample.get(ordinal=1)
    first.plan = drawn
    standing = first.results.get(superseded_by=None)
    sampling.judge_sampled(first, actor=actor, value="benign", supersedes=standing)

    known = frozen(case, actor, as_of=version.cut_at)
    assert (known.pk, snapshot_of(known)) == (version.pk, before)
    later = snapshot_of(frozen(case, actor))
    assert [len(later[name]["rows"]) for name in LISTS] == [1, 3, 2, 18]
    assert later["samples"]["rows"][0]["results"][0]["found"] == 8


def test_a_recipient_gets_no_content_note_request_or_other_name_of_an_account(
    drawn: SamplingPlan, committed_cast: Cast, tmp_path: Path
) -> None:
    case, actor = drawn.exchange_set.case, committed_cast.analyst
    version = frozen(case, actor, recipient="Example Court", basis="order 7")
    snapshot = snapshot_of(version)
    strata = [one["name"] for one in snapshot["samples"]["rows"][1]["strata"]]
    names = {row["account"] for row in snapshot["accounts"]["rows"]}
    assert (len(strata), set(strata)) == (4, names)

    files = files_of(package_of(version, tmp_path / "out"))
    printed = json.dumps(pdf.view(document(version)), ensure_ascii=False)
    accounts = [one.account for one in drawn.sample.select_related("account")]
    secret = {PROMPT, RESPONSE, NOTE, "grades answers", bytes(drawn.exchange_set.key).hex(), "req-0000"}
    secret |= {one.provider_id for one in accounts} | {one.pseudonym for one in accounts}
    assert [(path, value) for path, raw in files.items() for value in secret if value.encode() in raw] == []
    assert [value for value in secret if value in printed] == []
    assert len(files["data/schedules/sampled_exchanges.csv"].splitlines()) == 1 + 18


def test_each_sampled_exchange_has_a_proof_by_hashes_alone_that_the_package_checks(
    drawn: SamplingPlan, committed_cast: Cast, tmp_path: Path
) -> None:
    version = frozen(drawn.exchange_set.case, committed_cast.analyst, recipient="Example Court", basis="order 7")
    dossiers.approve(version, actor=committed_cast.counsel, snapshot_sha256=version.snapshot_sha256)
    package = package_of(version, tmp_path / "out")
    files = files_of(package)
    proofs = {path: json.loads(raw) for path, raw in files.items() if path.startswith(verify.SAMPLE_PROOFS)}
    assert [len(one["proofs"]) for _, one in sorted(proofs.items())] == [10, 8]
    rows = [row for one in proofs.values() for row in one["proofs"]]
    assert {member for row in rows for member in row} == {"ordinal", "index", "leaf_sha256", "path"}
    report = verify_package(package.path)
    assert report.failures == []
    root = drawn.exchange_set.root
    told = [line.text for line in report.lines if line.subject in proofs]
    assert told == [f"{count} of the 40 exchanges of the set with root {root}" for count in (10, 8)]
    assert check_package(package.path).bad == []
    assert package_of(version, tmp_path / "again").sha256 == package.sha256


def test_rows_whose_leaf_hashes_are_gone_have_no_proof_and_the_limits_say_so(
    drawn: SamplingPlan, committed_cast: Cast
) -> None:
    held = drawn.exchange_set
    vault.path_of(held.leaves_sha256).write_bytes(bytes(48 * held.row_count))
    snapshot = snapshot_of(frozen(held.case, committed_cast.analyst))
    assert {row["path"] for row in snapshot["sampled_exchanges"]["rows"]} == {None}
    assert sample_proofs.proofs(snapshot) == {}
    told = next(part for part in snapshot["limits"]["known"] if part["title"] == "Sampled exchanges without a proof")
    assert [row["text"] for row in told["rows"]] == ["Exhibit 1: 18 of 18; the set's leaf hashes are gone or damaged."]


def test_a_snapshot_older_than_these_lists_is_rendered_without_them(
    drawn: SamplingPlan, committed_cast: Cast, tmp_path: Path
) -> None:
    version = frozen(drawn.exchange_set.case, committed_cast.analyst)
    whole = document(version)
    for name in LISTS:
        del whole["snapshot"][name]
    assert without_space("No exchange set was made before the cut.") in text_of(pdf.pdf(whole))


def test_a_snapshot_from_before_findings_were_marked_is_rendered_with_empty_cells(
    drawn: SamplingPlan, committed_cast: Cast
) -> None:
    whole = document(frozen(drawn.exchange_set.case, committed_cast.analyst))
    marked = schedules(whole["snapshot"])["data/schedules/findings.csv"]
    for row in whole["snapshot"]["findings"]["rows"]:
        del row["set_aside"], row["recalled"]
    older = schedules(whole["snapshot"])["data/schedules/findings.csv"]
    cells = [next(csv.DictReader(io.StringIO(one.decode()))) for one in (marked, older)]
    assert [(one["set_aside"], one["recalled"]) for one in cells] == [("no", "no"), ("", "")]
    assert without_space("The strongest findings in full") in text_of(pdf.pdf(whole))
