"""Selects one of several answers to a row, and says how many more are needed to decide.

By majority, samples are requested in batches, just as many at a time as could settle the decision;
with a reference, one after another, until one agrees with it. If several examples of a row are to
be kept, sampling goes on until there are so many, or all samples are used up.

What is selected doesn't depend on which reply comes first, so two runs with the same replies select
the same answers. A tie is no majority: no answer is ever selected by its text. Pure functions.

Values agree if the task says so: `0.333` agrees with `1/3`. The value that most samples agree with
is selected. Of the samples that agree with it but for rounding, the most exact one is kept (`1/3`),
of equally exact ones the first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

Values = Sequence[str | None]  # of the samples so far, in their order; None: no usable answer


@dataclass(frozen=True, slots=True)
class SelectionRule:
    """How a sample is selected. With a `reference`, by that; otherwise by majority."""

    max_samples: int
    same: Callable[[str, str, float | None], bool]  # of two values and a tolerance
    exactness: Callable[[str], int]
    min_agreement: float | None = None  # share of `max_samples`; None: more than half
    reference: str | None = None
    tolerance: float | None = None
    keep: int = 1  # examples a row

    @property
    def required(self) -> int:
        """The number of samples that must agree."""
        if self.min_agreement is None:
            return self.max_samples // 2 + 1
        return max(1, math.ceil(Fraction(str(self.min_agreement)) * self.max_samples))

    def agree(self, first: str, second: str) -> bool:
        return self.same(first, second, self.tolerance)


@dataclass(frozen=True, slots=True)
class Vote:
    """The selected sample, and how many samples agree with it."""

    sample: int  # its number, from 0
    agreeing: int


@dataclass(frozen=True, slots=True)
class _Group:
    """The samples that agree with one value."""

    center: str
    samples: list[int]  # by number, ascending

    def __len__(self) -> int:
        return len(self.samples)


def next_batch_size(rule: SelectionRule, values: Values, examples: int) -> int:
    """Return how many more samples to request now; 0 if more would change nothing.

    `examples` are those that the samples so far make: none before one can be selected. A sample
    makes one at most, so as many as are lacking are needed in any case.
    """
    samples_left = rule.max_samples - len(values)
    if samples_left <= 0:
        return 0
    lacking = min(samples_left, rule.keep - examples)
    if rule.reference is not None:
        return lacking
    first, second = _two_largest(rule, values)
    votes = _size(first)
    is_decided = votes >= rule.required and votes > second + samples_left
    is_hopeless = votes + samples_left < rule.required
    if is_hopeless:
        return 0
    if is_decided:
        return lacking
    to_lead = (second + samples_left - votes) // 2 + 1
    return min(samples_left, max(rule.required - votes, to_lead))


def select_sample(rule: SelectionRule, values: Values) -> Vote | None:
    """Return the selected sample, None if none qualifies."""
    if rule.reference is not None:
        for number, value in enumerate(values):
            if value is not None and rule.agree(value, rule.reference):
                return Vote(number, 1)
        return None
    first, second = _two_largest(rule, values)
    if first is None or len(first) < rule.required or len(first) == second:
        return None
    return Vote(_kept(rule, values, first), len(first))


def agreeing_samples(rule: SelectionRule, values: Values) -> int:
    """Return how many samples agree with each other at most."""
    first, _ = _two_largest(rule, values)
    return _size(first)


def _two_largest(rule: SelectionRule, values: Values) -> tuple[_Group | None, int]:
    """Return the largest group, and the size of the largest one whose value is not in it.

    Groups may overlap: `0.333` may agree with two values that don't agree with each other.
    """
    groups = [_group(rule, values, center) for center in dict.fromkeys(values) if center]
    if not groups:
        return None, 0
    largest = max(groups, key=len)
    rivals = [len(group) for group in groups if not rule.agree(largest.center, group.center)]
    return largest, max(rivals, default=0)


def _group(rule: SelectionRule, values: Values, center: str) -> _Group:
    samples: list[int] = []
    for number, value in enumerate(values):
        if value is not None and rule.agree(center, value):
            samples.append(number)
    return _Group(center, samples)


def _kept(rule: SelectionRule, values: Values, group: _Group) -> int:
    """Return the most exact of the samples that are the group's value but for rounding."""
    texts = {number: values[number] or "" for number in group.samples}
    alike = [number for number, text in texts.items() if rule.same(group.center, text, None)]
    return max(alike, key=lambda number: rule.exactness(texts[number]))


def _size(group: _Group | None) -> int:
    return len(group) if group else 0
