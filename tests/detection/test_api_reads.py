"""Reading detection over the API: filters, details, fixed query counts, and who may read what."""

import hashlib
import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from detection import ingest
from detection.models import (
    Account,
    Attribute,
    BadLine,
    Cluster,
    Detector,
    DetectorVersion,
    Finding,
    TelemetryFile,
    TelemetrySource,
)
from spine.models import LogEntry
from tests.detection.conftest import Caller
from tests.detection.registered import make_measure
from tests.detection.samples import DETECTOR, finding, line
from tests.factories import make_cluster, make_run, provider_ids

pytestmark = pytest.mark.django_db
ROLES = ("administrator", "case_lead", "analyst", "counsel", "reader", "detector", "nobody")
READERS = {"case_lead", "analyst", "counsel", "reader"}


def store(*documents: Any, detector: str = DETECTOR) -> None:
    counts = ingest.store(documents, actor=f"detector:{detector}", detector=detector)
    assert counts.errors == []


def results(answer: Any, field: str = "id") -> list[Any]:
    assert answer.status_code == 200, answer.content
    return [row[field] for row in answer.json()["results"]]


def make_telemetry() -> tuple[TelemetrySource, TelemetryFile]:
    source = TelemetrySource.objects.create(name="gateway")
    figures = {"size": 100, "rows": 7, "bad": 2, "repeated": 1, "unknown_columns": {"extra": 3}}
    file = TelemetryFile.objects.create(source=source, kind="exchanges", name="a.jsonl", sha256="ab" * 32, **figures)
    BadLine.objects.bulk_create(BadLine(file=file, line=n, reason="no account_id") for n in (9, 3))
    return source, file


# Findings


def test_findings_are_listed_newest_first_in_pages(analyst: Caller) -> None:
    store(*[line(f"f{number}") for number in range(5)])
    first = analyst.get("findings/", page_size=3)
    assert results(first, "uid") == ["f4", "f3", "f2"]
    second = analyst.client.get(first.json()["next"], headers=analyst.headers)
    assert results(second, "uid") == ["f1", "f0"]
    assert (second.json()["next"], first.json()["previous"]) == (None, None)


def test_a_filter_that_is_misspelt_is_refused_by_its_name_instead_of_giving_everything(analyst: Caller) -> None:
    store(line())
    for path in ("findings/", "accounts/", "clusters/", "attributes/", "runs/", "log/", "leads/", "cases/", "holds/"):
        assert analyst.get(path, page_size=3, format="json").status_code == 200, path
        answer = analyst.get(path, detectr="x", page_size=3)
        assert answer.status_code == 400, path
        assert [one["pointer"] for one in answer.json()["errors"]] == ["/detectr"]
    [told] = analyst.get("findings/", q="x").json()["errors"]
    assert told["detail"].startswith("This is not known here; known are signal, detector, ")


def test_listed_finding_has_exactly_these_fields(analyst: Caller) -> None:
    store(line())
    row = analyst.get("findings/").json()["results"][0]
    assert (row["window"], row["current"]) == ({"start": "2026-05-04T00:00:00Z", "end": "2026-05-05T00:00:00Z"}, True)
    assert row["detector"] == {
        "id": str(Detector.objects.get().id),
        "name": DETECTOR,
        "version": "3.2.0",
        "config_sha256": "ab" * 32,
    }
    assert "acct_" not in json.dumps(row)


def test_findings_are_narrowed_by_each_filter(analyst: Caller) -> None:
    store(line("a"), line("b", signal="template_reuse"), line("c", accounts=[{"id": "acct_9"}]), line("b", version=2))
    store(finding("d", detector={"name": "other", "version": "1"}), detector="other")
    account = Account.objects.get(provider_id="acct_9")

    assert results(analyst.get("findings/", signal="template_reuse"), "uid") == ["b"]
    assert results(analyst.get("findings/", detector="other"), "uid") == ["d"]
    assert results(analyst.get("findings/", account=account.id), "uid") == ["c"]
    assert results(analyst.get("findings/", current="false"), "version") == [1]
    assert len(results(analyst.get("findings/", current="true"))) == 4
    assert len(results(analyst.get("findings/", since=(timezone.now() - timedelta(hours=1)).isoformat()))) == 5
    assert results(analyst.get("findings/", since=(timezone.now() + timedelta(hours=1)).isoformat())) == []


