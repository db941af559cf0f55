"""Our formulas, held against scipy and against their definitions; verdicts at known truths."""

from __future__ import annotations

import importlib
import math
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.evaluation.intervals import Z_ONE_SIDED, difference_interval, share_interval
from shared.evaluation.significance import mcnemar_p, paired_bootstrap
from shared.evaluation.verdict import (
    Comparison,
    Verdict,
    compare_right_answers,
    compare_scores,
    rows_for_as_good,
    smallest_difference,
)

numpy: Any = importlib.import_module("numpy")
scipy_stats: Any = importlib.import_module("scipy.stats")  # its types are incomplete
scipy_optimize: Any = importlib.import_module("scipy.optimize")

counts = st.integers(0, 300)


@given(counts, counts)
def test_the_interval_of_a_share_is_scipys(successes: int, failures: int) -> None:
    rows = successes + failures
    if not rows:
        return
    theirs = scipy_stats.binomtest(successes, rows).proportion_ci(0.95, "wilson")
    ours = share_interval(successes, rows)
    assert ours.low == pytest.approx(theirs.low, abs=1e-6)
    assert ours.high == pytest.approx(theirs.high, abs=1e-6)


@given(st.integers(0, 3000), st.integers(0, 3000))
def test_mcnemars_exact_test_is_scipys_binomial_test(first_only: int, second_only: int) -> None:
    discordant = first_only + second_only
    theirs = scipy_stats.binomtest(first_only, discordant).pvalue if discordant else 1.0
    assert mcnemar_p(first_only, second_only) == pytest.approx(theirs, rel=1e-6)


def score_by_definition(first_only: int, second_only: int, rows: int, difference: float) -> float:
    """(observed − hypothetical) ÷ standard error, whose nuisance share is found by search."""

    def unlikelihood(second_share: float) -> float:
        first_share = second_share + difference
        same_share = 1 - first_share - second_share
        observed = ((first_only, first_share), (second_only, second_share))
        observed = (*observed, (rows - first_only - second_only, same_share))
        return -sum(count * math.log(max(share, 1e-300)) for count, share in observed if count)

    bounds = (max(0.0, -difference), (1 - difference) / 2)
    found = scipy_optimize.minimize_scalar(
        unlikelihood, bounds=bounds, method="bounded", options={"xatol": 1e-12}
    )
    variance = rows * (2 * found.x + difference - difference**2)
    return (first_only - second_only - rows * difference) / math.sqrt(variance)


@pytest.mark.parametrize(
    ("first_only", "second_only", "rows"),
    [(12, 20, 100), (1, 9, 44), (30, 30, 61), (3, 60, 400), (25, 5, 31)],
)
def test_the_interval_of_a_difference_ends_where_the_score_test_begins_to_reject(
    first_only: int, second_only: int, rows: int
) -> None:
    interval = difference_interval(first_only, second_only, rows)
    low = score_by_definition(first_only, second_only, rows, interval.low)
    high = score_by_definition(first_only, second_only, rows, interval.high)
    assert low == pytest.approx(1.96, abs=1e-3)
    assert high == pytest.approx(-1.96, abs=1e-3)


@given(counts, counts, counts)
def test_the_interval_of_a_difference_holds_the_difference_and_mirrors_itself(
    first_only: int, second_only: int, others: int
) -> None:
    rows = first_only + second_only + others
    interval = difference_interval(first_only, second_only, rows)
    mirrored = difference_interval(second_only, first_only, rows)
    difference = (first_only - second_only) / max(1, rows)
    assert -1 <= interval.low <= difference + 1e-9
    assert difference - 1e-9 <= interval.high <= 1
    assert mirrored.low == pytest.approx(-interval.high, abs=1e-9)
    assert mirrored.high == pytest.approx(-interval.low, abs=1e-9)


