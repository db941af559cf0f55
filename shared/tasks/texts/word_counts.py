"""Counts the words of a text in any script, and reads the length that a prompt asks for.

Where a script has no spaces, words are estimated from its characters (`word_counts.toml`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from shared.core.tables import Table, read_table

LETTER = re.compile(r"\w")
SLACK = 1.1  # an estimated count may exceed a limit by so much


class _Table(Table):
    characters_per_word: dict[str, float]
    limits: dict[str, list[str]]
    numbers: dict[str, int]


def _limit_pattern(forms: list[str]) -> re.Pattern[str]:
    """Return a pattern of the forms, with each number in a group."""
    numbered = re.sub("[NM]", r"(\\d{1,5})", "|".join(forms))
    # Behind scripts without spaces a limit may follow at once.
    return re.compile(rf"(?<![\dA-Za-zÀ-ӿ])(?:{numbered})(?!\d)", re.IGNORECASE)


_TABLE = read_table(_Table, __file__)
_UNSPACED = {
    re.compile(f"[{characters}]"): per_word
    for characters, per_word in _TABLE.characters_per_word.items()
}
_ANY_UNSPACED = re.compile(f"[{''.join(_TABLE.characters_per_word)}]")
_NUMBER_WORD = re.compile(rf"\b(?:{'|'.join(_TABLE.numbers)})(?=[ -]words?\b)", re.IGNORECASE)
_LIMITS = {name: _limit_pattern(forms) for name, forms in _TABLE.limits.items()}


@dataclass(frozen=True, slots=True)
class Length:
    """The bounds that a prompt sets, inclusive; 0 and None where it sets none."""

    at_least: int = 0
    at_most: int | None = None
    in_characters: bool = False


def word_count(text: str) -> int:
    """Return the number of words: exact between spaces, estimated in scripts without spaces."""
    if not is_estimated(text):
        return sum(LETTER.search(word) is not None for word in text.split())
    spaced = re.findall(r"\w+", _ANY_UNSPACED.sub(" ", text))
    estimated = 0.0
    for characters, per_word in _UNSPACED.items():
        estimated += len(characters.findall(text)) / per_word
    return round(estimated) + len(spaced)


def is_estimated(text: str) -> bool:
    """Return whether the words of the text can only be estimated."""
    return not text.isascii() and _ANY_UNSPACED.search(text) is not None


@lru_cache(maxsize=256)
def requested_length(text: str) -> Length | None:
    """Return the length that a prompt asks for, None if it names none or several."""
    text = _NUMBER_WORD.sub(lambda word: str(_TABLE.numbers[word[0].lower()]), text)
    between = _numbers("between", text)
    at_most = _numbers("at_most", text)
    at_most += [number - 1 for number in _numbers("fewer_than", text)]
    at_least = _numbers("at_least", text)
    at_least += [number + 1 for number in _numbers("more_than", text)]
    if len(between) == 2 and not at_most and not at_least:
        return Length(min(between), max(between))
    in_characters = not (at_most or at_least)
    if in_characters:
        at_most = _numbers("at_most_characters", text)
        at_least = _numbers("at_least_characters", text)
    if not (at_most or at_least) or len({*at_most}) > 1 or len({*at_least}) > 1:
        return None
    return Length(next(iter(at_least), 0), next(iter(at_most), None), in_characters)


def too_long(text: str, length: Length | None) -> str | None:
    """Return by how much a text is too long, None if it isn't."""
    if length is None or length.at_most is None:
        return None
    count, slack, unit = _measured(text, length)
    is_too_long = count > length.at_most * slack
    return f"it has {count} {unit}, the limit is {length.at_most}" if is_too_long else None


def too_short(text: str, length: Length | None) -> str | None:
    """Return by how much a text is too short, None if it isn't."""
    if length is None:
        return None
    count, slack, unit = _measured(text, length)
    is_too_short = count * slack < length.at_least
    detail = f"it has {count} {unit}, at least {length.at_least} are asked for"
    return detail if is_too_short else None


def _measured(text: str, length: Length) -> tuple[int, float, str]:
    """Return the length of a text, the factor by which that may be wrong, and its unit."""
    if length.in_characters:
        return len("".join(text.split())), 1, "characters"
    return word_count(text), SLACK if is_estimated(text) else 1, "words"


def _numbers(name: str, text: str) -> list[int]:
    numbers: list[int] = []
    for match in _LIMITS[name].finditer(text):
        numbers += [int(number) for number in match.groups() if number]
    return numbers
