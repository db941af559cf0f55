"""How many rows of a split may fail before `quality.min_success_ratio` is unreachable."""

from __future__ import annotations

import math

from shared.spec.models import RunSpec


def minimum_accepted(spec: RunSpec, rows: int) -> int:
    """Return how many of a split's rows that the teacher is asked for must be accepted."""
    return math.ceil(rows * spec.quality.min_success_ratio - 1e-9)


def max_rejected(spec: RunSpec, rows: int) -> int:
    """Return how many of a split's rows that the teacher is asked for may fail."""
    return rows - minimum_accepted(spec, rows)


def out_of_reach(failed: int, split: str) -> str:
    """Return the error message for a split with so many failed rows."""
    return f"{failed} {split} rows failed; quality.min_success_ratio is now unreachable"
