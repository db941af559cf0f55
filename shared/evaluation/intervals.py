"""Confidence intervals of a share, and of the difference of two shares on the same rows.

Both are score intervals: unlike Wald's, they hold for few rows and for shares near 0 and 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

# Quantiles of the normal distribution: of a two-sided and of a one-sided 95 % interval, and of a
# test that finds what is there in 80 % of the cases.
Z_TWO_SIDED = 1.959964
Z_ONE_SIDED = 1.644854
Z_POWER = 0.841621
BISECTIONS = 60  # halve the range [-1, 1] to less than the precision of a float


@dataclass(frozen=True, slots=True)
class Interval:
    """The lower and the upper end of an interval."""

    low: float
    high: float


def share_interval(successes: int, rows: int, z: float = Z_TWO_SIDED) -> Interval:
    """Return Wilson's score interval of successes ÷ rows; of no rows, everything.

    Source: E. B. Wilson, JASA 22 (1927), 209–212.
    """
    if not rows:
        return Interval(0.0, 1.0)
    share = successes / rows
    denominator = 1 + z**2 / rows
    center = (share + z**2 / (2 * rows)) / denominator
    spread = math.sqrt(share * (1 - share) / rows + z**2 / (4 * rows**2))
    half = z * spread / denominator
    return Interval(max(0.0, center - half), min(1.0, center + half))


def difference_interval(
    first_only: int, second_only: int, rows: int, z: float = Z_TWO_SIDED
) -> Interval:
    """Return the score interval of the paired difference (first_only − second_only) ÷ rows.

    `first_only` rows are right in the first of two participants alone. Of no rows, everything.
    Source: T. Tango, Statistics in Medicine 17 (1998), 891–908.
    """
    if not rows:
        return Interval(-1.0, 1.0)

    def score(difference: float) -> float:
        return _paired_score(first_only, second_only, rows, difference)

    observed = (first_only - second_only) / rows
    low = _bisect(lambda difference: score(difference) > z, -1.0, observed)
    high = _bisect(lambda difference: score(difference) > -z, observed, 1.0)
    return Interval(low, high)


def _paired_score(first_only: int, second_only: int, rows: int, difference: float) -> float:
    """Return Tango's score statistic, which falls as the hypothetical difference grows."""
    numerator = first_only - second_only - rows * difference
    a = 2 * rows
    b = -first_only - second_only + (2 * rows - first_only + second_only) * difference
    c = -second_only * difference * (1 - difference)
    # the most likely share of second_only, if the difference is the hypothetical one
    share = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
    variance = rows * (2 * share + difference * (1 - difference))
    if variance <= 0:  # at the ends, where the observed difference may be the hypothetical one
        return math.copysign(math.inf, numerator) if numerator else 0.0
    return numerator / math.sqrt(variance)


def _bisect(is_below: Callable[[float], bool], low: float, high: float) -> float:
    """Return the point between low and high up to which `is_below` is true."""
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if is_below(middle):
            low = middle
        else:
            high = middle
    return (low + high) / 2
