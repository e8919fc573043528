"""The doors for findings: counts and codes as contracted, rights, and documents that are made to harm."""

import gzip
import json
from typing import Any

import pytest
import zstandard

from detection.api import intake
from detection.models import Account, Attribute, Detector, Finding
from spine.models import LogEntry
from tests.detection.conftest import Caller
from tests.detection.hostile import DOORS, HOSTILE, UNREADABLE
from tests.detection.samples import finding, line

pytestmark = pytest.mark.django_db
PACK = {"": bytes, "gzip": gzip.compress, "zstd": zstandard.compress}
NDJSON = "application/x-ndjson"


def figures(answer: Any) -> tuple[int, ...]:
    body = answer.json()
    return (answer.status_code, *(body[n] for n in ("received", "created", "duplicate", "superseded", "rejected")))


def nothing_kept() -> bool:
    left = [Finding, Account, Attribute]
    return not any(model.objects.exists() for model in left) and not LogEntry.objects.filter(action="findings.received")


def test_one_finding_is_created_then_a_duplicate(detector: Caller) -> None:
    assert figures(detector.post("findings/", line())) == (201, 1, 1, 0, 0, 0)
    assert figures(detector.post("findings/", line())) == (201, 1, 0, 1, 0, 0)
    entry = LogEntry.objects.get(action="findings.received")
    assert entry.actor == "detector:reasoning-elicitation"


def test_same_finding_by_every_door_is_one_finding(detector: Caller) -> None:
    detector.post("findings/", json.dumps(finding(), indent=4).encode())
    assert figures(detector.post("findings/", b"[" + line() + b"]")) == (201, 1, 0, 1, 0, 0)
    assert figures(detector.post("findings/bulk/", line(), NDJSON)) == (201, 1, 0, 1, 0, 0)


def test_array_with_good_and_bad_items_is_answered_207(detector: Caller) -> None:
    body = json.dumps(
        [finding("a"), finding("a"), finding("a", title="other"), finding("a", version=2), {}, 7]
    ).encode()
    answer = detector.post("findings/", body)
    assert figures(answer) == (207, 6, 1, 1, 1, 3)
    assert {(e["line"], e["pointer"]) for e in answer.json()["errors"]} >= {(3, "/uid"), (5, "/score"), (6, "")}


def test_array_of_a_thousand_is_taken_and_one_more_is_not(detector: Caller) -> None:
    items = [finding(f"f{number}", accounts=[{"id": "a"}]) for number in range(1001)]
    assert figures(detector.post("findings/", json.dumps(items).encode())) == (400, 1, 0, 0, 0, 1)
    assert nothing_kept()
    assert figures(detector.post("findings/", json.dumps(items[:1000]).encode())) == (201, 1000, 1000, 0, 0, 0)


def ocsf(uid: str = "o-1", **changes: Any) -> dict[str, Any]:
    info = {"uid": uid, "title": "As OCSF", "types": ["reasoning_elicitation"]}
    return {**intake.OCSF_SAMPLE, "finding_info": info, **changes}


def test_ocsf_is_taken_as_one_document_an_array_and_lines(detector: Caller) -> None:
    lines = b"\n".join(json.dumps(ocsf(f"o-{n}")).encode() for n in range(4))
    assert figures(detector.post("findings/ocsf/", json.dumps(ocsf("o-0")).encode())) == (201, 1, 1, 0, 0, 0)
    array = json.dumps([ocsf("o-0"), ocsf("o-1")]).encode()
    assert figures(detector.post("findings/ocsf/", array)) == (201, 2, 1, 1, 0, 0)
    answer = detector.post("findings/ocsf/", zstandard.compress(lines), NDJSON, "zstd")
    assert figures(answer) == (201, 4, 2, 2, 0, 0)
    found = Finding.objects.get(uid="o-3")
    assert json.loads(bytes(found.payload))["category_uid"] == 2
    assert (found.score, found.signal, found.account_count) == (0.93, "reasoning_elicitation", 1)


def test_ocsf_that_is_refused_is_pointed_at_in_its_own_document(detector: Caller) -> None:
    wrong = [ocsf(class_uid=2002), ocsf(confidence_score=101), finding()]
    answer = detector.post("findings/ocsf/", json.dumps(wrong).encode())
    assert figures(answer) == (400, 3, 0, 0, 0, 3)
    assert [(e["line"], e["pointer"]) for e in answer.json()["errors"]] == [
        *[(1, "/class_uid"), (2, "/confidence_score"), (3, "/class_uid")]
    ]
    assert nothing_kept()


def test_same_ocsf_document_by_this_door_and_natively_is_no_finding_there(detector: Caller) -> None:
    assert figures(detector.post("findings/", json.dumps(ocsf()).encode()))[0] == 400


@pytest.mark.parametrize("encoding", PACK)
@pytest.mark.parametrize("content_type", [NDJSON, "application/jsonl", "application/x-ndjson; charset=utf-8"])
def test_bulk_lines_are_taken_packed_or_not(detector: Caller, encoding: str, content_type: str) -> None:
    body = b"\n\n" + b"\n \n".join([line("a"), b"{bad", line("b"), line("a")]) + b"\n"
    answer = detector.post("findings/bulk/", PACK[encoding](body), content_type, encoding)
    assert figures(answer) == (207, 4, 2, 1, 0, 1)
    assert [(e["line"], e["pointer"]) for e in answer.json()["errors"]] == [(2, "")]


