"""Rarity in plain words: for figures that people read, who have to weigh them."""

SURE = 6.0  # powers of ten from which more of them say no more: tails are bounds, and the model behind them is coarse


def one_in(holders: int, population: int) -> str:
    """Say how many accounts of the population show something: `1 in 900 accounts`, or a share when half of them do."""
    if holders <= 0 or population <= 0:
        return "not measured"
    if holders * 2 > population:
        return f"{min(1.0, holders / population):.0%} of accounts"
    return f"1 in {population / holders:,.0f} accounts"


def by_chance(power: float) -> str:
    """Say how often chance alone would do as much as a test found, from minus the logarithm of that probability."""
    if power < 1:
        return "chance alone may well do as much"
    if power >= SURE:
        return "by chance less than once in a million such groups"
    return f"by chance about once in {_rounded(10**power):,} such groups"


def _rounded(number: float) -> int:
    """Two leading digits: the probability is a bound, and its third digit means nothing."""
    size = 10 ** max(0, len(str(int(number))) - 2)
    return int(round(number / size) * size)
