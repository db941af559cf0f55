"""The words that the reader of numbers understands, read from `numbers.toml`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Signs(_Table):
    negative: list[str]
    positive: list[str]


class _Currencies(_Table):
    symbols: list[str]
    codes: list[str]
    written_with_comma: list[str]


class _Units(_Table):
    short: frozenset[str]
    joining: frozenset[str]
    counters: list[str]
    never: frozenset[str]


class Sentences(_Table):
    openers: list[str]
    verbs: list[str]
    joined_verbs: list[str]
    adverbs: list[str]
    nouns: frozenset[str]
    impersonal: list[str]
    endings: list[str]
    excluded: frozenset[str]


class Tables(_Table):
    signs: _Signs
    approximations: list[str]
    currencies: _Currencies
    magnitudes: dict[str, Fraction]
    money_magnitudes: dict[str, Fraction]
    words: dict[str, int]
    units: _Units
    sentences: Sentences


class _Sum(NamedTuple):
    """Number words added up so far: whole groups of thousands, and the group being read."""

    total: int = 0
    group: int = 0
    scale: int = 10**15  # of the last group, which the next must be below


def one_of(words: Iterable[str]) -> str:
    """Return a pattern of these words, the longest first; a Latin one must be whole."""
    ordered = sorted(words, key=len, reverse=True)
    return "|".join(
        re.escape(word) + (r"(?![A-Za-zÀ-ɏ])" if _ends_in_latin(word) else "") for word in ordered
    )


def value_of_words(words: list[str]) -> int | None:
    """Return 125 for `one hundred twenty five`; None for words that are no one number."""
    if words == ["zero"]:
        return 0
    so_far: _Sum | None = _Sum()
    for word in words:
        so_far = _with_word(so_far, TABLES.words[word])
        if so_far is None:
            return None
    return so_far.total + so_far.group


def _with_word(so_far: _Sum, value: int) -> _Sum | None:
    total, group, scale = so_far
    if value >= 1000:
        fits = 0 < group < 1000 and value < scale
        return _Sum(total + group * value, 0, value) if fits else None
    if value == 100:
        return _Sum(total, group * 100, scale) if 0 < group < 100 else None
    is_free = group % 100 == 0
    fits = is_free or (value < 10 and group % 10 == 0 and group % 100 > 10)
    return _Sum(total, group + value, scale) if fits and value else None


def _ends_in_latin(word: str) -> bool:
    return word[-1].isalpha() and word[-1] < "ɐ"


def _read() -> Tables:
    text = Path(__file__).with_name("numbers.toml").read_text(encoding="utf-8")
    return Tables.model_validate(tomllib.loads(text))


TABLES = _read()
