"""What a sample says of its frame: a share with its interval (docs/formats/exchange-set.md, section 6)."""

from collections.abc import Iterable
from dataclasses import dataclass

from detection.intervals import wilson as wilson


@dataclass(frozen=True)
class Stratum:
    """How many rows it has, how many of them were judged, and how many of those have the result."""

    rows: int
    judged: int
    found: int


@dataclass(frozen=True)
class Estimate:
    """A share of the frame with its interval, between 0 and 1; `effective` is the size the interval was taken at."""

    share: float
    low: float
    high: float
    effective: float


def estimate(strata: Iterable[Stratum], level: int) -> Estimate | None:
    """The share of the frame's rows that have the result; None while a stratum with rows has none judged.

    With several strata the interval is Wilson's at an effective size: what the weights leave of the sample (Kish), or
    less where a heavy stratum varies more than the whole. A frame judged whole is known, not estimated.
    """
    known = [stratum for stratum in strata if stratum.rows]
    total = sum(stratum.rows for stratum in known)
    if not known or any(not stratum.judged for stratum in known):
        return None
    weighed = [(one.rows / total, one.found / one.judged, one.judged) for one in known]
    share = min(1.0, sum(weight * p for weight, p, _ in weighed))
    if all(stratum.judged == stratum.rows for stratum in known):
        return Estimate(share, share, share, float(total))
    effective = 1 / sum(weight * weight / n for weight, _, n in weighed)
    variance = sum(weight * weight * p * (1 - p) / n for weight, p, n in weighed)
    if variance > 0 and len(known) > 1:
        effective = min(effective, share * (1 - share) / variance)
    return Estimate(share, *wilson(share, effective, level), effective)
