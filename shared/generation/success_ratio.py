"""How many rows of a split may fail before `quality.min_success_ratio` is out of reach. Pure functions."""

from __future__ import annotations

import math

from shared.spec.models import RunSpec


def minimum_accepted(spec: RunSpec, asked: int) -> int:
    """Rows of a split that must be accepted for the success ratio."""
    return math.ceil(asked * spec.quality.min_success_ratio - 1e-9)


def max_rejected(spec: RunSpec, asked: int) -> int:
    """Rows of a split that may be rejected after asking."""
    return asked - minimum_accepted(spec, asked)


def out_of_reach(failed: int, split: str) -> str:
    return f"{failed} rows of {split} got no usable answer, so that quality.min_success_ratio cannot be met any more"
