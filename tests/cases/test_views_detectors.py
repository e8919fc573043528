"""Detectors as people click them, and the same over the API."""

from typing import Any

import pytest
from django.utils.html import escape

from detection import ingest, registry
from detection.api.detectors import SAMPLE
from detection.detectors import BY_NAME
from detection.models import Canary, Detector, Quarantine
from people.models import DetectorKey
from tests.cases.api import client_of as api_of
from tests.cases.pages import client_of, forms_of, text_of
from tests.detection.registered import CANARY_ACCOUNT, make_canary, make_detector, make_quarantine
from tests.detection.samples import finding
from tests.factories import Cast

pytestmark = pytest.mark.django_db
QUERIES = 11


@pytest.fixture
def made() -> tuple[Detector, DetectorKey]:
    return make_detector()


def address(detector: Detector, rest: str = "") -> str:
    return f"/detectors/{detector.pk}/{rest}"


def test_administrator_describes_and_moves_a_detector(made: tuple[Detector, DetectorKey], cast: Cast) -> None:
    browser = client_of(cast.admin)
    said = {"revision": 1, "title": "Outside watch", "owner": "Trust team", "cadence_minutes": 60}
    assert browser.post(address(made[0], "describe/"), said, follow=True).status_code == 200
    moved = browser.post(address(made[0], "move/"), {"revision": 2, "to": "monitor", "reason": "New"}, follow=True)
    page = text_of(moved)
    assert "The detector is moved." in page
    assert "Trust team" in page
    assert "a finding every 60 min" in page
    assert "Its findings are stored and shown, join no cluster and open no lead." in page


def test_emptied_cadence_promises_nothing_again(made: tuple[Detector, DetectorKey], cast: Cast) -> None:
    browser = client_of(cast.admin)
    browser.post(address(made[0], "describe/"), {"revision": 1, "cadence_minutes": 60})
    browser.post(address(made[0], "describe/"), {"revision": 2, "owner": "x"})
    assert Detector.objects.values_list("cadence_minutes", "owner").get() == (None, "x")


def test_page_that_was_overtaken_is_refused_and_keeps_what_was_typed(
    made: tuple[Detector, DetectorKey], cast: Cast
) -> None:
    browser = client_of(cast.admin)
    browser.post(address(made[0], "describe/"), {"revision": 1, "owner": "first"})
    late = browser.post(address(made[0], "describe/"), {"revision": 1, "owner": "second"})
    assert late.status_code == 409
    assert "changed meanwhile" in text_of(late)
    assert 'value="second"' in text_of(late)


def test_reader_sees_how_it_stands_and_no_form_and_no_account(made: tuple[Detector, DetectorKey], cast: Cast) -> None:
    make_canary(made[0])
    make_quarantine(made[1])
    page = client_of(cast.reader).get(address(made[0]))
    assert forms_of(page) == set()
    assert CANARY_ACCOUNT not in text_of(page)
    assert "The key leaked" in text_of(page)
    assert CANARY_ACCOUNT in text_of(client_of(cast.analyst).get(address(made[0])))


def test_findings_of_a_key_are_set_aside_and_count_again(made: tuple[Detector, DetectorKey], cast: Cast) -> None:
    detector, key = made
    document = finding("a") | {"detector": {"name": detector.name, "version": "1"}}
    ingest.store([document], actor="detector:outside", detector="outside", origin=ingest.Origin(key=key.pk))
    browser = client_of(cast.admin)
    sent = {"key": str(key.pk), "since": "2026-01-01 00:00", "reason": "It leaked"}
    page = text_of(browser.post(address(detector, "quarantines/"), sent, follow=True))
    assert "<strong>1 finding</strong>" in page
    found = Quarantine.objects.get()
    page = text_of(browser.post(address(detector, f"quarantines/{found.pk}/lift/"), {"reason": "Not it"}, follow=True))
    assert "Not it" in page
    assert "Let them count again" not in page


def test_page_of_a_built_in_detector_states_what_it_needs_and_what_else_it_could_be(cast: Cast) -> None:
    built_in = registry.registered("load-balancing", actor="detector:load-balancing")
    page = text_of(client_of(cast.reader).get(address(built_in)))
    stated = BY_NAME["load-balancing"]
    for text in (
        "What this detector states",
        f"of version {stated.version}, which runs now",
        "5 accounts in a pool",
        "<dd>199</dd>",
    ):
        assert text in page
    assert stated.config_sha256 in page
    for text in (stated.idea, stated.source, *stated.innocent_explanations):
        assert escape(text) in page


def test_detector_of_somebody_else_states_nothing(made: tuple[Detector, DetectorKey], cast: Cast) -> None:
    assert "What this detector states" not in text_of(client_of(cast.reader).get(address(made[0])))
    assert api_of(cast.reader).get(f"/api/v1/detectors/{made[0].pk}/").json()["statement"] is None


