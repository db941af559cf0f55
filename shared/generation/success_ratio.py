"""How many rows of a split may fail before `quality.min_success_ratio` is unreachable."""

from __future__ import annotations

import math

from shared.core.counters import Counters
from shared.core.paths import Split
from shared.spec.models import RunSpec
from shared.spec.target_rows import most_accepted


def minimum_accepted(spec: RunSpec, rows: int) -> int:
    """Return how many of a split's rows that the teacher is asked for must be accepted."""
    return math.ceil(rows * spec.quality.min_success_ratio - 1e-9)


def max_rejected(spec: RunSpec, rows: int) -> int:
    """Return how many of a split's rows that the teacher is asked for may fail."""
    return rows - minimum_accepted(spec, rows)


def most_decided(spec: RunSpec, split: Split, valid: int) -> int:
    """Return how many of a split's usable rows are asked for at most, if its ratio is met."""
    accepted = most_accepted(spec)
    ratio = spec.quality.min_success_ratio
    if accepted is None or split != "train" or not ratio:
        return valid
    return min(valid, math.floor(accepted / ratio + 1e-9))


def decided_rows(counters: Counters, valid: int) -> int:
    """Return how many of a split's usable rows the success ratio is judged by.

    Rows that aren't needed don't count: they were not asked, or not for this dataset.
    """
    if not counters.not_needed:
        return valid
    return counters.accepted + sum(counters.failed.values())


def out_of_reach(failed: int, split: str) -> str:
    """Return the error message for a split with so many failed rows."""
    return f"{failed} {split} rows failed; quality.min_success_ratio is now unreachable"
