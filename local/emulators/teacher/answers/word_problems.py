"""A word problem as the readings see it: its sentences, its numbers as figures, and the question proper."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from local.emulators.teacher.answers.text import NUMBER_WORDS, sentences

_WORDS = "|".join(sorted(NUMBER_WORDS, key=len, reverse=True))
_FIGURE = re.compile(rf"(?<![\w.])-?\d[\d,]*(?:\.\d+)?|\b(?:{_WORDS})\b", re.IGNORECASE)


@dataclass(frozen=True)
class Problem:
    """The text, its facts and the question proper."""

    text: str

    @cached_property
    def plain(self) -> str:
        """The text with number words written as figures; "one" stays, being a pronoun as often as a number."""
        return _FIGURE.sub(lambda match: str(_figure(match.group())), self.text)

    @cached_property
    def parts(self) -> list[str]:
        return sentences(self.plain) or [self.plain]

    @cached_property
    def question(self) -> str:
        return next((part for part in reversed(self.parts) if "?" in part), self.parts[-1]).lower()

    @cached_property
    def numbers(self) -> list[int]:
        return figures(self.plain)

    def find(self, pattern: str) -> re.Match[str] | None:
        return re.search(pattern, self.plain, re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Worked:
    """The integer that comes out, and the calculation in words."""

    value: int
    steps: tuple[str, ...]


def _figure(text: str) -> int | str:
    if text.lower() == "one":
        return text
    return NUMBER_WORDS.get(text.lower(), text)


def whole(text: str) -> int:
    """`1,200` to 1200."""
    return int(text.replace(",", ""))


def figures(text: str) -> list[int]:
    """The whole numbers in a text."""
    return [
        whole(found)
        for found in re.findall(r"(?<![\w.,-])-?\d[\d,]*(?![\d.]*\.\d)\b", text)
        if len(found) < 16
    ]