@pytest.mark.parametrize("name", BY_NAME)
def test_api_states_what_a_built_in_detector_states(name: str, cast: Cast) -> None:
    built_in = registry.registered(name, actor=f"detector:{name}")
    shown = api_of(cast.reader).get(f"/api/v1/detectors/{built_in.pk}/").json()
    stated = BY_NAME[name]
    assert shown["statement"]["parameters"] == stated.parameters
    assert shown["statement"] | {"parameters": {}} == {
        "version": stated.version,
        "config_sha256": stated.config_sha256,
        "signal": stated.signal,
        "idea": stated.idea,
        "requires": list(stated.requires),
        "requires_any": list(stated.requires_any),
        "uses": list(stated.uses),
        "minimum_support": stated.minimum_support,
        "support_unit": stated.support_unit,
        "parameters": {},
        "innocent_explanations": list(stated.innocent_explanations),
        "source": stated.source,
        "techniques": list(stated.techniques),
    }
    assert api_of(cast.reader).get("/api/v1/detectors/").json()["results"] == [shown]
    assert (SAMPLE.keys(), SAMPLE["statement"].keys()) == (shown.keys(), shown["statement"].keys())


def test_list_has_the_same_number_of_queries_for_one_and_for_three(cast: Cast, django_assert_num_queries: Any) -> None:
    browser = client_of(cast.reader)
    make_canary(make_detector("one")[0])
    browser.get("/detectors/")  # the first page of a session asks more
    with django_assert_num_queries(QUERIES):
        browser.get("/detectors/")
    for name in ("two", "three"):
        make_canary(make_detector(name)[0])
    with django_assert_num_queries(QUERIES):
        assert text_of(browser.get("/detectors/")).count("1, none missing") == 3


def test_api_describes_moves_plants_and_sets_aside(made: tuple[Detector, DetectorKey], cast: Cast) -> None:
    detector, key = made
    admin = api_of(cast.admin)
    path = f"/api/v1/detectors/{detector.pk}/"
    body = {"revision": 1, "owner": "o", "cadence_minutes": 5, "lifecycle": "monitor", "reason": "New"}
    answer = admin.patch(path, body, format="json")
    assert answer.status_code == 200, answer.json()
    shown = answer.json()
    assert (shown["owner"], shown["cadence_minutes"], shown["lifecycle"], shown["revision"]) == ("o", 5, "monitor", 3)
    assert admin.patch(path, {"revision": 3, "cadence_minutes": None}, format="json").json()["cadence_minutes"] is None
    planted = admin.post(f"{path}canaries/", {"provider_id": CANARY_ACCOUNT, "every_minutes": 60}, format="json")
    assert (planted.status_code, planted.json()["missing"]) == (201, False)
    reader = api_of(cast.reader)
    assert reader.get(f"{path}canaries/").json()[0]["provider_id"] is None
    body = {"key": str(key.pk), "since": "2026-01-01T00:00:00Z", "reason": "leaked"}
    placed = admin.post(f"{path}quarantines/", body, format="json")
    assert (placed.status_code, placed.json()["findings"]) == (201, 0)
    lifted = admin.post(f"{path}quarantines/{placed.json()['id']}/lift/", {"reason": "no"}, format="json")
    assert lifted.json()["lifted_reason"] == "no"
    assert admin.delete(f"{path}canaries/{planted.json()['id']}/").status_code == 204
    assert Canary.objects.get().removed_at is not None


def test_api_points_to_where_the_request_has_what_is_refused(made: tuple[Detector, DetectorKey], cast: Cast) -> None:
    admin, path = api_of(cast.admin), f"/api/v1/detectors/{made[0].pk}/"
    planted = {"provider_id": CANARY_ACCOUNT, "every_minutes": 60}
    assert admin.post(f"{path}canaries/", planted, format="json").status_code == 201
    refused = {
        "/grouping/by": admin.patch(path, {"revision": 1, "grouping": {"by": ["nonsense"]}}, format="json"),
        "/lifecycle": admin.patch(path, {"revision": 1, "lifecycle": "draft", "reason": "r"}, format="json"),
        "/provider_id": admin.post(f"{path}canaries/", planted, format="json"),
        "/every_minutes": admin.post(f"{path}canaries/", planted | {"every_minutes": 0}, format="json"),
    }
    typo = {"name": "gw-c", "network": ["10.0.0.0/8"]}
    refused |= {  # what is misspelt, or cannot be changed here, is not passed over
        "/network": admin.post("/api/v1/detectors/", typo, format="json"),
        "/limits/findings": admin.post(
            "/api/v1/detectors/", {"name": "gw-c", "limits": {"findings": 1}}, format="json"
        ),
        "/networks": admin.patch(f"/api/v1/detector-keys/{made[1].pk}/", {"networks": ["10.0.0.0/8"]}, format="json"),
        "/cadence_minuts": admin.patch(path, {"revision": 1, "cadence_minuts": 5}, format="json"),
    }
    assert not Detector.objects.filter(name="gw-c").exists()
    found = {pointer: [one["pointer"] for one in answer.json()["errors"]] for pointer, answer in refused.items()}
    assert found == {pointer: [pointer] for pointer in refused}


def test_api_refuses_a_key_of_another_detector(made: tuple[Detector, DetectorKey], cast: Cast) -> None:
    other = make_detector("other")[1]
    body = {"key": str(other.pk), "since": "2026-01-01T00:00:00Z", "reason": "leaked"}
    answer = api_of(cast.admin).post(f"/api/v1/detectors/{made[0].pk}/quarantines/", body, format="json")
    assert answer.status_code == 400
    assert answer.json()["errors"] == [{"pointer": "/key", "detail": "This detector has no such key."}]
