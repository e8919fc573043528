"""The sample story with its own seed and one other: the same three leads, assessed the same, named exactly."""

import json
from pathlib import Path

import pytest

from detection.clustering import cluster_accounts, edges_from
from detection.detectors import DETECTORS
from detection.facts import account_facts
from detection.records import Clustering
from detection.simulate import SAMPLE_SEED, Made, Scale, simulate
from detection.telemetry.adapters import add_side_table, add_telemetry, file_sha256
from detection.telemetry.dataset import open_dataset


def clustered(made: Made, root: Path) -> Clustering:
    """Take the files through detectors and clustering, without their labels."""
    add_telemetry(made.telemetry, root, sha256=file_sha256(made.telemetry))
    for kind, path in (("accounts", made.accounts), ("networks", made.networks), ("models", made.models)):
        add_side_table(kind, path, root)
    with open_dataset(root) as dataset:
        window = dataset.span()
        assert window is not None
        outcomes = [detector.detect(dataset, window) for detector in DETECTORS]
        facts = account_facts(dataset, window)
    edges = edges_from(finding for outcome in outcomes for finding in outcome.findings)
    return cluster_accounts(edges, facts, [hub for outcome in outcomes for hub in outcome.hubs])


@pytest.mark.parametrize("seed", [SAMPLE_SEED, 1])
def test_sample_story_with_any_seed_raises_the_same_three_leads(tmp_path: Path, seed: int) -> None:
    made = simulate(Scale(seed=seed), tmp_path)
    truth = json.loads(made.truth.read_text())  # the scoring side alone reads the labels
    groups = {g["kind"]: set(g["accounts"]) for g in truth["benign_groups"]}
    (pool,) = truth["campaigns"]
    leads = [c for c in clustered(made, tmp_path / "set").clusters if c.assessment.worth_a_look]
    named = {str(c.assessment.label): {m.account_id for m in c.members} for c in leads}
    assert sorted(c.assessment.label for c in leads) == [
        "benign_automation",
        "coordinated_extraction",
        "reseller_pool",
    ]
    assert named["coordinated_extraction"] == set(pool["accounts"]) - set(pool["idle_accounts"])
    assert named["benign_automation"] == groups["eval_harness"]
    assert len(named["reseller_pool"] & groups["reseller_pool"]) >= 0.9 * len(named["reseller_pool"])
