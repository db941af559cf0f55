"""A worked answer, before it takes the form that the request asks for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DensityStep:
    """One rewriting of a summary: the entities that it adds, and the whole summary."""

    missing_entities: tuple[str, ...]
    summary: str


@dataclass(frozen=True, slots=True)
class Solution:
    """`wrong` is an answer of the same form that is not right, `wrong_too` are others: mistakes differ from time to time.

    `steps` are those of a chain of density.
    """

    answer: str
    wrong: str
    reasoning: tuple[str, ...]
    steps: tuple[DensityStep, ...] = ()
    wrong_too: tuple[str, ...] = ()

    def mistake(self, drawn: float) -> str:
        """One of the wrong answers; `drawn` in [0, 1) says which."""
        mistakes = (self.wrong, *self.wrong_too)
        return mistakes[int(drawn * len(mistakes))]
