"""Finds a text that a model repeats again and again."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

WORD = re.compile(r"[㐀-鿿぀-ヿ฀-๿]|[^\W㐀-鿿぀-ヿ฀-๿]+")
MAX_PHRASES = 30  # the most frequent three words in a row: a loop is among them


def is_loop(text: str, repeats: Sequence[tuple[int, int]]) -> bool:
    """Return whether a phrase is repeated, without a word between, as often as `repeats` says.

    `repeats` are pairs of a number of words and the least repeats of a phrase of at most so many.
    """
    words = WORD.findall(text.lower())
    places: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for place, phrase in enumerate(zip(words, words[1:], words[2:], strict=False)):
        places[phrase].append(place)
    frequent = sorted(places.values(), key=len)[-MAX_PHRASES:]
    return any(_is_repeated(words, numbers, repeats) for numbers in frequent)


def _is_repeated(
    words: Sequence[str], places: Sequence[int], repeats: Sequence[tuple[int, int]]
) -> bool:
    """Return whether the words from one place to the next follow each other often enough."""
    for place, following in pairwise(places):
        phrase = words[place:following]
        times = next(times for length, times in repeats if len(phrase) <= length)
        if words[place : place + len(phrase) * times] == list(phrase) * times:
            return True
    return False
