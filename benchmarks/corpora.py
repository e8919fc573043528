"""Labelled corpora for quality figures: where they are, taking them through detection, and scoring what comes out.

A corpus is a folder with telemetry.jsonl.gz, accounts.jsonl, networks.jsonl, models.jsonl and truth.json, as `simulate`
writes it. Found under RETORT_EVAL_DATA, else beside the project; a figure is only printed for what is there. The labels
are read by the scoring alone.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from detection.clustering import cluster_accounts, edges_from
from detection.detectors import DETECTORS
from detection.facts import account_facts
from detection.records import AccountFacts, Cluster, Clustering, Edge, Hub, Label, Window
from detection.simulate import Scale, simulate
from detection.telemetry.adapters import add_side_table, add_telemetry, file_sha256
from detection.telemetry.dataset import Dataset, open_dataset

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Truth:
    """The labels of a corpus: kind of every account, campaigns and innocent groups with their accounts."""

    document: Mapping[str, Any]

    @cached_property
    def kind_of(self) -> Mapping[str, str]:
        return dict(self.document["account_kinds"])

    @cached_property
    def campaigns(self) -> Sequence[Mapping[str, Any]]:
        return list(self.document["campaigns"])

    @cached_property
    def active(self) -> Mapping[str, set[str]]:
        """Give the accounts of each campaign that sent anything, by its id."""
        return {c["campaign_id"]: set(c["accounts"]) - set(c["idle_accounts"]) for c in self.campaigns}

    @cached_property
    def innocent_groups(self) -> Sequence[Mapping[str, Any]]:
        return list(self.document["benign_groups"])


@dataclass(frozen=True)
class Seen:
    """What detection sees of a corpus: edges, facts and hubs, before clustering."""

    edges: Sequence[Edge]
    facts: Mapping[str, AccountFacts]
    hubs: Sequence[Hub]

    def clustered(self) -> Clustering:
        return cluster_accounts(self.edges, self.facts, self.hubs)


def folders() -> list[Path]:
    """Give the folders of corpora that are there, by name."""
    base = Path(os.environ.get("RETORT_EVAL_DATA") or ROOT.parent / "shared" / "data")
    return sorted(path.parent for path in base.glob("*/truth.json") if (path.parent / "telemetry.jsonl.gz").exists())


@contextmanager
def opened(folder: Path) -> Iterator[tuple[Dataset, Truth]]:
    """Read a corpus into a dataset that is removed afterwards."""
    with TemporaryDirectory() as made:
        root = Path(made)
        telemetry = folder / "telemetry.jsonl.gz"
        add_telemetry(telemetry, root, sha256=file_sha256(telemetry))
        for kind in ("accounts", "networks", "models"):
            add_side_table(kind, folder / f"{kind}.jsonl", root)
        with open_dataset(root) as dataset:
            yield dataset, Truth(json.loads((folder / "truth.json").read_text()))


@contextmanager
def simulated(scale: Scale) -> Iterator[tuple[Dataset, Truth]]:
    """Make a corpus and read it into a dataset; both are removed afterwards."""
    with TemporaryDirectory() as folder:
        made, root = simulate(scale, Path(folder) / "raw"), Path(folder) / "set"
        add_telemetry(made.telemetry, root, sha256=file_sha256(made.telemetry))
        for kind in ("accounts", "networks", "models"):
            add_side_table(kind, getattr(made, kind), root)
        with open_dataset(root) as dataset:
            yield dataset, Truth(json.loads(made.truth.read_text()))


def seen(dataset: Dataset, window: Window | None = None) -> Seen:
    """Run every detector and gather the facts, over the window or the whole span."""
    window = window or dataset.span()
    assert window is not None
    outcomes = [detector.detect(dataset, window) for detector in DETECTORS]
    edges = edges_from(finding for outcome in outcomes for finding in outcome.findings)
    return Seen(edges, account_facts(dataset, window), [hub for outcome in outcomes for hub in outcome.hubs])


def accused(made: Clustering) -> list[Cluster]:
    return [c for c in made.clusters if c.assessment.label is Label.COORDINATED_EXTRACTION]


def led(made: Clustering) -> list[Cluster]:
    """Give the clusters that become leads, whatever they are assessed as."""
    return [c for c in made.clusters if c.assessment.worth_a_look]


def members(clusters: Sequence[Cluster]) -> set[str]:
    return {member.account_id for cluster in clusters for member in cluster.members}


def share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
