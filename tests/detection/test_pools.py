"""Pools: found with every member and nobody else, whatever the order, and not where an open explanation covers them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from detection.candidates import Limits, candidates, combination_of, evidence, explained, strata
from detection.pools import Search, find_pools
from detection.population import Groups, Population
from detection.records import AccountFacts, Edge
from tests.detection.telemetry.rows import START
from tests.detection.worlds import crowd, edge, fact, people, pool, scattered

Facts = dict[str, AccountFacts]
MEMBERS = [f"acct_{n:04d}" for n in range(24)]


def found(edges: list[Edge], facts: Facts) -> list[set[str]]:
    population = Population(edges, facts)
    return [
        {population.facts[place].account_id for place in pool.members.tolist()}
        for pool in find_pools(population, Search())
    ]


def changed(facts: Facts, names: list[str], **known: object) -> None:
    for name in names:
        facts[name] = replace(facts[name], **known)  # type: ignore[arg-type]


def test_find_pools_among_strangers_finds_exactly_the_pool() -> None:
    facts = crowd()
    assert found(pool(facts) + scattered(facts), facts) == [set(MEMBERS)]


def test_find_pools_in_a_crowd_with_scattered_templates_finds_none() -> None:
    facts = crowd()
    rings = [edge(f"acct_{n:04d}", "payment_fingerprint", f"pf_{n // 4}") for n in range(120)]
    assert found(scattered(facts) + rings, facts) == []


def test_find_pools_of_two_campaigns_with_the_same_templates_keeps_them_apart() -> None:
    facts = crowd()
    edges = pool(facts) + scattered(facts)
    changed(facts, sorted(facts), country="QN", clients=("sdk-b/1.0",))
    changed(facts, MEMBERS, country="QM", clients=("sdk-a/1.0",), email_domain="")
    changed(facts, ["acct_0200", "acct_0201"], country="QM")
    others = [f"acct_{n:04d}" for n in range(100, 120)]
    for n, name in enumerate(others):
        changed(
            facts,
            [name],
            created_at=START - timedelta(days=60, minutes=n),
            home_asn=4_200_000_900,
            home_kind="vpn",
            payment_fingerprint=f"pf_other_{n // 4}",
            first_seen=START + timedelta(days=3),
        )
        edges += [edge(name, "template", template) for template in ("head-a", "head-b", "head-c", "head-d")]
        edges.append(edge(name, "payment_fingerprint", f"pf_other_{n // 4}"))
    assert sorted(found(edges, facts), key=min) == [set(MEMBERS), set(others)]


@pytest.mark.parametrize(
    ("behind_a_proxy", "sizes"), [(range(24, 48), [24, 24]), (range(1, 48, 2), [48])], ids=["cards apart", "same cards"]
)
def test_find_pools_that_come_in_two_ways_are_one_where_they_pay_with_the_same_cards(
    behind_a_proxy: range, sizes: list[int]
) -> None:
    facts = crowd()
    edges = pool(facts, 48) + scattered(facts)
    members = [f"acct_{n:04d}" for n in range(48)]
    changed(facts, sorted(facts), country="QN", clients=("sdk-b/1.0",))
    changed(facts, members, country="QM", clients=("sdk-a/1.0",), email_domain="")
    changed(facts, ["acct_0200", "acct_0201"], country="QM")
    changed(facts, [members[n] for n in behind_a_proxy], home_asn=4_200_000_900, home_kind="vpn")
    assert [len(one) for one in found(edges, facts)] == sizes


def test_find_pools_with_more_dense_candidates_than_tries_still_meets_the_largest() -> None:
    facts, edges = crowd(1_000), []
    for number, (start, size) in enumerate([*((20 * n, 12) for n in range(8)), (400, 120)]):
        for n in range(size):
            name, ring = f"acct_{start + n:04d}", f"pf_ring_{number}_{n // 4}"
            created = START - timedelta(days=9 + 20 * number, minutes=n)
            facts[name] = fact(name, payment_fingerprint=ring, created_at=created)
            edges += [edge(name, "template", f"head-{number}-{k}") for k in range(4)]
            edges.append(edge(name, "payment_fingerprint", ring))
    sizes = [len(one.members) for one in find_pools(Population(edges, facts), replace(Search(), most_tries=4))]
    assert sizes == [12, 12, 120, 12]


def test_find_pools_of_people_who_combine_scaffolds_that_products_send_finds_them() -> None:
    facts = crowd()
    edges = people(facts, 4)
    (group,) = found(edges, facts)
    assert group == {e.account_id for e in edges if e.count == 2}


def test_find_pools_of_people_whose_templates_no_product_sends_finds_none() -> None:
    """A community has phrases of its own: without anything else in common they say nothing."""
    facts = crowd()
    assert found([e for e in people(facts, 4) if e.count == 2], facts) == []


def test_frames_are_no_scaffolds_of_products_where_only_members_send_them_steadily() -> None:
    """The busy ones of a course make no product of its exercises."""
    facts = crowd()
    edges = people(facts, 4)
    population = Population(edges, facts)
    (persons,) = (part for part in strata(population, np.ones(population.size, bool), Limits()) if part.persons)
    asked = {e.account_id for e in edges if e.count == 2}
    steady = {e.account_id for e in edges if e.count == 40}

    def power(accounts: set[str]) -> float:
        members = np.array(sorted(population.place[account] for account in accounts), np.int64)
        return combination_of(population, persons, range(4), members, Limits()).power

    assert power(asked) > 5
    assert power(asked | steady) == 0


def one_organisation(facts: Facts, edges: list[Edge]) -> None:
    changed(facts, MEMBERS, org_id="org_one")


def one_school(facts: Facts, edges: list[Edge]) -> None:
    changed(facts, MEMBERS, home_kind="education", home_asn=4_200_000_999)


def one_address(facts: Facts, edges: list[Edge]) -> None:
    edges += [edge(name, "ip", "203.0.113.7") for name in MEMBERS]


@pytest.mark.parametrize("change", [one_organisation, one_school, one_address])
def test_find_pools_under_an_open_explanation_finds_none(change: Callable[[Facts, list[Edge]], None]) -> None:
    facts = crowd()
    edges = pool(facts) + scattered(facts)
    change(facts, edges)
    assert found(edges, facts) == []


def test_explained_of_accounts_behind_proxies_asks_nothing_of_their_addresses() -> None:
    facts = crowd()
    edges = pool(facts) + scattered(facts) + [edge(name, "ip", "203.0.113.7") for name in MEMBERS]
    changed(facts, MEMBERS, home_kind="vpn")
    population = Population(edges, facts)
    places = np.array(sorted(population.place[name] for name in MEMBERS))
    assert explained(population, places, Limits()) is False


def test_find_pools_whatever_the_ids_finds_the_same_accounts_with_the_same_figures() -> None:
    facts = crowd()
    for n, name in enumerate(sorted(facts)):
        changed(facts, [name], first_seen=facts[name].first_seen + timedelta(seconds=n))
    edges = pool(facts) + scattered(facts)
    for n, name in enumerate(MEMBERS):
        changed(facts, [name], first_seen=START + timedelta(seconds=n))
    to = {name: f"user_{(int(name[5:]) * 7919) % 10_007:05d}" for name in facts}
    renamed = {to[name]: replace(one, account_id=to[name]) for name, one in facts.items()}
    one, two = Population(edges, facts), Population([replace(e, account_id=to[e.account_id]) for e in edges], renamed)
    (old,), (new,) = find_pools(one, Search()), find_pools(two, Search())
    assert (old.members.tolist(), old.belief.tolist(), old.evidence) == (
        new.members.tolist(),
        new.belief.tolist(),
        new.evidence,
    )


def test_candidates_keep_the_figures_a_page_prints() -> None:
    facts = crowd()
    population = Population(pool(facts) + scattered(facts), facts)
    limits = Limits()
    everybody = np.ones(population.size, bool)
    found_ones = candidates(population, strata(population, everybody, limits), limits)
    (pair, *_) = [c for c in found_ones if len(c.behaviours) == 2 and c.stratum == "steady"]
    assert len(pair.members) == 24
    assert pair.combination.power == 0.0  # asked of accounts used in sessions alone


def test_evidence_counts_no_single_answer_beyond_its_cap() -> None:
    facts = crowd()
    population = Population(pool(facts) + scattered(facts), facts)
    (one,) = find_pools(population, Search())
    assert one.tests["registration"].power > 20
    assert one.evidence == evidence(one.tests, Limits()) <= 2 * Limits().cap + 4


def test_groups_give_what_accounts_stand_in_and_add_up_their_weights() -> None:
    holders = [np.array(places, np.int64) for places in ([0, 2, 3], [], [2, 4])]
    groups = Groups(holders, 6)
    asked = np.array([1, 2, 4])
    numbers, which = groups.of(asked)
    assert sorted(zip(numbers.tolist(), which.tolist(), strict=True)) == [(0, 1), (2, 1), (2, 2)]
    assert groups.sums(asked).tolist() == [1, 0, 2]
    assert groups.sums(asked, np.array([9.0, 0.5, 0.25])).tolist() == [0.5, 0, 0.75]
    assert Groups([], 6).sums(asked).tolist() == []
