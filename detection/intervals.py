"""Intervals of shares."""

from math import sqrt
from statistics import NormalDist


def wilson(share: float, size: float, level: int) -> tuple[float, float]:
    """Wilson's interval (JASA 22, 1927) without continuity correction, at `level` percent."""
    z = NormalDist().inv_cdf(0.5 + level / 200)
    middle = (share + z * z / (2 * size)) / (1 + z * z / size)
    half = z * sqrt(share * (1 - share) / size + z * z / (4 * size * size)) / (1 + z * z / size)
    return max(0.0, middle - half), min(1.0, middle + half)
