"""OCSF Detection Findings: mapped as the table says, refused by places in what was sent, stored as received."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from detection import ingest, ocsf
from detection.ingest import Counts
from detection.models import Finding
from tests.detection.samples import finding as native_finding

FILE = Path(__file__).parent.parent / "data" / "ocsf" / "finding.json"
DETECTOR = "example-watch"


def sample(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found | changes


def store(*documents: Any) -> Counts:
    return ingest.store(documents, actor="user:admin", detector=DETECTOR, form="ocsf")


def problems(document: Any) -> list[tuple[str, str]]:
    found = ocsf.check_ocsf(document, detector=DETECTOR)
    assert isinstance(found, list)
    return [(problem.pointer, problem.detail) for problem in found]


def test_sample_becomes_the_native_document_of_the_table() -> None:
    shown = [
        {"type": "ip", "value": "203.0.113.7"},
        {"type": "asn", "value": "64500"},
        {"type": "country", "value": "NL"},
        {"type": "user_agent", "value": "example-client/1.0"},
        {"type": "org", "value": "org_1"},
        {"type": "ja4", "value": "t13d1516h2_8daaf6152771_b186095e22b6"},
    ]
    assert ocsf.native(sample()) == {
        "uid": "ow-1",
        "detector": {"name": DETECTOR, "version": "3.2.0"},
        "signal": "reasoning_elicitation",
        "title": "Asks for inner reasoning",
        "summary": "Repeated over one day.",
        "score": 0.93,
        "confidence": "high",
        "window": {"start": "2026-05-04T00:00:00+00:00", "end": "2026-05-05T00:00:00+00:00"},
        "observed_at": "2026-05-05T01:12:09+00:00",
        "accounts": [
            {"id": "acct_1", "attributes": shown},
            *({"id": f"acct_{number}", "attributes": []} for number in (2, 3, 4)),
        ],
        "techniques": ["AML.T0024.002"],
        "innocent_explanations": ["course exercise"],
    }


def test_observed_attribute_belongs_to_the_only_account() -> None:
    found = ocsf.native(sample(evidences=[], resources=[]))
    assert found["accounts"] == [{"id": "acct_4", "attributes": [{"type": "ip", "value": "203.0.113.9"}]}]


def test_second_choices_are_taken_where_the_first_are_absent() -> None:
    info: dict[str, Any] = {"uid": "ow-2", "title": "t", "analytic": {"name": "Odd Cadence"}}
    info |= {"first_seen_time": 1777852800000, "last_seen_time": 1777852801500}
    document = sample(finding_info=info, message="m", risk_score=40)
    for name in ("start_time", "end_time", "confidence_score"):
        del document[name]
    found = ocsf.native(document)
    assert (found["signal"], found["summary"], found["score"]) == ("x-odd-cadence", "m", 0.4)
    assert found["window"]["end"] == "2026-05-04T00:00:01.500000+00:00"


def test_missing_parts_are_named_by_their_ocsf_places() -> None:
    assert {pointer for pointer, _ in problems({"class_uid": 2004})} == {
        "/finding_info/uid",
        "/metadata/product/name",
        "/metadata/product/version",
        "/finding_info/types/0",
        "/finding_info/title",
        "/confidence_score",
        "/start_time",
        "/end_time",
        "/evidences",
    }


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"class_uid": 2005}, "/class_uid"),
        ({"confidence_score": 0.93}, "/confidence_score"),
        ({"confidence_id": 7}, "/confidence_id"),
        ({"start_time": "2026-05-04T00:00:00Z"}, "/start_time"),
        ({"time": 10**15}, "/time"),
        ({"end_time": 0}, "/end_time"),
        ({"unmapped": {"version": 0}}, "/unmapped/version"),
        ({"unmapped": {"support": {"exchanges": -1}}}, "/unmapped/support/exchanges"),
        ({"resources": [{"type": "user", "uid": ""}]}, "/resources/0/uid"),
        ({"resources": [{"type": "user", "uid": 7}]}, "/resources/0/uid"),
        ({"metadata": {"product": {"name": "Other", "version": "1"}}}, "/metadata/product/name"),
    ],
)
def test_bad_part_is_named_by_its_ocsf_place(changes: dict[str, Any], pointer: str) -> None:
    assert [found for found, _ in problems(sample(**changes))] == [pointer]


@pytest.mark.django_db
def test_received_bytes_are_kept_and_the_same_content_is_a_duplicate() -> None:
    raw = FILE.read_bytes()
    counts = store(raw, json.dumps(sample(), sort_keys=True).encode(), json.dumps(sample(severity_id=5)).encode())
    assert (counts.created, counts.duplicate, counts.rejected) == (1, 1, 1)
    assert [(error.line, error.pointer) for error in counts.errors] == [(3, "/finding_info/uid")]
    found = Finding.objects.get()
    assert (bytes(found.payload), found.score, found.account_count) == (raw, 0.93, 4)


@pytest.mark.django_db
def test_higher_sequence_supersedes() -> None:
    metadata = sample()["metadata"]
    counts = store(sample(), sample(metadata=metadata | {"sequence": 2}), sample(unmapped={"version": 3}))
    assert (counts.created, counts.superseded) == (1, 2)
    assert [row.version for row in Finding.objects.current()] == [3]


@pytest.mark.django_db
def test_the_same_finding_in_the_other_form_is_a_conflict() -> None:
    store(sample())
    native = ocsf.native(sample()) | {"detector": {"name": DETECTOR, "version": "1"}}
    counts = ingest.store([native, native | {"version": 2}], actor="user:admin", detector=DETECTOR)
    assert (counts.rejected, counts.errors[0].pointer, counts.errors[0].detail) == (1, "/uid", ingest.CONFLICT)
    assert counts.superseded == 1


@pytest.mark.django_db
@pytest.mark.parametrize("form", [None, "ocsf"])
def test_command_reads_ocsf_named_or_found_by_content(tmp_path: Path, form: str | None) -> None:
    own = native_finding() | {"uid": "n-1", "detector": {"name": DETECTOR, "version": "1"}}
    lines = [sample(), sample()] + ([own] if form is None else [])
    file = tmp_path / "findings.ndjson"
    file.write_text("\n".join(json.dumps(document) for document in lines))
    out = StringIO()
    call_command("ingest", "--detector", DETECTOR, *(["--format", form] if form else []), str(file), stdout=out)
    counts = json.loads(out.getvalue())
    assert (counts["created"], counts["duplicate"], counts["rejected"]) == (len(lines) - 1, 1, 0)