@pytest.mark.parametrize("path", ["findings/", "findings/bulk/"])
@pytest.mark.parametrize("body", [b"", b" \n\n\t"])
def test_blank_body_is_refused_and_counted_as_nothing(detector: Caller, path: str, body: bytes) -> None:
    answer = detector.post(path, body, NDJSON if "bulk" in path else "application/json")
    assert figures(answer) == (400, 0, 0, 0, 0, 0)
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_array_of_scalars_is_rejected_item_by_item(detector: Caller) -> None:
    answer = detector.post("findings/", b'[1, "a", null, []]')
    assert figures(answer) == (400, 4, 0, 0, 0, 4)
    assert [(e["line"], e["pointer"]) for e in answer.json()["errors"]] == [(1, ""), (2, ""), (3, ""), (4, "")]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_document_is_rejected_with_its_place(detector: Caller, door: str, name: str) -> None:
    path, content_type, wrap = DOORS[door]
    document, pointer = HOSTILE[name]
    answer = detector.post(path, wrap(document), content_type)
    assert answer.status_code == 400
    first = answer.json()["errors"][0]
    assert (first["line"], first["pointer"]) == (1, pointer)
    assert nothing_kept()


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", UNREADABLE)
def test_unreadable_document_is_rejected(detector: Caller, door: str, name: str) -> None:
    path, content_type, wrap = DOORS[door]
    answer = detector.post(path, wrap(UNREADABLE[name]), content_type)
    assert figures(answer) == (400, 1, 0, 0, 0, 1)
    assert answer.json()["errors"][0]["line"] == 1
    assert nothing_kept()


def test_hostile_lines_between_good_ones_take_nothing_with_them(detector: Caller) -> None:
    hostile = [document for document, _ in HOSTILE.values()] + list(UNREADABLE.values())
    body = b"\n".join(part for n, bad in enumerate(hostile) for part in (line(f"good{n}"), bad))
    answer = detector.post("findings/bulk/", body, NDJSON)
    assert figures(answer) == (207, 2 * len(hostile), len(hostile), 0, 0, len(hostile))
    assert {e["line"] for e in answer.json()["errors"]} == set(range(2, 2 * len(hostile) + 1, 2))


def test_document_with_60_000_unknown_keys_is_kept(detector: Caller) -> None:
    many = {f"k{number}": 0 for number in range(60_000)}
    assert figures(detector.post("findings/", line(own=many))) == (201, 1, 1, 0, 0, 0)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_bomb_is_stopped_and_what_came_before_is_kept(detector: Caller, settings: Any, encoding: str) -> None:
    settings.MAX_BULK_BYTES = 2 * 1024 * 1024
    body = PACK[encoding](line("a") + b"\n" + b" " * 8 * 1024 * 1024)
    answer = detector.post("findings/bulk/", body, NDJSON, encoding)
    assert figures(answer) == (207, 2, 1, 0, 0, 1)
    assert answer.json()["errors"][0]["line"] == 2


def test_body_declared_larger_than_the_limit_is_refused_at_once(detector: Caller, settings: Any) -> None:
    settings.MAX_BULK_BYTES = 100
    answer = detector.post("findings/bulk/", line(), NDJSON)
    assert (answer.status_code, answer.headers["Content-Type"]) == (413, "application/problem+json")
    assert nothing_kept()


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_compression_that_breaks_off_keeps_whole_lines_and_names_the_next(detector: Caller, encoding: str) -> None:
    body = PACK[encoding](b"\n".join(line(f"f{number}", title=f"{number * 7919}") for number in range(1500)))
    answer = detector.post("findings/bulk/", body[: len(body) // 2], NDJSON, encoding)
    kept = answer.json()["created"]
    assert figures(answer) == (207, kept + 1, kept, 0, 0, 1)
    assert answer.json()["errors"][0]["line"] == kept + 1
    assert Finding.objects.count() == kept > 0


@pytest.mark.parametrize(
    ("path", "content_type", "encoding"),
    [
        ("findings/", "text/plain", ""),
        ("findings/", NDJSON, ""),
        ("findings/bulk/", "application/json", ""),
        ("findings/bulk/", NDJSON, "br"),
        ("findings/bulk/", NDJSON, "gzip, gzip"),
    ],
)
def test_other_content_types_and_encodings_are_refused(
    detector: Caller, path: str, content_type: str, encoding: str
) -> None:
    answer = detector.post(path, line(), content_type, encoding)
    assert (answer.status_code, answer.headers["Content-Type"]) == (415, "application/problem+json")


@pytest.mark.parametrize("role", ["administrator", "case_lead", "analyst", "counsel", "reader", "nobody"])
@pytest.mark.parametrize("path", ["findings/", "findings/bulk/"])
def test_nobody_but_a_detector_may_send(callers: dict[str, Caller], role: str, path: str) -> None:
    answer = callers[role].post(path, line(), NDJSON if "bulk" in path else "application/json")
    assert answer.status_code == (401 if role == "nobody" else 403)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert nothing_kept()


def test_finding_in_another_detectors_name_is_rejected(detector: Caller) -> None:
    answer = detector.post("findings/", line(detector={"name": "shared_attribute", "version": "1"}))
    assert [(e["line"], e["pointer"]) for e in answer.json()["errors"]] == [(1, "/detector/name")]
    assert Detector.objects.count() == 1


def test_database_that_goes_away_is_answered_503_with_what_is_kept(
    detector: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import OperationalError

    from detection import index, ingest

    monkeypatch.setattr(ingest, "BATCH_BYTES", 1)
    known = index.attributes

    def gone_at_third(values: Any) -> Any:
        if Finding.objects.count() == 3:
            raise OperationalError("the connection is lost")
        return known(values)

    monkeypatch.setattr(index, "attributes", gone_at_third)
    answer = detector.post("findings/bulk/", b"\n".join(line(f"f{n}") for n in range(9)), NDJSON)
    assert figures(answer) == (503, 2, 2, 0, 0, 0)
    assert (answer.headers["Retry-After"], Finding.objects.count()) == ("5", 2)
