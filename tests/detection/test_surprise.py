"""Surprise: what chance allows is none, what it does not is, and never more than there is."""

import math

import numpy as np
import pytest

from detection.surprise import NONE, Usual, alike, higher, in_few_values, in_one_span, tail


def exact(hits: int, draws: int, rate: float) -> float:
    """log10 P(X ≥ hits), summed."""
    terms = (math.comb(draws, k) * rate**k * (1 - rate) ** (draws - k) for k in range(hits, draws + 1))
    return math.log10(sum(terms))


def test_tail_bounds_the_binomial_and_is_zero_at_or_below_the_mean() -> None:
    assert tail(10, 10, 0.1) == pytest.approx(-10)
    assert tail(1, 10, 0.1) == 0.0
    assert tail(0, 0, 0.1) == 0.0


@pytest.mark.parametrize(("hits", "draws", "rate"), [(5, 10, 0.1), (30, 100, 0.1), (400, 1000, 0.3), (3, 3, 0.01)])
def test_tail_is_never_below_the_exact_probability_and_close_to_it(hits: int, draws: int, rate: float) -> None:
    assert exact(hits, draws, rate) <= tail(hits, draws, rate) <= exact(hits, draws, rate) + 1.5


def test_in_one_span_finds_the_span_that_most_fall_into() -> None:
    everyone = np.sort(np.concatenate([np.linspace(0, 300, 300), np.full(20, 100.5)]))
    found = in_one_span(np.full(20, 100.5), everyone, (1.0, 7.0))
    assert (found.found, found.among, found.of) == (20, 20, (100.5, 100.5))
    assert found.power > 30
    assert found.expected == pytest.approx(20 * 2 / 302)


def test_in_one_span_of_times_like_everyones_is_no_surprise() -> None:
    r = np.random.default_rng(5)
    everyone = np.sort(r.uniform(0, 300, 2_000))
    powers = [
        in_one_span(np.sort(r.choice(everyone, 20, replace=False)), everyone, (1.0, 7.0)).power for _ in range(200)
    ]
    assert (sum(power >= 2 for power in powers), sum(power >= 3 for power in powers)) <= (6, 1)


def test_in_few_values_adds_up_to_three_values_and_corrects_for_their_choice() -> None:
    everyone = np.concatenate([np.arange(200) % 20, np.array([3, 7] * 10)])
    found = in_few_values(np.array([3, 7] * 10), np.bincount(everyone))
    assert (set(found.of), found.found) == ({3, 7}, 20)
    assert found.power > 10


def test_in_few_values_of_values_like_everyones_is_no_surprise() -> None:
    r = np.random.default_rng(6)
    everyone = r.integers(0, 20, 2_000)
    shown = np.bincount(everyone, minlength=20)
    powers = [in_few_values(r.choice(everyone, 20, replace=False), shown).power for _ in range(200)]
    assert sum(power >= 2 for power in powers) <= 4


def test_in_few_values_of_a_client_that_nobody_else_uses_is_no_surprise() -> None:
    """A tool brings its own client and its own templates."""
    own, everyone = np.full(20, 3), np.concatenate([np.full(20, 3), np.arange(200) % 3])
    shown = np.bincount(everyone)
    assert in_few_values(own, shown).power > 10
    assert in_few_values(own, shown, shown) == NONE


def test_in_few_values_leaves_unknown_values_out() -> None:
    assert in_few_values(np.full(20, -1), np.array([100])) == NONE


def test_higher_measures_the_difference_against_what_samples_differ_by() -> None:
    everyone = np.concatenate([np.full(100, 1.0), np.full(100, 2.0)])
    assert higher(np.full(16, 2.0), Usual(everyone)).power == pytest.approx(2.0, rel=1e-6)
    assert higher(np.full(16, 1.0), Usual(everyone)).power == 0.0


def test_alike_is_the_chance_that_a_sample_varies_so_little_and_asks_for_a_small_spread() -> None:
    r = np.random.default_rng(6)
    everyone = r.normal(4.0, 1.0, 4_000)
    own = r.normal(5.0, 0.3, 11)
    usual = Usual(everyone)
    found = alike(own, usual)
    # the same by drawing: of so many samples of eleven, as many vary so little
    drawn = r.normal(0.0, everyone.std(ddof=1), (400_000, 11)).std(axis=1, ddof=1)
    assert found.power == pytest.approx(-math.log10((drawn <= own.std(ddof=1)).mean()), abs=0.3)
    assert alike(r.normal(5.0, 0.3, 65), usual).power > 18
    assert alike(r.normal(5.0, 0.6, 400), usual) == NONE
    assert alike(own[:4], usual) == NONE
    assert alike(np.full(8, 3.0), usual).power > 15
