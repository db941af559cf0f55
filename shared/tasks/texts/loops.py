"""Finds a text that a model repeats again and again."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise

WORD = re.compile(r"[㐀-鿿぀-ヿ฀-๿]|[^\W㐀-鿿぀-ヿ฀-๿]+")
MAX_PHRASES = 30  # the most frequent three words in a row: a loop is among them


def is_loop(text: str, repeats: Sequence[tuple[int, int]]) -> bool:
    """Return whether a phrase is repeated, without a word between, as often as `repeats` says.

    `repeats` are pairs of a number of words and the least repeats of a phrase of at most so many.
    """
    words = WORD.findall(text.lower())
    least = min(times for _, times in repeats)
    phrases = list(zip(words, words[1:], words[2:], strict=False))
    frequent = {
        phrase for phrase, count in Counter(phrases).most_common(MAX_PHRASES) if count >= least - 1
    }
    if not frequent:
        return False
    places: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for place, phrase in enumerate(phrases):
        if phrase in frequent:
            places[phrase].append(place)
    return any(_is_repeated(words, numbers, repeats) for numbers in places.values())


def _is_repeated(
    words: Sequence[str], places: Sequence[int], repeats: Sequence[tuple[int, int]]
) -> bool:
    """Return whether the words between one place and the next are the same, often enough."""
    times = 1
    period = 0
    for place, following in pairwise(places):
        is_same = following - place == period and (
            words[place:following] == words[place - period : place]
        )
        times = times + 1 if is_same else 2
        period = following - place
        is_complete = words[following : following + period] == words[place:following]
        if times - (not is_complete) >= _least(period, repeats):
            return True
    return False


def _least(period: int, repeats: Sequence[tuple[int, int]]) -> int:
    return next(times for words, times in repeats if period <= words)
