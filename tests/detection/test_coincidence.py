"""Coincidences: found where behaviour and ties meet far more often than chance allows, and only there."""

from datetime import timedelta

import pytest

from detection.coincidence import Limits, behaviours, cells, tail, ties
from detection.records import AccountFacts, Edge
from tests.detection.telemetry.rows import START
from tests.detection.worlds import crowd, edge, fact, pool, scattered


def kinds(edges: list[Edge], facts: dict[str, AccountFacts]) -> set[str]:
    limits = Limits()
    return {cell.tie.kind for cell in cells(behaviours(edges), ties(edges, facts, limits), facts, limits)}


def test_cells_with_pool_among_strangers_finds_rings_and_registration() -> None:
    facts = crowd()
    assert kinds(pool(facts) + scattered(facts), facts) == {"payment_fingerprint", "registration"}


def test_cells_with_template_spread_at_random_finds_nothing() -> None:
    facts = crowd()
    rings = [edge(f"acct_{n:04d}", "payment_fingerprint", f"pf_{n // 4}") for n in range(120)]
    assert kinds(scattered(facts) + rings, facts) == set()


def test_cells_with_template_of_everybody_on_a_network_kind_finds_nothing() -> None:
    """A product whose customers all sit in one kind of network is no coincidence with one network of that kind."""
    facts = crowd(200)
    for n in range(100):
        name = f"acct_{n:04d}"
        facts[name] = fact(name, home_kind="hosting", home_asn=4_200_000_100 + n % 10)
    edges = [edge(f"acct_{n:04d}", "template", "head-product") for n in range(100)]
    assert kinds(edges, facts) == set()


def test_cell_keeps_the_figures_a_page_prints() -> None:
    facts = crowd()
    day = START - timedelta(days=9)
    edges = scattered(facts)
    for n in range(12):
        facts[f"acct_{n:04d}"] = fact(f"acct_{n:04d}", created_at=day + timedelta(minutes=n))
        edges.append(edge(f"acct_{n:04d}", "template", "head-z"))
    limits = Limits()
    (cell,) = [c for c in cells(behaviours(edges), ties(edges, facts, limits), facts, limits) if c.among == 12][:1]
    assert (len(cell.members), cell.among, cell.tie.words) == (12, 12, "were registered on 21 February 2026")
    assert cell.expected == pytest.approx(12 / 288)


def test_tail_bounds_the_binomial_and_is_zero_at_or_below_the_mean() -> None:
    assert tail(10, 10, 0.1) == pytest.approx(-10)
    assert tail(1, 10, 0.1) == 0.0
    assert tail(5, 10, 0.1) > -3.9  # exact: log10 P(X >= 5) = -2.79; the bound lies below it by less than one
    assert tail(0, 0, 0.1) == 0.0