def test_findings_are_narrowed_by_the_days_that_their_window_overlaps(analyst: Caller) -> None:
    spans = {"night": ("04T22:00", "05T06:00"), "day": ("06T00:00", "07T00:00"), "week": ("01T00:00", "08T00:00")}
    for uid, (start, end) in spans.items():
        store(line(uid, window={"start": f"2026-05-{start}:00Z", "end": f"2026-05-{end}:00Z"}))

    assert results(analyst.get("findings/", window_from="2026-05-05"), "uid") == ["week", "day", "night"]
    assert results(analyst.get("findings/", window_from="2026-05-07"), "uid") == ["week"]
    assert results(analyst.get("findings/", window_until="2026-05-05"), "uid") == ["week", "night"]
    both = {"window_from": "2026-05-06", "window_until": "2026-05-06"}
    assert results(analyst.get("findings/", **both), "uid") == ["week", "day"]
    assert results(analyst.get("findings/", **both, signal="template_reuse"), "uid") == []
    assert results(analyst.get("findings/", window_from="2026-05-08"), "uid") == []


def test_findings_of_a_cluster_are_those_it_rests_on(analyst: Caller) -> None:
    store(line("not of it"))
    cluster = make_cluster()
    wanted = [str(row.finding_id) for row in cluster.findings.all()]
    assert results(analyst.get("findings/", cluster=cluster.id)) == wanted
    assert results(analyst.get(f"clusters/{cluster.id}/findings/")) == wanted


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"account": "x"}, "/account"),
        ({"since": "yesterday"}, "/since"),
        ({"signal": "a\x00"}, "/signal"),
        ({"window_from": "4 May 2026"}, "/window_from"),
        ({"window_until": "2026-02-30"}, "/window_until"),
        ({"window_from": "2026-05-05", "window_until": "2026-05-04"}, "/window_until"),
    ],
)
def test_filter_that_is_no_such_value_is_refused(analyst: Caller, query: dict[str, str], pointer: str) -> None:
    answer = analyst.get("findings/", **query)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)


@pytest.mark.parametrize("cursor", ["x", "cD1hYmM=", "cD0lMDA=", "cD0yMDI2", "bz05OTk5OTk5OTk5OTk="])
def test_cursor_that_nobody_gave_out_is_refused(analyst: Caller, cursor: str) -> None:
    store(line())
    assert analyst.get("findings/", cursor=cursor).status_code in {200, 404}


def test_finding_is_read_with_its_document_and_versions(analyst: Caller) -> None:
    store(line(version=2), line(version=1))
    one, two = Finding.objects.order_by("version")
    body = analyst.get(f"findings/{one.id}/").json()

    assert body["payload"] == json.loads(line(version=1))
    assert body["payload_sha256"] == hashlib.sha256(line(version=1)).hexdigest()
    assert (body["current"], body["superseded_by"]["id"]) == (False, str(two.id))
    assert [version["version"] for version in body["versions"]] == [2, 1]
    assert analyst.get(f"findings/{two.id}/").json()["superseded_by"] is None


def test_received_bytes_are_given_back_as_they_came(analyst: Caller) -> None:
    raw = json.dumps(finding(), indent=3).encode()
    store(raw)
    answer = analyst.get(f"findings/{Finding.objects.get().id}/received/")
    assert answer.content == raw
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_accounts_of_a_finding_are_pseudonyms_with_volume(analyst: Caller) -> None:
    store(line())
    answer = analyst.get(f"findings/{Finding.objects.get().id}/accounts/")
    assert sorted(results(answer, "pseudonym")) == sorted(Account.objects.values_list("pseudonym", flat=True))
    assert set(results(answer, "exchanges")) == {412, None}
    assert "acct_1" not in answer.content.decode()


# Clusters


def test_clusters_are_narrowed_by_run_assessment_and_account(analyst: Caller) -> None:
    first = make_run(provider_ids(3), provider_ids(3, "other"))
    second = make_cluster(provider_ids(4), assessment="reseller_pool")
    account = Account.objects.get(provider_id="other-0001")

    assert len(results(analyst.get("clusters/"))) == 3
    assert len(results(analyst.get("clusters/", run=first.id))) == 2
    assert results(analyst.get("clusters/", assessment="reseller_pool")) == [str(second.id)]
    assert len(results(analyst.get("clusters/", account=account.id))) == 1


def test_cluster_is_read_with_assessment_run_members_and_links(analyst: Caller) -> None:
    cluster = make_cluster(3)
    body = analyst.get(f"clusters/{cluster.id}/").json()
    assert (body["assessment"], body["run"]["algorithm"], len(body["volume"])) == (
        "coordinated_extraction",
        "test",
        len(cluster.volume),
    )
    names = sorted(Account.objects.values_list("pseudonym", flat=True))
    assert sorted(results(analyst.get(f"clusters/{cluster.id}/members/"), "pseudonym")) == names
    links = analyst.get(f"clusters/{cluster.id}/links/")
    assert sorted(results(links, "pseudonym")) == names
    assert set(results(links, "type")) == {"payment_fingerprint"}


