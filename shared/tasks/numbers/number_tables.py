"""The words and spellings that the reader of numbers understands, read from `numbers.toml`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

from shared.core.tables import Table, read_table
from shared.tasks.numbers.expressions import NotANumber


class Tables(Table):
    negative: list[str]
    positive: list[str]
    approximations: list[str]
    currencies: list[str]
    written_with_comma: list[str]
    short_units: frozenset[str]
    joining: frozenset[str]
    counters: list[str]
    never_units: frozenset[str]
    dates: frozenset[str]
    never_unit_stems: list[str]
    never_unit_characters: str
    openers: list[str]
    verbs: list[str]
    nouns: frozenset[str]
    actions: list[str]
    remains: list[str]
    losses: frozenset[str]
    joined_verbs: list[str]
    adverbs: list[str]
    impersonal: list[str]
    endings: list[str]
    conclusion_subjects: list[tuple[re.Pattern[str], str]]
    excluded: frozenset[str]
    excluded_parts: list[str]
    spellings: list[tuple[re.Pattern[str], str]]
    small_spellings: list[tuple[re.Pattern[str], str]]
    tex_spellings: list[tuple[re.Pattern[str], str]]
    nested_spellings: list[tuple[re.Pattern[str], str]]
    characters: dict[str, str]
    magnitudes: dict[str, Fraction]
    money_magnitudes: dict[str, Fraction]
    words: dict[str, int]


def one_of(words: Iterable[str]) -> str:
    """Return a pattern of these words, the longest first; a Latin one must be whole."""
    ordered = sorted(words, key=len, reverse=True)
    return "|".join(
        re.escape(word) + (r"(?![A-Za-zÀ-ɏ])" if "A" <= word[-1] <= "ɏ" else "") for word in ordered
    )


def value_of_words(text: str) -> int:
    """Return 125 for `one hundred and twenty-five`. Raises NotANumber if it isn't one number."""
    words = re.split("[ -]", text)
    total = 0
    group = 0  # of up to three digits, which a thousand or more multiplies
    last_scale = 10**15
    for before, word in zip(["", *words], words, strict=False):
        value = TABLES.words.get(word, 0)
        if word == "and":
            is_valid = TABLES.words[before] >= 100
        elif value >= 1000:
            is_valid = 0 < group < 1000 and value < last_scale
            total += group * value
            last_scale = value
            group = 0
        elif value == 100:
            is_valid = 0 < group < 100
            group *= 100
        else:
            is_valid = _has_room(group, value) if value else words == ["zero"]
            group += value
        if not is_valid:
            raise NotANumber
    return total + group


def _has_room(group: int, value: int) -> bool:
    """Return whether `twenty` or `five` may follow the hundreds and tens of the group."""
    return group % 100 == 0 or (value < 10 and group % 10 == 0 and group % 100 > 10)


TABLES = read_table(Tables, Path(__file__).with_name("numbers.toml"))
