"""Selects one of several answers to a row, and says how many more are needed to decide.

Samples are requested in batches, just as many at a time as could settle the decision. The batches
don't depend on which reply comes first, so two runs with the same replies select the same answers.
Pure functions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from shared.spec.models import Select


def next_batch_size(
    select: Select, max_samples: int, values: Sequence[str | None], reference: str | None
) -> int:
    """Return how many more samples to request now; 0 when the selection is decided.

    `values` are those of the samples so far in canonical form, None for an unusable answer.
    """
    samples_left = max_samples - len(values)
    if samples_left <= 0:
        return 0
    if select == "first":
        has_value = any(value is not None for value in values)
        return 0 if has_value else 1
    if select == "reference":
        if reference in values:
            return 0
        return samples_left if values else 1
    first, second = _two_highest_counts(values)
    if first > second + samples_left:
        return 0
    return min(samples_left, (second + samples_left - first) // 2 + 1)


def select_value(select: Select, values: Sequence[str | None], reference: str | None) -> str | None:
    """Return the selected value, None when no sample qualifies.

    A tie goes to the value that sorts first, whichever sample came first.
    """
    usable = [value for value in values if value is not None]
    if select == "reference":
        return reference if reference in usable else None
    if not usable:
        return None
    if select == "first":
        return usable[0]
    counts = Counter(usable)
    return min(counts, key=lambda value: (-counts[value], value))


def _two_highest_counts(values: Sequence[str | None]) -> tuple[int, int]:
    counts = Counter(value for value in values if value is not None)
    highest = [count for _, count in counts.most_common(2)]
    first, second = [*highest, 0, 0][:2]
    return first, second
