"""`quality.target_rows`: how many rows a run needs, and what share of its training set that is.

Pure. How generation stops there: shared/generation/split_target.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from shared.core.errors import Problem
from shared.spec.models import RunSpec
from shared.tasks import TASKS


def target_problems(spec: RunSpec) -> Iterator[Problem]:
    """Yield why the run could not succeed even with all rows that it asks for.

    What a service demands is known once it is known which one trains the student.
    """
    target = spec.quality.target_rows
    is_resolved = all(student.model or student.backend for student in spec.students)
    min_rows = spec.quality.min_rows or (TASKS[spec.task].min_rows if spec.students else 1)
    if is_resolved:
        min_rows = spec.min_rows
    if target is not None and target < min_rows:
        problem = f"is {target}, but at least {min_rows} training rows are required: raise it"
        if spec.quality.min_rows == min_rows:
            problem += ", or lower quality.min_rows"
        yield {"where": "quality.target_rows", "problem": problem}


def expected_accepted(spec: RunSpec) -> int | None:
    """Return how many rows are accepted, about, when the target is reached. None without one.

    Rows that are held out for validation come on top of it.
    """
    target = spec.quality.target_rows
    return None if target is None else math.ceil(target / (1 - spec.holdout.fraction))


def most_accepted(spec: RunSpec) -> int | None:
    """Return how many rows are accepted at most when the target is reached. None without one.

    That is certain without held-out rows. With them it is five standard deviations above the
    expected number.
    """
    target = spec.quality.target_rows
    if target is None:
        return None
    fraction = spec.holdout.fraction
    deviation = math.sqrt(target * fraction) / (1 - fraction)
    return math.ceil(target / (1 - fraction) + 5 * deviation)


def taught_share(spec: RunSpec, valid: int) -> float:
    """Return the share of `valid` training rows that the datasets have, if all are accepted."""
    accepted = expected_accepted(spec)
    return 1.0 if accepted is None or accepted >= valid else accepted / valid


def asked_share(spec: RunSpec, unanswered: int, reused: int = 0, acceptance: float = 1.0) -> float:
    """Return the share of the training rows without an answer that is asked.

    `reused`: rows with an earlier run's answer, which are taken to come before the others.
    `acceptance`: the share of the others that is accepted.
    """
    accepted = expected_accepted(spec)
    if accepted is None:
        return 1.0
    missing = max(0, accepted - reused)
    return 1.0 if missing >= unanswered * acceptance else missing / acceptance / unanswered


def tokens_at_target(spec: RunSpec, example_tokens: int, valid: int) -> int:
    """Return about how many tokens the training set has, of those that all its valid rows have."""
    return round(example_tokens * taught_share(spec, valid))
