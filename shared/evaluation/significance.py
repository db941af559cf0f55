"""Tests of whether two participants differ on the same rows."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from shared.evaluation.intervals import Interval

RESAMPLES = 10_000
# 20 million values are drawn in about 2 s: more rows are resampled less often.
DRAWN_VALUES = 20_000_000
FEWEST_RESAMPLES = 1_000


def mcnemar_p(first_only: int, second_only: int) -> float:
    """Return the two-sided p-value of McNemar's exact test.

    Of the rows that only one of two participants has right, either is as likely to be that one if
    they are equally good. Source: Q. McNemar, Psychometrika 12 (1947), 153–157; exact: the sign
    test.
    """
    discordant = first_only + second_only
    fewer = min(first_only, second_only)
    if fewer * 2 == discordant:
        return 1.0
    tail = sum(_binomial_half(discordant, successes) for successes in range(fewer + 1))
    return min(1.0, 2 * tail)


def _binomial_half(trials: int, successes: int) -> float:
    """Return the probability of so many successes in fair trials."""
    logarithm = math.lgamma(trials + 1) - math.lgamma(successes + 1)
    logarithm -= math.lgamma(trials - successes + 1)
    return math.exp(logarithm - trials * math.log(2))


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """The mean of paired differences, as resampled rows show it."""

    mean: float
    two_sided: Interval  # 95 %
    one_sided_low: float  # lower bound, 95 %
    p: float  # of a mean of 0, two-sided


def paired_bootstrap(differences: Sequence[float], seed: int) -> Bootstrap:
    """Return the percentile bootstrap of the mean of at least one row's differences.

    The same rows and seed have the same result on every machine. Source: B. Efron, R. Tibshirani,
    An Introduction to the Bootstrap (1993), chapters 13 and 16.
    """
    rows = len(differences)
    generator = random.Random(seed)
    resamples = min(RESAMPLES, max(FEWEST_RESAMPLES, DRAWN_VALUES // rows))
    means = sorted(fmean(generator.choices(differences, k=rows)) for _ in range(resamples))
    not_above = sum(mean <= 0 for mean in means)
    not_below = sum(mean >= 0 for mean in means)
    p = 2 * (min(not_above, not_below) + 1) / (resamples + 1)
    return Bootstrap(
        mean=fmean(differences),
        two_sided=Interval(_quantile(means, 0.025), _quantile(means, 0.975)),
        one_sided_low=_quantile(means, 0.05),
        p=min(1.0, p),
    )


def _quantile(ascending: Sequence[float], share: float) -> float:
    """Return the value that so large a share of the values doesn't exceed."""
    return ascending[min(len(ascending) - 1, int(share * len(ascending)))]
