"""Which of several answers to one row is kept, and how many more have to be asked for before that is certain.

Samples are asked for in waves: just as many at a time as could settle it. What is asked for does not depend on which reply
comes first, so that two runs with the same replies choose the same answers. Pure functions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from shared.spec.models import Select


def next_wave(
    select: Select, samples: int, drawn: Sequence[str | None], reference: str | None
) -> int:
    """How many more samples to ask for now; 0 when the choice is made, or cannot be.

    `drawn` are the samples so far, each by what it is compared with (its value in canonical form), None where it was no
    usable answer.
    """
    left = samples - len(drawn)
    if left <= 0:
        return 0
    if select == "first":
        return 0 if any(value is not None for value in drawn) else 1
    if select == "reference":
        if reference in drawn:
            return 0
        return left if drawn else 1
    leader, second = _two_most(drawn)
    if leader > second + left:
        return 0
    return min(left, (second + left - leader) // 2 + 1)


def chosen(select: Select, drawn: Sequence[str | None], reference: str | None) -> str | None:
    """The value that is kept, None when no sample has it. A tie goes to the value that sorts first, whichever came first."""
    values = [value for value in drawn if value is not None]
    if select == "reference":
        return reference if reference in values else None
    if not values:
        return None
    if select == "first":
        return values[0]
    counts = Counter(values)
    return min(counts, key=lambda value: (-counts[value], value))


def _two_most(drawn: Sequence[str | None]) -> tuple[int, int]:
    counts = [
        count for _, count in Counter(value for value in drawn if value is not None).most_common(2)
    ]
    leader, second = [*counts, 0, 0][:2]
    return leader, second
