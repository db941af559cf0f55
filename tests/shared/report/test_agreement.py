"""Agreement with references: honest intervals, and a warning only when it is certain."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.counters import Counters, LabelCounts
from shared.report.agreement import (
    LOW_AGREEMENT,
    agreement_by_split,
    agreement_warnings,
    share_of,
)


@pytest.mark.parametrize(
    ("agreeing", "rows", "low", "high"),
    [  # as statsmodels.stats.proportion.proportion_confint(method="wilson") gives them
        (10, 10, 0.7225, 1.0),
        (0, 10, 0.0, 0.2775),
        (50, 100, 0.4038, 0.5962),
        (81, 263, 0.2553, 0.3662),
    ],
)
def test_the_interval_is_wilsons(agreeing: int, rows: int, low: float, high: float) -> None:
    share = share_of(agreeing, rows)
    assert (share.low, share.high) == (low, high)


@given(st.integers(0, 500), st.integers(1, 500))
def test_the_share_lies_in_its_interval(agreeing: int, more: int) -> None:
    share = share_of(agreeing, agreeing + more)
    assert 0 <= share.low <= share.share <= share.high <= 1


@given(st.integers(0, 200))
def test_a_warning_needs_an_interval_that_lies_below_the_threshold(agreeing: int) -> None:
    counters = Counters(with_reference=200, matching=agreeing)
    warned = bool(agreement_warnings({"train": counters}))
    assert warned is (share_of(agreeing, 200).high < LOW_AGREEMENT)


def test_few_rows_warn_of_nothing() -> None:
    assert agreement_warnings({"train": Counters(with_reference=3, matching=2)}) == []


def test_the_warning_names_split_numbers_and_remedy() -> None:
    counters = Counters(with_reference=300, matching=194, unreadable_references=12)
    low, unreadable = agreement_warnings({"train": counters, "validation": Counters(rows=9)})
    assert low.startswith("194 of 300 answers of train agree with the references (64.7%")
    assert "quality.select: reference" in low
    assert "the references of 12 train rows can't be read" in unreadable


def test_splits_without_references_are_not_shown() -> None:
    labels = {"B": LabelCounts(rows=4, matching=1)}
    shown = agreement_by_split(
        {
            "train": Counters(with_reference=4, matching=1, labels=labels),
            "validation": Counters(rows=7),
        }
    )
    assert list(shown) == ["train"]
    assert (shown["train"].labels["B"].rows, shown["train"].labels["B"].agreeing) == (4, 1)
