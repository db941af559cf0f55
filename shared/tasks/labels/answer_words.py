"""The words by which labels and choices are found, read from `answer_words.toml`."""

from __future__ import annotations

import re

from shared.core.tables import Table, read_table

WITHOUT_SPACES = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


class PromptWords(Table):
    """Words of prompts that name labels."""

    headings: list[str]
    one_of: list[str]
    verbs: list[str]
    fillers: list[str]
    alternatives: list[str]
    conjunctions: list[str]
    hard_qualifiers: list[str]
    soft_qualifiers: list[str]
    no_labels: list[str]
    not_labels: list[str]
    usual_labels: list[str]
    naming: list[str]
    negations: list[str]
    codes: list[str]
    conditions: list[str]
    item_fillers: list[str]
    words_wanted: list[str]
    data: list[str]
    openers: list[str]
    prepositions: list[str]
    copulas: list[str]
    otherwise: list[str]


class ChoiceWords(Table):
    """Words of prompts that offer choices."""

    headings: list[str]
    option: list[str]
    closed: list[list[str]]
    answers: list[str]
    questions: list[str]


class _Words(Table):
    prompt: PromptWords
    choices: ChoiceWords


def any_of(words: list[str]) -> str:
    """Return a pattern of whole words, the longest first, for use without regard to case."""
    ordered = sorted(words, key=len, reverse=True)
    return f"(?:{'|'.join(_whole(word) for word in ordered)})"


def _whole(word: str) -> str:
    """Return the pattern of one entry; scripts without spaces have no word boundaries."""
    pattern = word.replace(" ", r"\s+")
    if WITHOUT_SPACES.search(word):
        return pattern
    return f"{pattern}(?!\\w)" if word.startswith("[") else rf"(?<!\w){pattern}(?!\w)"


WORDS = read_table(_Words, __file__)
