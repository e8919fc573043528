"""Clusters handed to the detectors of pools: how many are looked at, what is said of the others, and of the tests."""

from dataclasses import replace

import pytest

from detection import examining
from detection.clustering import cluster_accounts
from detection.detectors import POOL_DETECTORS
from detection.records import Clustering, Outcome, Status
from tests.detection.worlds import crowd, pool, scattered

DETECTOR = POOL_DETECTORS[0]
FACTS = crowd()


@pytest.fixture(scope="module")
def made() -> Clustering:
    return cluster_accounts(pool(FACTS) + scattered(FACTS), FACTS)


def times(made: Clustering, number: int) -> Clustering:
    """The clustering with its cluster that is worth a look so many times over."""
    (found,) = [cluster for cluster in made.clusters if cluster.assessment.worth_a_look]
    others = [cluster for cluster in made.clusters if cluster is not found]
    return replace(made, clusters=(*(replace(found, key=f"{n:064d}") for n in range(number)), *others))


def answered(status: Status, tested: int) -> Outcome:
    counts = {"pools": tested, "pools_compared": tested}
    return Outcome(DETECTOR.name, DETECTOR.version, DETECTOR.config_sha256, status, "No pool differs.", counts)


def test_all_clusters_worth_a_look_are_looked_at_while_they_are_few(made: Clustering) -> None:
    few = times(made, examining.MOST_GROUPS)
    assert len(examining.groups_of(few, examining.population_of(FACTS))) == examining.MOST_GROUPS
    assert examining.left_out(few) == (few, 0)


def test_clusters_beyond_those_looked_at_say_so_and_are_counted(made: Clustering) -> None:
    many = times(made, examining.MOST_GROUPS + 2)
    looked_at = {group.key for group in examining.groups_of(many, examining.population_of(FACTS))}
    marked, left = examining.left_out(many)
    said = [c.key for c in marked.clusters if "not among them" in " ".join(c.assessment.would_settle)]
    assert (left, len(looked_at)) == (2, examining.MOST_GROUPS)
    assert said == [c.key for c in many.clusters if c.assessment.worth_a_look and c.key not in looked_at]


def test_answer_says_how_many_tests_there_were_and_who_was_not_looked_at() -> None:
    told = examining.told(answered(Status.NOTHING_FOUND, 60), DETECTOR, 12)
    assert told.reason == (
        "No pool differs. 60 clusters were tested at a chance of 0.01 each, with no correction for their number: "
        "chance alone finds up to 0.6 of them. "
        "12 more clusters worth a look, beyond the 60 of highest score, were not looked at."
    )
    assert told.counts == {"pools": 60, "pools_compared": 60, "pools_not_looked_at": 12}


@pytest.mark.parametrize(("status", "tested"), [(Status.COULD_NOT_TELL, 60), (Status.FOUND, 1)])
def test_answer_about_one_cluster_or_none_stays_as_it_is(status: Status, tested: int) -> None:
    outcome = answered(status, tested)
    assert examining.told(outcome, DETECTOR, 0) == outcome