def test_cluster_names_the_detectors_it_leans_on_with_what_was_measured_of_them(analyst: Caller) -> None:
    cluster = make_cluster(3)
    (version,) = DetectorVersion.objects.all()
    row = {"id": str(version.pk), "detector": "shared_attribute", "version": "1.0.0", "findings": 1}
    body = analyst.get(f"clusters/{cluster.id}/").json()
    assert body["leans_on"] == [row | {"false_positives": None}]
    measured = make_measure(version)
    (shown,) = analyst.get(f"clusters/{cluster.id}/").json()["leans_on"]
    assert (shown["false_positives"]["named"], shown["false_positives"]["high"]) == (3, measured.high)


# Accounts and attributes


def test_accounts_are_listed_by_pseudonym_and_read_with_the_providers_id(analyst: Caller) -> None:
    store(line())
    listed = analyst.get("accounts/")
    assert "acct_1" not in listed.content.decode()
    account = Account.objects.get(provider_id="acct_1")
    assert analyst.get(f"accounts/{account.id}/").json()["provider_id"] == "acct_1"
    assert results(analyst.get("accounts/", pseudonym=account.pseudonym)) == [str(account.id)]


def test_accounts_and_attributes_are_narrowed_by_each_other(analyst: Caller) -> None:
    store(line())
    payment = Attribute.objects.get(type="payment_fingerprint")
    one, two = (Account.objects.get(provider_id=name) for name in ("acct_1", "acct_2"))

    assert results(analyst.get("accounts/", attribute=payment.id)) == [str(one.id)]
    assert results(analyst.get("attributes/", account=two.id), "type") == ["ip"]
    assert results(analyst.get("attributes/", type="ip", value="203.0.113.7"), "type") == ["ip"]
    assert results(analyst.get("attributes/", type="ip", value="203.0.113.8")) == []
    assert analyst.get(f"attributes/{payment.id}/").json()["value"] == "pf_1"


def test_accounts_of_a_cluster_are_its_members(analyst: Caller) -> None:
    store(line())
    assert len(results(analyst.get("accounts/", cluster=make_cluster(3).id))) == 3


def test_lookup_tells_known_from_unknown_ids_in_the_order_asked(analyst: Caller) -> None:
    store(line())
    ids = ["acct_2", "nobody", "acct_1", "acct_2", " acct_1"]
    answer = analyst.post("accounts/lookup/", json.dumps({"ids": ids}).encode())
    assert [match["provider_id"] for match in answer.json()["matches"]] == ["acct_2", "acct_1"]
    assert answer.json()["unknown"] == ["nobody", " acct_1"]
    assert analyst.post("accounts/lookup/", json.dumps(ids).encode()).json() == answer.json()


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b"{}", "/ids"),
        (b"[]", "/ids"),
        (b'{"ids": [1, "\\u0000"]}', "/ids/1"),
        (json.dumps(["a"] * 1001).encode(), "/ids"),
    ],
)
def test_lookup_of_no_list_or_too_many_is_refused(analyst: Caller, body: bytes, pointer: str) -> None:
    answer = analyst.post("accounts/lookup/", body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)


def test_lookup_knows_namespaces_apart(analyst: Caller) -> None:
    store(line())
    answer = analyst.post("accounts/lookup/", b'{"ids": ["acct_1"], "namespace": "eu"}')
    assert answer.json() == {"matches": [], "unknown": ["acct_1"]}


# Detectors and telemetry


def test_detectors_are_listed_with_their_versions(callers: dict[str, Caller]) -> None:
    store(line("a"), line("b", detector={"name": DETECTOR, "version": "4.0.0"}))
    body = callers["reader"].get("detectors/").json()["results"]
    assert [(row["name"], row["built_in"], len(row["versions"])) for row in body] == [(DETECTOR, False, 2)]
    assert callers["reader"].get(f"detectors/{body[0]['id']}/").json() == body[0]


def test_administrator_registers_a_detector_and_its_key_sends(callers: dict[str, Caller]) -> None:
    answer = callers["administrator"].post("detectors/", b'{"name": "new-one", "title": "A new one"}')
    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
    sent = Caller(answer.json()["key"]).post("findings/", line(detector={"name": "new-one", "version": "1"}))
    assert sent.status_code == 201
    assert LogEntry.objects.get(action="detector.registered", data={"name": "new-one"}).actor == "user:admin"
    assert "key" not in callers["administrator"].get("detectors/").content.decode()


