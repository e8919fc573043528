"""Exchange sets and samples by page, API and command: made, read, proven, drawn, judged, stopped."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Max
from django.test import Client

from cases.dossier.package_files import verify
from cases.models import Case, CustodyEvent, ExchangeSet, SampleResult, SamplingPlan
from detection.models import ClusterMember, TelemetrySource
from detection.retention import set_retention
from spine import sequencer
from spine.models import Job, JobState, LogEntry
from tests.cases import api
from tests.cases.exchanges import PROMPT, exchange, make_plan, make_set, read_in
from tests.cases.pages import client_of, forms_of, text_of
from tests.factories import Cast, make_case, run_job

pytestmark = pytest.mark.django_db


@pytest.fixture
def case(cast: Cast, tmp_path: Path, settings: Any, no_broker: None, checkpoints_apart: Path) -> Case:
    settings.TELEMETRY_ROOT = tmp_path / "telemetry"
    made = make_case(cast)
    read_in(tmp_path, [exchange(number) for number in range(60)])
    return made


@pytest.fixture
def page(cast: Cast) -> Client:
    return client_of(cast.analyst)


def form(case: Case, **changed: Any) -> dict[str, Any]:
    source = case.clusters.get().cluster.run.source_id
    given = {"source": source, "start": "2026-05-01T00:00:00", "end": "2026-05-11T00:00:00"}
    return {**given, "verdict": "", "cluster": "", **changed}


def test_only_source_is_chosen_already_and_drawn_exchanges_are_offered_for_a_proof(
    case: Case, cast: Cast, page: Client
) -> None:
    new = page.get(f"/cases/{case.ref}/sets/new/")
    assert new.context["set_form"]["source"].value() == TelemetrySource.objects.get().pk
    plan = make_plan(make_set(case, cast.analyst), cast.analyst, seed="seed 1")
    text = text_of(page.get(f"/cases/{case.ref}/sets/1/"))
    drawn = list(plan.sample.order_by("ordinal").values_list("request_id", flat=True))
    assert [f'<option value="{one}">' in text for one in drawn] == [True] * 10
    assert '<a href="/verify.py">' in text
    assert "by the seed “seed 1”" in text_of(page.get(f"/cases/{case.ref}/sets/1/plans/1/"))
    assert page.get("/verify.py").getvalue() == Path(str(verify.__file__)).read_bytes()


def test_a_set_is_made_from_the_page_and_shown_with_its_definition(case: Case, page: Client) -> None:
    shown = page.get(f"/cases/{case.ref}/sets/new/")
    assert forms_of(shown) >= {f"/cases/{case.ref}/sets/make/"}
    sent = page.post(f"/cases/{case.ref}/sets/make/", form(case, authority="section 4"))
    job = Job.objects.get(kind="exchange_set.make")
    assert (sent.status_code, sent["Location"]) == (302, f"/cases/{case.ref}/evidence/?job={job.pk}")
    assert "Stop it" in text_of(page.get(sent["Location"]))
    assert run_job(job).state == JobState.DONE
    assert f"/cases/{case.ref}/sets/1/" in text_of(page.get(f"/jobs/{job.pk}/"))
    held = ExchangeSet.objects.get()
    text = text_of(page.get(f"/cases/{case.ref}/sets/1/"))
    for part in (held.root, "ORDER BY ts, request_id, leaf", "every account of the case", "exchanges.jsonl", "40"):
        assert part in text
    assert "acct-0" not in text


@pytest.mark.parametrize(("days", "words"), [(30, "was kept there until"), (36_500, "is kept there until")])
def test_originals_that_are_past_their_time_were_kept_there(
    case: Case, cast: Cast, page: Client, days: int, words: str
) -> None:
    set_retention(TelemetrySource.objects.get(), actor="user:admin", data_class="request_logs", days=days)
    make_set(case, cast.analyst)
    assert words in text_of(page.get(f"/cases/{case.ref}/sets/1/"))


def test_the_window_offered_holds_the_last_exchange_of_the_case(case: Case, page: Client) -> None:
    last = ClusterMember.objects.aggregate(last=Max("last_seen"))["last"]
    offered = f'name="end" value="{last + timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}"'
    assert offered in page.get(f"/cases/{case.ref}/sets/new/").getvalue().decode()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"end": "2026-04-01T00:00:00"}, "ends before it begins"),
        ({"listed": "acc-000000000000"}, "no account acc-000000000000"),
        ({"source": ""}, "required"),
    ],
)
def test_a_refused_set_is_shown_beside_its_field(case: Case, page: Client, changed: Any, said: str) -> None:
    answer = page.post(f"/cases/{case.ref}/sets/make/", form(case, **changed))
    assert (answer.status_code, said in text_of(answer)) == (422, True)


def test_work_is_stopped_and_writes_nothing(case: Case, page: Client, cast: Cast) -> None:
    page.post(f"/cases/{case.ref}/sets/make/", form(case))
    job = Job.objects.get(kind="exchange_set.make")
    assert page.post(f"/jobs/{job.pk}/stop/").status_code == 302
    assert run_job(job).state == JobState.STOPPED
    assert (ExchangeSet.objects.count(), "stopped by" in job.error) == (0, True)
    assert LogEntry.objects.get(action="job.stopped").data["kind"] == "exchange_set.make"
    again = api.client_of(cast.analyst).post(f"/api/v1/cases/{case.ref}/jobs/{job.pk}/stop/")
    assert (again.status_code, "ended already" in again.content.decode()) == (409, True)


def test_a_proof_from_page_and_api_is_accepted(case: Case, cast: Cast, page: Client, tmp_path: Path) -> None:
    make_set(case, cast.analyst)
    sequencer.sequence()
    asked = {"request_id": "req-000020", "columns": ["account_id"], "purpose": "hearing"}
    by_page = page.post(f"/cases/{case.ref}/sets/1/prove/", asked)
    by_api = api.client_of(cast.analyst).post(f"/api/v1/cases/{case.ref}/exchange-sets/1/proof/", asked, format="json")
    for answer in (by_page, by_api):
        assert answer.status_code == 200
        assert answer["Content-Disposition"].startswith(f'attachment; filename="{case.ref}-exhibit-001-exchange-')
        path = tmp_path / "proof.json"
        path.write_bytes(b"".join(answer.streaming_content))
        report = verify.verify_exchange(str(path))
        assert report.accepted, report.failures
        assert any("account_id is acct-0002" in line.text for line in report.lines)
    assert CustodyEvent.objects.filter(action="exported", why="hearing").count() == 2
    missing = page.post(f"/cases/{case.ref}/sets/1/prove/", {"request_id": "req-000004"})
    assert (missing.status_code, "no such exchange" in text_of(missing)) == (422, True)


def test_the_command_writes_a_proof_once(case: Case, cast: Cast, tmp_path: Path, capsys: Any) -> None:
    make_set(case, cast.analyst)
    out = tmp_path / "proof.json"
    call_command("prove_exchange", case.ref, "1", "req-000020", "--out", str(out), "--open", "ip")
    assert capsys.readouterr().out.strip() == str(out)
    assert verify.verify_exchange(str(out)).accepted
    for arguments in ([case.ref, "1", "req-000020"], [case.ref, "2", "req-000020"], [case.ref, "1", "req-999999"]):
        with pytest.raises(CommandError):
            call_command("prove_exchange", *arguments, "--out", str(out))


def test_re_runs_stand_on_the_page_and_over_the_api(case: Case, cast: Cast, page: Client, tmp_path: Path) -> None:
    make_set(case, cast.analyst)
    read_in(tmp_path, [exchange(900, account="acct-0000", ts="2026-05-01T01:00:00Z")], "late.jsonl")
    assert page.post(f"/cases/{case.ref}/sets/1/rerun/").status_code == 302
    assert run_job(Job.objects.get(kind="exchange_set.rerun")).state == JobState.DONE
    text = text_of(page.get(f"/cases/{case.ref}/sets/1/"))
    assert "41 rows now, 40 then: 0 missing, 1 added, 0 changed" in text
    client = api.client_of(cast.reader)
    whole = client.get(f"/api/v1/cases/{case.ref}/exchange-sets/1/").json()
    (rerun,) = whole["reruns"]
    report = client.get(f"/api/v1/cases/{case.ref}/exchange-sets/1/reruns/{rerun['id']}/").json()
    assert (rerun["added"], [row["request_id"] for row in report["examples"]]) == (1, ["req-000900"])


def test_a_sample_is_drawn_read_and_judged_on_pages(case: Case, cast: Cast, page: Client) -> None:
    make_set(case, cast.analyst)
    asked = {"question": "Part of it?", "seed": "7", "per_stratum": "2", "strata_by": "", "confidence_level": "95"}
    page.post(f"/cases/{case.ref}/sets/1/plans/", asked)
    assert run_job(Job.objects.get(kind="exchange_set.sample")).state == JobState.DONE
    plan = f"/cases/{case.ref}/sets/1/plans/1/"
    assert "Nothing is judged yet" in text_of(page.get(plan))
    assert PROMPT not in text_of(page.get(f"{plan}1/"))
    read = page.post(f"{plan}1/", {"read": "1"})
    assert (PROMPT in text_of(read), CustodyEvent.objects.filter(action="viewed").count()) == (True, 1)
    first = page.post(f"{plan}1/", {"value": "actor_controlled", "note": "grades"})
    second = page.post(f"{plan}2/", {"value": "actor_controlled"})
    assert (first["Location"], second["Location"]) == (f"{plan}2/", plan)
    assert "2 of 2 actor-controlled: 34.2–100.0 %" in text_of(page.get(plan))
    late = page.post(f"{plan}1/", {"value": "benign"})
    assert (late.status_code, SampleResult.objects.count()) == (409, 2)


def test_a_sample_over_the_api(case: Case, cast: Cast) -> None:
    make_set(case, cast.analyst)
    client, base = api.client_of(cast.analyst), f"/api/v1/cases/{case.ref}/exchange-sets/1/plans/"
    asked = client.post(base, {"question": "Part of it?", "seed": "7", "per_stratum": 2}, format="json")
    assert asked.status_code == 202
    assert run_job(Job.objects.get(kind="exchange_set.sample")).state == JobState.DONE
    made = client.post(f"{base}1/sample/1/results/", {"value": "benign"}, format="json")
    again = client.post(f"{base}1/sample/1/results/", {"value": "victim"}, format="json")
    corrected = client.post(
        f"{base}1/sample/1/results/", {"value": "victim", "supersedes": made.json()["id"]}, format="json"
    )
    assert [answer.status_code for answer in (made, again, corrected)] == [201, 409, 201]
    plan = client.get(f"{base}1/").json()
    assert [one["value"] for one in plan["sample"][0]["results"]] == ["victim"]
    assert [(one["value"], one["found"], one["judged"]) for one in plan["estimates"]] == [("victim", 1, 1)]
    assert [one["number"] for one in client.get(base).json()["results"]] == [1]


def test_a_set_over_the_api(case: Case, cast: Cast) -> None:
    client, base = api.client_of(cast.analyst), f"/api/v1/cases/{case.ref}/exchange-sets/"
    asked = {"source": "api-logs", "start": "2026-05-01T00:00:00Z", "end": "2026-05-11T00:00:00Z"}
    assert client.post(base, asked, format="json").status_code == 202
    assert run_job(Job.objects.get(kind="exchange_set.make")).state == JobState.DONE
    (listed,) = client.get(base).json()["results"]
    assert (listed["number"], listed["row_count"], listed["root"]) == (1, 40, ExchangeSet.objects.get().root)
    unknown = client.post(base, {**asked, "source": "none"}, format="json")
    assert (unknown.status_code, api.places(unknown)) == (400, ["/source"])
    assert client.post(base, {**asked, "accounts": {"verdict": "guilty"}}, format="json").status_code == 400


def test_a_drawn_exchange_is_proven_from_its_page(case: Case, cast: Cast, tmp_path: Path) -> None:
    plan: SamplingPlan = make_plan(make_set(case, cast.analyst), cast.analyst, per_stratum=1)
    sequencer.sequence()
    answer = client_of(cast.reader).post(f"/cases/{case.ref}/sets/1/plans/{plan.number}/1/prove/")
    path = tmp_path / "proof.json"
    path.write_bytes(b"".join(answer.streaming_content))
    assert verify.verify_exchange(str(path)).accepted
    assert json.loads(path.read_bytes())["opened"] == {}
