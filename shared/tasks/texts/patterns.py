"""Patterns of the phrases in the tables of free text; each ’ is the plain apostrophe too."""

from __future__ import annotations

from collections.abc import Iterable


def one_of(patterns: Iterable[str]) -> str:
    """Return a pattern of these, tried in their order."""
    return "|".join(patterns).replace("’", "['’]")


def longest_of(patterns: Iterable[str]) -> str:
    """Return a pattern of these, the longest first: none hides one that goes on behind it."""
    return one_of(sorted(patterns, key=len, reverse=True))