@pytest.mark.parametrize("name", ["", "Upper", "a b", "ä", "-a", "a" * 121, "shared-attribute", "a\x00"])
def test_name_that_is_not_accepted_or_built_in_is_refused(callers: dict[str, Caller], name: str) -> None:
    answer = callers["administrator"].post("detectors/", json.dumps({"name": name}).encode())
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/name")
    assert Detector.objects.count() == 1


def test_telemetry_is_read_with_counts_and_bad_lines(callers: dict[str, Caller]) -> None:
    source, file = make_telemetry()
    reader = callers["reader"]
    assert results(reader.get("telemetry/"), "name") == ["gateway"]
    assert reader.get(f"telemetry/{source.id}/").json()["namespace"] == "default"
    files = reader.get(f"telemetry/{source.id}/files/")
    assert (results(files, "rows"), results(files, "bad"), results(files, "repeated")) == ([7], [2], [1])
    assert results(reader.get(f"telemetry/{source.id}/files/{file.id}/bad-lines/"), "line") == [3, 9]
    assert reader.get(f"telemetry/{uuid4()}/files/{file.id}/bad-lines/").status_code == 404


# All of them


def one_of_each() -> list[str]:
    """The address of every read endpoint, with something to read."""
    store(line())
    source, file = make_telemetry()
    cluster = make_cluster(3)
    found, account, attribute = Finding.objects.first(), Account.objects.first(), Attribute.objects.first()
    detector = Detector.objects.first()
    assert found and account and attribute and detector
    return [
        "findings/",
        f"findings/{found.id}/",
        f"findings/{found.id}/accounts/",
        f"findings/{found.id}/received/",
        "clusters/",
        f"clusters/{cluster.id}/",
        f"clusters/{cluster.id}/members/",
        f"clusters/{cluster.id}/links/",
        f"clusters/{cluster.id}/findings/",
        "accounts/",
        f"accounts/{account.id}/",
        "attributes/",
        f"attributes/{attribute.id}/",
        "detectors/",
        f"detectors/{detector.id}/",
        "telemetry/",
        f"telemetry/{source.id}/",
        f"telemetry/{source.id}/files/",
        f"telemetry/{source.id}/files/{file.id}/bad-lines/",
    ]


def expected(role: str, path: str) -> int:
    if role == "nobody":
        return 401
    if path.endswith("/received/"):  # names accounts by the provider's ids
        return 200 if role in READERS - {"reader"} else 403
    may = READERS | {"administrator"} if path.startswith(("detectors", "telemetry")) else READERS
    return 200 if role in may else 403


def test_every_endpoint_answers_each_role_as_the_table_says(callers: dict[str, Caller]) -> None:
    paths = one_of_each()
    answered = {(role, path): callers[role].get(path).status_code for role in ROLES for path in paths}
    assert answered == {(role, path): expected(role, path) for role in ROLES for path in paths}


@pytest.mark.parametrize("role", ROLES)
def test_writing_anything_else_is_refused_to_each_role(callers: dict[str, Caller], role: str) -> None:
    lookup = callers[role].post("accounts/lookup/", b'{"ids": ["a"]}').status_code
    assert lookup == (401 if role == "nobody" else 200 if role in READERS else 403)
    registered = callers[role].post("detectors/", b'{"name": "mine"}').status_code
    assert registered == (401 if role == "nobody" else 201 if role == "administrator" else 403)
    assert callers[role].post("clusters/", b"{}").status_code == (401 if role == "nobody" else 403)


def test_what_is_not_there_is_a_problem_document(analyst: Caller) -> None:
    for path in (
        "findings/{}/",
        "clusters/{}/",
        "clusters/{}/members/",
        "accounts/{}/",
        "detectors/{}/",
        "telemetry/{}/files/",
    ):
        answer = analyst.get(path.format(uuid4()))
        assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json"), path


def test_lists_ask_a_fixed_number_of_queries_for_one_row_and_for_three(analyst: Caller) -> None:
    paths = [path for path in one_of_each() if path.count("-") == 0] + ["findings/?signal=reasoning_elicitation"]

    def counts() -> dict[str, int]:
        found = {}
        for path in paths:
            with CaptureQueriesContext(connection) as queries:
                analyst.get(path)
            found[path] = len(queries)
        return found

    before = counts()
    for number in range(2):
        name = f"d{number}"
        store(line(f"n{number}", detector={"name": name, "version": "1"}), detector=name)
        make_cluster(provider_ids(3, f"p{number}"))
        TelemetrySource.objects.create(name=name)
    assert counts() == before
    assert Cluster.objects.count() == 3
