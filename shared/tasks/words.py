"""Lists of words in TOML files beside modules, and patterns of them."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import RootModel

from shared.core.tables import read_table

UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


class WordLists(RootModel[dict[str, list[str]]]):
    """Lists of words by name. A word is a regular expression; its spaces match any white space."""

    def __getitem__(self, name: str) -> list[str]:
        return self.root[name]

    def any_of(self, *names: str) -> str:
        """Return a pattern of the whole words in these lists, the longest first."""
        return any_of([word for name in names for word in self.root[name]])


def word_lists(file: str | Path) -> WordLists:
    """Return the lists in the TOML file beside the module of this name."""
    return read_table(WordLists, file)


def any_of(words: list[str]) -> str:
    """Return a pattern of whole words, the longest first."""
    longest_first = sorted(set(words), key=lambda word: (-len(word), word))
    return f"(?:{'|'.join(map(_whole, longest_first))})"


def _whole(word: str) -> str:
    """Return a word's pattern. Scripts without spaces have no word boundaries."""
    pattern = word.replace(" ", r"\s+")
    if UNSPACED.search(word):
        return pattern
    begins_word = "" if word.startswith("[") else r"(?<!\w)"
    return rf"{begins_word}{pattern}(?!\w)"
