"""The values that a row's answer may take: the labels of a comparison, the choices of a question.

They are declared by the row or by the run specification, or read from the row's own prompt.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Source = Literal["row", "specification", "prompt"]
SPACES = re.compile(r"\s+")
DRESS = " \t\n\"'“”„‘’‚‹›«»「」『』`*_~()[]{}<>.,;:!。．✅✔✓☑\ufe0f"


@dataclass(frozen=True)
class AnswerSpace:
    """The values in the order offered, what each of them stands for, and other spellings."""

    values: tuple[str, ...]
    # The text of each choice, or what a label means (`0` means "entailment"); "" where none is.
    texts: tuple[str, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()  # spelling, value
    source: Source = "prompt"

    @cached_property
    def meanings(self) -> dict[str, str]:
        """What each value stands for, without the values that stand for nothing else."""
        pairs = zip(self.values, self.texts, strict=False)
        return {value: text for value, text in pairs if text}

    @cached_property
    def spellings(self) -> dict[str, str]:
        """The value of each spelling that is one value's alone: values, aliases, meanings."""
        spellings = _unique((value, value) for value in self.values)
        for pairs in (self.aliases, tuple((text, value) for value, text in self.meanings.items())):
            spellings = _unique(pairs) | spellings
        return spellings

    def value_of(self, spelling: str) -> str | None:
        """Return the value that is spelled so, whatever the case and dress, or None."""
        if spelling in self.values:
            return spelling
        return self.spellings.get(spelled(spelling)) or self.spellings.get(
            spelled(spelling, words=True)
        )

    def listed(self) -> str:
        """Return the values as they stand in messages."""
        return ", ".join(self.values)


def spelled(text: str, *, words: bool = False) -> str:
    """Return a spelling without case, outer quotes, brackets and final full stop.

    With `words`, signs between words count as spaces: `not_entailment` is `not entailment`.
    """
    text = unicodedata.normalize("NFKC", text).strip(DRESS).casefold()
    return SPACES.sub(" ", re.sub(r"[_\-–]+", " ", text) if words else text)


def _unique(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the value of each spelling, in both forms, that stands for one value only."""
    values: dict[str, set[str]] = {}
    for text, value in pairs:
        for spelling in {spelled(text), spelled(text, words=True)} - {""}:
            values.setdefault(spelling, set()).add(value)
    return {spelling: named.pop() for spelling, named in values.items() if len(named) == 1}