def test_the_bootstrap_is_scipys_within_the_error_of_resampling() -> None:
    generator = random.Random(7)
    differences = [generator.choice((-1.0, 0.0, 0.0, 1.0, 1.0)) for _ in range(300)]
    theirs = scipy_stats.bootstrap(
        (differences,), numpy.mean, method="percentile", rng=1
    ).confidence_interval
    ours = paired_bootstrap(differences, seed=1)
    assert ours.two_sided.low == pytest.approx(theirs.low, abs=0.01)
    assert ours.two_sided.high == pytest.approx(theirs.high, abs=0.01)
    assert ours == paired_bootstrap(differences, seed=1)


def compared(first_skill: float, second_skill: float, seed: int, rows: int = 400) -> Comparison:
    """Compare two participants with independent errors."""
    generator = random.Random(seed)
    both = first_only = second_only = neither = 0
    for _ in range(rows):
        is_first_right = generator.random() < first_skill
        is_second_right = generator.random() < second_skill
        both += is_first_right and is_second_right
        first_only += is_first_right and not is_second_right
        second_only += is_second_right and not is_first_right
        neither += not (is_first_right or is_second_right)
    return compare_right_answers(both, first_only, second_only, neither, margin=0.05)


def test_equals_are_seldom_called_different_and_a_gap_of_20_points_is_found() -> None:
    equals = [compared(0.8, 0.8, seed).verdict for seed in range(300)]
    different = equals.count(Verdict.BETTER) + equals.count(Verdict.WORSE)
    assert different / len(equals) <= 0.06
    bases = [compared(0.6, 0.8, seed).verdict for seed in range(100)]
    assert bases.count(Verdict.WORSE) >= 99


def test_few_rows_cannot_tell_however_equal_the_answers_are() -> None:
    assert compare_right_answers(20, 0, 0, 0, 0.05).verdict is Verdict.CANNOT_TELL
    assert compare_right_answers(0, 0, 0, 0, 0.05).verdict is Verdict.CANNOT_TELL
    assert compare_right_answers(100, 0, 0, 0, 0.05).verdict is Verdict.AS_GOOD


def test_a_student_within_the_margin_is_as_good_even_if_it_is_significantly_lower() -> None:
    comparison = compare_right_answers(8000, 300, 400, 1300, 0.05)
    assert comparison.verdict is Verdict.AS_GOOD
    assert comparison.is_significantly_lower


@settings(max_examples=30)
@given(st.integers(0, 60), st.integers(0, 60), st.integers(20, 400))
def test_so_many_times_the_rows_as_are_needed_do_tell(
    first_only: int, second_only: int, same: int
) -> None:
    comparison = compare_right_answers(same, first_only, second_only, 0, 0.05)
    if comparison.rows_needed is None:
        return
    factor = math.ceil(comparison.rows_needed / comparison.rows)
    assert factor >= 1
    more = compare_right_answers(same * factor, first_only * factor, second_only * factor, 0, 0.05)
    assert more.verdict is not Verdict.CANNOT_TELL


def test_a_judge_that_calls_everything_a_tie_tells_nothing() -> None:
    assert compare_scores([0.0] * 1000, margin=0.05, seed=1).verdict is Verdict.CANNOT_TELL


def test_scores_that_differ_clearly_are_told_apart() -> None:
    generator = random.Random(3)
    ahead = [generator.gauss(0.2, 0.5) for _ in range(200)]
    assert compare_scores(ahead, margin=0.05, seed=1).verdict is Verdict.BETTER
    behind = [-difference for difference in ahead]
    assert compare_scores(behind, margin=0.05, seed=1).verdict is Verdict.WORSE


def test_rows_for_a_verdict_are_those_of_the_published_formula() -> None:
    # one-sided 95 % and 80 % power: (1.645 + 0.842)² × discordant ÷ margin²
    assert rows_for_as_good(0.10, 0.05) == 31
    assert rows_for_as_good(0.05, 0.15) == 371
    assert rows_for_as_good(0.02, 0.30) == 4637
    assert smallest_difference(400, 0.2) == pytest.approx(0.0626, abs=1e-3)
    assert smallest_difference(10, 0.1) == 0.1
    assert pytest.approx(scipy_stats.norm.ppf(0.95), abs=1e-5) == Z_ONE_SIDED
