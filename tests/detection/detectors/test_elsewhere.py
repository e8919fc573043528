"""What detectors without a scene ask, and account facts: other engines understand it, but for one thing."""

from pathlib import Path

import pytest

from detection.detectors import BY_NAME, POOL_DETECTORS
from detection.facts import account_facts
from detection.records import Status
from tests.detection.detectors import test_pool_detectors as pools
from tests.detection.detectors import test_shared_attribute as shared
from tests.detection.detectors import test_template_reuse as templates
from tests.detection.detectors.elsewhere import watched
from tests.detection.detectors.scenes import SCENES
from tests.detection.telemetry.rows import dataset_of

# A sample is drawn by the SHA-256 of request ids, for which Ibis has a rule in DuckDB and Spark alone.
UNKNOWN = {"distribution-shift": {(engine, "HexDigest") for engine in ("BigQuery", "ClickHouse", "Snowflake")}}


def test_every_detector_is_watched_somewhere() -> None:
    here = {"shared-attribute", "template-reuse", *(detector.name for detector in POOL_DETECTORS)}
    assert here | SCENES.keys() == BY_NAME.keys()


def test_detectors_of_pools_and_account_facts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with dataset_of(tmp_path, pools.ROWS, accounts=pools.registered(), models=pools.MODELS) as dataset:
        seen = watched(dataset, monkeypatch)
        account_facts(seen, pools.WINDOW)
        assert (seen.asked > 3, seen.unknown) == (True, set())
        for detector in POOL_DETECTORS:
            seen.asked, seen.unknown = 0, set()
            assert pools.ask(seen, detector, pools.POOL).status is Status.FOUND
            assert seen.unknown == UNKNOWN.get(detector.name, set()), detector.name
            assert seen.asked


def test_shared_attribute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {"ip": "203.0.113.7", "asn": 4_200_000_001, "user_agent": "sdk/1"}
    rows = [one | columns | {"ja4": f"j{n}", "org_id": f"o{n // 2}"} for n, one in enumerate(shared.population())]
    accounts = [{"account_id": f"acct_{n:02d}", "email_domain": "x.example"} for n in range(40)]
    networks = [{"asn": 4_200_000_001, "kind": "mobile"}]
    with dataset_of(tmp_path, rows, accounts=accounts, networks=networks) as dataset:
        seen = watched(dataset, monkeypatch)
        assert BY_NAME["shared-attribute"].detect(seen, shared.WINDOW).status is Status.FOUND
        assert (seen.asked > 5, seen.unknown) == (True, set())


def test_template_reuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with dataset_of(tmp_path, templates.ordinary() + templates.filled(5, 6)) as dataset:
        seen = watched(dataset, monkeypatch)
        assert BY_NAME["template-reuse"].detect(seen, templates.WINDOW).status is Status.FOUND
        assert (seen.asked > 5, seen.unknown) == (True, set())
