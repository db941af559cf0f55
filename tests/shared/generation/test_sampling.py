"""Which sample is kept, and how many are requested until that is decided."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.generation.sampling import (
    SelectionRule,
    Vote,
    agreeing_samples,
    next_batch_size,
    select_sample,
)

VALUES = st.lists(st.sampled_from(["a", "b", "c", None]), min_size=9, max_size=9)


def equal(first: str, second: str, tolerance: float | None) -> bool:
    return first == second


def rounded(first: str, second: str, tolerance: float | None) -> bool:
    """Return whether one is the other rounded to its digits, three of them at least."""
    if tolerance is not None:
        difference = abs(Fraction(first) - Fraction(second))
        return difference <= Fraction(str(tolerance)) * abs(Fraction(first))
    places = max(len(text.partition(".")[2]) for text in (first, second))
    return first == second or (
        places > 2 and round(Fraction(first), places) == round(Fraction(second), places)
    )


def digits(value: str) -> int:
    return 99 if "/" in value else len(value.partition(".")[2])


def majority(samples: int, min_agreement: float | None = None) -> SelectionRule:
    return SelectionRule(samples, equal, len, min_agreement=min_agreement)


def referring(samples: int, reference: str) -> SelectionRule:
    return SelectionRule(samples, equal, len, reference=reference)


def numbers(samples: int, tolerance: float | None = None) -> SelectionRule:
    return SelectionRule(samples, rounded, digits, tolerance=tolerance)


def next_batch(rule: SelectionRule, values: list[str | None], examples: int | None = None) -> int:
    """Return the next batch. Without a number of examples, a selected sample makes one."""
    if examples is None:
        examples = 1 if select_sample(rule, values) else 0
    return next_batch_size(rule, values, examples)


def draw_all(rule: SelectionRule, replies: list[str | None]) -> list[str | None]:
    """Return the samples that are requested until the selection is decided."""
    drawn: list[str | None] = []
    while batch := next_batch(rule, drawn):
        drawn += replies[len(drawn) : len(drawn) + batch]
    return drawn


def value_of(rule: SelectionRule, values: list[str | None]) -> str | None:
    vote = select_sample(rule, values)
    return values[vote.sample] if vote else None


def test_a_majority_asks_for_no_more_than_could_settle_it() -> None:
    rule = majority(5)
    assert next_batch(rule, []) == 3
    assert next_batch(rule, ["a", "a", "a"]) == 0
    assert next_batch(rule, ["a", "a", "b"]) == 1
    assert next_batch(rule, ["a", "b", "c"]) == 2


def test_a_decided_row_is_asked_for_as_many_samples_as_examples_are_lacking() -> None:
    rule = replace(majority(9), keep=3)
    decided: list[str | None] = ["a"] * 5
    assert next_batch(rule, decided, 1) == 2
    assert next_batch(rule, [*decided, "a", "a"], 2) == 1
    assert next_batch(rule, [*decided, "a", "a", "a"], 3) == 0
    assert next_batch(rule, [*decided, "a", "a", "b"], 1) == 1  # the last sample there is


def test_an_undecided_row_is_asked_for_what_decides_it_before_further_examples() -> None:
    rule = replace(majority(5), keep=5)
    assert next_batch(rule, [], 0) == 3
    assert next_batch(rule, ["a", "a", "b"], 0) == 1
    assert next_batch(rule, [None, None, None], 0) == 0


def test_with_a_reference_as_many_samples_are_asked_for_as_examples_are_lacking() -> None:
    rule = replace(referring(8, "a"), keep=3)
    assert next_batch(rule, [], 0) == 3
    assert next_batch(rule, ["a", "b", "a"], 2) == 1
    assert next_batch(rule, ["a", "b", "a", "a"], 3) == 0
    assert next_batch(rule, ["b"] * 7, 0) == 1


def test_what_no_further_sample_can_decide_is_not_asked_for() -> None:
    assert next_batch(majority(5), [None, None, None]) == 0
    assert next_batch(majority(5, 0.8), ["a", "b", "a", "b"]) == 0


@pytest.mark.parametrize(
    ("samples", "share", "required"),
    [(5, None, 3), (4, None, 3), (5, 0.6, 3), (5, 0.61, 4), (5, 1.0, 5), (5, 0, 1), (10, 0.3, 3)],
)
def test_the_share_that_must_agree_is_of_all_samples(
    samples: int, share: float | None, required: int
) -> None:
    rule = majority(samples, share)
    assert rule.required == required
    others = [f"x{number}" for number in range(samples - required)]
    values: list[str | None] = [*["a"] * required, *others]
    if required > 1:
        assert value_of(rule, values) == "a"
        assert value_of(rule, ["z", *values[1:]]) is None


def test_a_tie_is_no_majority_however_few_must_agree() -> None:
    assert value_of(majority(4, 0.2), ["b", "a", "b", "a"]) is None
    assert value_of(majority(5, 0.2), ["b", "a", "b", "a", "b"]) == "b"
    assert value_of(majority(4), ["b", "a", "b", "a"]) is None
    assert value_of(majority(3, 0), ["a", "b", "c"]) is None


def test_unusable_samples_count_as_asked() -> None:
    assert value_of(majority(5), ["a", None, None, None, "a"]) is None
    assert value_of(majority(5, 0.4), ["a", None, None, None, "a"]) == "a"


@given(replies=VALUES, samples=st.integers(2, 9), share=st.sampled_from([None, 0.0, 0.3, 0.7, 1.0]))
def test_stopping_early_never_changes_what_is_selected(
    replies: list[str | None], samples: int, share: float | None
) -> None:
    rule = majority(samples, share)
    drawn = draw_all(rule, replies)
    assert len(drawn) <= samples
    assert value_of(rule, drawn) == value_of(rule, replies[:samples])


@given(replies=VALUES, samples=st.integers(2, 9))
def test_the_order_of_the_replies_does_not_change_the_value(
    replies: list[str | None], samples: int
) -> None:
    rule = majority(samples)
    assert value_of(rule, replies[:samples]) == value_of(rule, replies[:samples][::-1])


def test_of_equal_answers_the_first_is_kept() -> None:
    assert select_sample(majority(5), ["z", "a", "a", "b", "a"]) == Vote(1, 3)


@pytest.mark.parametrize(
    "values", [["2/3", "0.667", "0.67"], ["0.67", "0.667", "2/3"], ["0.667", "2/3", "0.67"]]
)
def test_rounded_values_agree_and_the_exact_one_is_kept(values: list[str | None]) -> None:
    assert value_of(numbers(3), values) == "2/3"
    assert agreeing_samples(numbers(3), values) == 2


def test_within_a_tolerance_the_value_that_most_agree_with_is_kept() -> None:
    values: list[str | None] = ["9.4", "10", "10.4", "10.5", "12"]
    assert value_of(numbers(5, 0.06), values) == "10"
    assert value_of(numbers(5), values) is None


@given(replies=VALUES, samples=st.integers(1, 9))
def test_the_reference_or_nothing_is_kept(replies: list[str | None], samples: int) -> None:
    rule = referring(samples, "b")
    drawn = draw_all(rule, replies)
    hits = [number for number, value in enumerate(replies[:samples]) if value == "b"]
    assert len(drawn) == (hits[0] + 1 if hits else samples)
    assert value_of(rule, drawn) == ("b" if hits else None)


def test_a_rounded_answer_agrees_with_its_reference() -> None:
    rule = SelectionRule(2, rounded, digits, reference="2/3")
    assert value_of(rule, ["0.67", "0.667"]) == "0.667"


def test_without_a_usable_sample_none_is_selected() -> None:
    assert select_sample(majority(2), [None, None]) is None
    assert select_sample(referring(1, "a"), [None]) is None


def test_batches_cost_little_more_than_one_sample_at_a_time_and_few_errors_remain() -> None:
    generator = random.Random(7)
    rule = majority(5)
    kept: Counter[str] = Counter()
    requests = 0
    one_at_a_time = 0
    for _ in range(2000):
        replies: list[str | None] = []
        for _ in range(5):
            is_wrong = generator.random() < 0.2
            replies.append(f"wrong {generator.randrange(20)}" if is_wrong else "right")
        drawn = draw_all(rule, replies)
        requests += len(drawn)
        one_at_a_time += _samples_one_at_a_time(rule, replies)
        kept[(value_of(rule, drawn) or "rejected").split()[0]] += 1
    assert requests <= 1.3 * one_at_a_time
    assert kept["wrong"] <= 0.015 * (kept["wrong"] + kept["right"])


def _samples_one_at_a_time(rule: SelectionRule, replies: list[str | None]) -> int:
    drawn = 0
    while drawn < len(replies) and next_batch(rule, replies[:drawn]):
        drawn += 1
    return drawn
