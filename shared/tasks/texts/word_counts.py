"""Counts the words of a text in any script, and reads the length that a prompt asks for.

Where a script has no spaces, words are estimated from its characters (`word_counts.toml`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from shared.core.tables import Table, read_table

_LETTER = re.compile(r"\w")
UNSPACED_LETTER = re.compile(r"[\u0e00-\u0eff\u3040-\u9fff]")
SLACK = 1.1  # an estimated count may exceed a limit by so much


class _Script(Table):
    name: str
    characters_per_word: float
    ranges: list[str]


class _Table(Table):
    scripts: list[_Script]
    limits: dict[str, list[str]]
    numbers: dict[str, int]


def _character_class(ranges: list[str]) -> str:
    """Return a pattern of one character in ranges such as 3041-3096."""
    parts: list[str] = []
    for pair in ranges:
        first, _, last = pair.partition("-")
        parts.append(f"{chr(int(first, 16))}-{chr(int(last, 16))}")
    return f"[{''.join(parts)}]"


def _limit_pattern(forms: list[str]) -> re.Pattern[str]:
    """Return a pattern of the forms, with each number in a group."""
    numbered: list[str] = []
    for form in forms:
        # Scripts without spaces, and Chinese limits in any, have no word boundary before them.
        start = r"(?<!\d)" if UNSPACED_LETTER.search(form) else r"(?<!\w)"
        numbered.append(start + form.replace("N", r"(\d{1,5})").replace("M", r"(\d{1,5})"))
    return re.compile(rf"(?:{'|'.join(numbered)})(?!\d)", re.IGNORECASE)


_TABLE = read_table(_Table, __file__)
_UNSPACED = [
    (re.compile(_character_class(script.ranges)), script.characters_per_word)
    for script in _TABLE.scripts
]
_ANY_UNSPACED = re.compile(
    _character_class([pair for script in _TABLE.scripts for pair in script.ranges])
)
_COMBINING = re.compile(
    "[\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ecd\u102b-\u103e\u17b4-\u17d3]"
)
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
    if text.isascii() or not _ANY_UNSPACED.search(text):
        return sum(_LETTER.search(word) is not None for word in text.split())
    text = _COMBINING.sub("", text)
    estimated = 0.0
    for characters, per_word in _UNSPACED:
        estimated += len(characters.findall(text)) / per_word
    spaced = re.findall(r"\w+", _ANY_UNSPACED.sub(" ", text))
    return round(estimated) + len(spaced)


def is_estimated(text: str) -> bool:
    """Return whether the words of the text can only be estimated."""
    return _ANY_UNSPACED.search(text) is not None


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


def length_problem(text: str, length: Length) -> str | None:
    """Return what is wrong with the length of a text, None if nothing is."""
    unit = "characters" if length.in_characters else "words"
    count = len("".join(text.split())) if length.in_characters else word_count(text)
    slack = SLACK if is_estimated(text) and not length.in_characters else 1
    if length.at_most is not None and count > length.at_most * slack:
        return f"it has {count} {unit}, the limit is {length.at_most}"
    if count * slack < length.at_least:
        return f"it has {count} {unit}, at least {length.at_least} are asked for"
    return None


def _numbers(name: str, text: str) -> list[int]:
    numbers: list[int] = []
    for match in _LIMITS[name].finditer(text):
        numbers += [int(number) for number in match.groups() if number]
    return numbers
