"""Rarity in words that a reader can weigh."""

import pytest

from detection.rarity import by_chance, one_in


@pytest.mark.parametrize(
    ("holders", "population", "words"),
    [
        (1, 900, "1 in 900 accounts"),
        (17, 2481, "1 in 146 accounts"),
        (24, 25_000_000, "1 in 1,041,667 accounts"),
        (1, 2, "1 in 2 accounts"),
        (2, 3, "67% of accounts"),
        (5, 4, "100% of accounts"),
        (0, 4, "not measured"),
    ],
)
def test_how_many_show_it(holders: int, population: int, words: str) -> None:
    assert one_in(holders, population) == words


@pytest.mark.parametrize(
    ("power", "words"),
    [
        (0.0, "chance alone may well do as much"),
        (1.0, "by chance about once in 10 such groups"),
        (2.3, "by chance about once in 200 such groups"),
        (4.37, "by chance about once in 23,000 such groups"),
        (6.0, "by chance less than once in a million such groups"),
        (80.0, "by chance less than once in a million such groups"),
    ],
)
def test_what_chance_alone_would_do(power: float, words: str) -> None:
    assert by_chance(power) == words
