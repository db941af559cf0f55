"""Lists of words in TOML files beside modules, and patterns of them."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import RootModel

from shared.core.tables import read_table

PLAIN_BEGINNING = re.compile(r"\w(?![?*+{])")
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
    patterns = [word.replace(" ", r"\s+") for word in longest_first]
    unspaced = [pattern for pattern in patterns if UNSPACED.search(pattern)]
    endings = [rf"{pattern}(?!\w)" for pattern in patterns if pattern.startswith("[")]
    spaced = [
        pattern
        for pattern in patterns
        if not UNSPACED.search(pattern) and not pattern.startswith("[")
    ]
    # Where no word begins, one look says so, and elsewhere few words begin with the same letter.
    whole = [rf"(?<!\w)(?:{_by_first_letter(spaced)})(?!\w)"] if spaced else []
    return f"(?:{'|'.join([*endings, *whole, *unspaced])})"


def _by_first_letter(patterns: list[str]) -> str:
    """Return the alternatives, with one alternative for all that begin with the same letter."""
    rests: dict[str, list[str]] = {}
    others: list[str] = []
    for pattern in patterns:
        if PLAIN_BEGINNING.match(pattern):
            rests.setdefault(pattern[0].lower(), []).append(pattern[1:])
        else:
            others.append(pattern)
    groups = [f"{letter}(?:{'|'.join(rest)})" for letter, rest in rests.items()]
    return "|".join([*others, *groups])
