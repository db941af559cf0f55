"""The verdict on a pair of participants that answered the same rows.

Two questions are kept apart: "do they differ?", which a significance test answers, and "is the
student as good as the teacher?", which is non-inferiority: the student isn't worse by more than a
margin. "No significant difference" doesn't answer the second: on few rows nothing is significant.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from shared.evaluation.intervals import (
    Z_ONE_SIDED,
    Z_POWER,
    Z_TWO_SIDED,
    Interval,
    difference_interval,
)
from shared.evaluation.significance import mcnemar_p, paired_bootstrap

SIGNIFICANT = 0.05


class Verdict(StrEnum):
    """What the rows say about the first of two participants, beside the second."""

    BETTER = "better"  # ahead, significantly
    AS_GOOD = "as_good"  # not worse by more than the margin, maybe significantly lower
    WORSE = "worse"  # behind, significantly
    CANNOT_TELL = "cannot_tell"


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the first of two participants does beside the second, on the same rows."""

    rows: int
    difference: float  # of the first from the second, in shares of 1 or in the metric's unit
    interval: Interval  # of the difference, 95 %
    one_sided_low: float  # lower bound of the difference, 95 %
    p: float  # that equal participants differ so much
    margin: float
    verdict: Verdict
    rows_needed: int | None  # to tell with a chance of 80 %, where the verdict is CANNOT_TELL

    @property
    def is_significantly_lower(self) -> bool:
        """Whether the first is behind significantly: it may still be as good."""
        return self.p < SIGNIFICANT and self.difference < 0


def compare_right_answers(
    both: int, first_only: int, second_only: int, neither: int, margin: float
) -> Comparison:
    """Compare two participants whose answers are right or wrong, by their numbers of rows."""
    rows = both + first_only + second_only + neither
    difference = (first_only - second_only) / rows if rows else 0.0
    p = mcnemar_p(first_only, second_only)
    low = difference_interval(first_only, second_only, rows, Z_ONE_SIDED).low
    verdict = _verdict(difference, p, low, margin)
    needed = None
    if verdict is Verdict.CANNOT_TELL and rows:
        # One row more or less is always possible: a share of 0 would promise too much.
        discordant = (first_only + second_only + 1) / (rows + 1)
        needed = _rows_needed(difference, discordant - difference**2, margin)
    return Comparison(
        rows=rows,
        difference=difference,
        interval=difference_interval(first_only, second_only, rows),
        one_sided_low=low,
        p=p,
        margin=margin,
        verdict=verdict,
        rows_needed=needed,
    )


def compare_scores(differences: Sequence[float], margin: float, seed: int) -> Comparison:
    """Compare two participants by the differences of their scores, row by row.

    Raises ValueError if there are no rows. Where no row differs, nothing can be told: a judge that
    calls everything a tie would make any student as good as its teacher.
    """
    if not differences:
        raise ValueError("there are no rows to compare")
    rows = len(differences)
    if not any(differences):
        nothing = Interval(0.0, 0.0)
        return Comparison(rows, 0.0, nothing, 0.0, 1.0, margin, Verdict.CANNOT_TELL, None)
    bootstrap = paired_bootstrap(differences, seed)
    verdict = _verdict(bootstrap.mean, bootstrap.p, bootstrap.one_sided_low, margin)
    needed = None
    if verdict is Verdict.CANNOT_TELL:
        squares = sum((difference - bootstrap.mean) ** 2 for difference in differences)
        needed = _rows_needed(bootstrap.mean, squares / rows, margin)
    return Comparison(
        rows=rows,
        difference=bootstrap.mean,
        interval=bootstrap.two_sided,
        one_sided_low=bootstrap.one_sided_low,
        p=bootstrap.p,
        margin=margin,
        verdict=verdict,
        rows_needed=needed,
    )


def _verdict(difference: float, p: float, low: float, margin: float) -> Verdict:
    if difference > 0 and p < SIGNIFICANT:
        return Verdict.BETTER
    if low > -margin:
        return Verdict.AS_GOOD
    if difference < 0 and p < SIGNIFICANT:
        return Verdict.WORSE
    return Verdict.CANNOT_TELL


def _rows_needed(difference: float, variance: float, margin: float) -> int | None:
    """Return the rows that tell with a chance of 80 %, if the difference is the observed one.

    None if no number of rows would: the difference is exactly where the verdicts meet.
    """
    numbers: list[float] = []
    if difference:
        numbers.append(variance * ((Z_TWO_SIDED + Z_POWER) / difference) ** 2)
    if difference > -margin:
        numbers.append(variance * ((Z_ONE_SIDED + Z_POWER) / (difference + margin)) ** 2)
    return math.ceil(min(numbers)) if numbers else None


def rows_for_as_good(margin: float, discordant: float) -> int:
    """Return the rows at which equally good participants are found `as_good` in 80 % of cases.

    `discordant` is the share of rows that only one of them has right.
    """
    return math.ceil(discordant * ((Z_ONE_SIDED + Z_POWER) / margin) ** 2)


def smallest_difference(rows: int, discordant: float) -> float:
    """Return the smallest difference of shares that so many rows show in 80 % of cases.

    It is at most `discordant`: the share of rows that only one of the participants has right.
    """
    detectable = (Z_TWO_SIDED + Z_POWER) * math.sqrt(discordant / rows)
    return min(discordant, detectable)
