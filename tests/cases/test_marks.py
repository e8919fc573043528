"""What rests on findings that do not count any more says so: the lead's page, the queue, a run, and the API."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cases.models import Lead
from detection import detector_verbs, standing
from detection.models import DetectorVersion, Finding, FindingBatch
from tests.cases.api import client_of as api_of
from tests.cases.pages import client_of, text_of
from tests.detection.registered import ADMIN, make_detector, make_quarantine
from tests.factories import Cast, make_lead, provider_ids

pytestmark = pytest.mark.django_db
NONE = {"findings_set_aside": 0, "findings_recalled": 0}


@pytest.fixture
def lead() -> Lead:
    return make_lead(3)


def recalled(lead: Lead) -> None:
    version = DetectorVersion.objects.get(findings__clusters__cluster=lead.cluster_id)
    detector_verbs.recall_version(version, actor=ADMIN, reason="It counted twice")


def set_aside(lead: Lead) -> Any:
    """The findings of the lead, as if a key had sent them that is not to be relied on."""
    detector, key = make_detector()
    for finding in Finding.objects.filter(clusters__cluster=lead.cluster_id):
        FindingBatch.objects.create(entry=finding.entry, detector=detector, key_id=key.pk, count=1)
    return make_quarantine(key)


def told(cast: Cast, lead: Lead) -> list[dict[str, int]]:
    """What each answer of the API that shows the lead or its cluster says."""
    api = api_of(cast.analyst)
    paths = ("leads/", f"leads/{lead.pk}/", "clusters/", f"clusters/{lead.cluster_id}/")
    bodies = [api.get(f"/api/v1/{path}").json() for path in paths]
    rows = [*bodies[0].get("results", []), bodies[1], *bodies[2].get("results", []), bodies[3]]
    mine = [row for row in rows if str(lead.cluster_id) in (row.get("cluster"), row["id"])]
    return [{name: row[name] for name in NONE} for row in mine]


def shown(cast: Cast, lead: Lead) -> list[str]:
    """The pages that show it."""
    client = client_of(cast.analyst)
    return [text_of(client.get(path)) for path in ("/", f"/leads/{lead.pk}/", f"/runs/{lead.cluster.run_id}/")]


def test_lead_that_rests_on_a_recalled_version_says_so_wherever_it_stands(cast: Cast, lead: Lead) -> None:
    other = make_lead(provider_ids(2, "other"))
    assert told(cast, lead) == [NONE] * 4
    assert not any("recalled</span>" in page for page in shown(cast, lead))
    recalled(lead)
    assert told(cast, lead) == [{"findings_set_aside": 0, "findings_recalled": 1}] * 4
    pages = shown(cast, lead)
    assert ["1 of 1 finding recalled" in page for page in pages] == [True, True, True]
    assert "A case that it is opened as or joined to is flagged." in pages[1]
    assert told(cast, other) == told(cast, lead)


def test_lead_that_rests_on_findings_in_quarantine_says_so_until_it_is_lifted(cast: Cast, lead: Lead) -> None:
    other = make_lead(provider_ids(2, "other"))
    quarantine = set_aside(lead)
    assert told(cast, lead) == [{"findings_set_aside": 1, "findings_recalled": 0}] * 4
    assert ["1 of 1 finding set aside" in page for page in shown(cast, lead)] == [True, True, True]
    assert told(cast, other) == [NONE] * 4
    assert set(standing.marks([lead.cluster_id, other.cluster_id])) == {lead.cluster_id}
    detector_verbs.lift_quarantine(quarantine, actor=ADMIN, reason="It was another key")
    assert told(cast, lead) == [NONE] * 4


def test_marks_of_one_row_and_of_three_cost_the_same_queries(cast: Cast, lead: Lead) -> None:
    set_aside(lead)
    recalled(lead)
    page, api = client_of(cast.analyst), api_of(cast.analyst)

    def asked() -> list[int]:
        counts = []
        for client, path in ((page, "/"), (api, "/api/v1/leads/"), (api, "/api/v1/clusters/")):
            client.get(path)
            with CaptureQueriesContext(connection) as queries:
                client.get(path)
            counts.append(len(queries))
        return counts

    before = asked()
    for number in range(2):
        make_lead(provider_ids(2, f"more{number}"))
    assert asked() == before
