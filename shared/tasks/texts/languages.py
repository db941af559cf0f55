"""Tells whether a text is in another language than the prompts that it answers.

By script, and by the frequent words of some languages in Latin script (`languages.toml`). Where a
prompt speaks of languages at all, or has a line in the text's language, nothing is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from shared.core.tables import Table, read_table

WORD = re.compile(r"[^\W\d_]{2,}")
LETTER = re.compile(r"[^\W\d_]")
SAMPLE_CHARACTERS = 600  # of a prompt, from its beginning
MIN_LETTERS = 12  # of a text whose script is looked at
SCRIPT_SHARE = 0.7  # of a text's letters: it is in that script
SCRIPT_SHARE_IN_PROMPT = 0.1  # of a prompt's letters: the prompt uses that script too
FIRST_LETTERS = 8  # of a prompt: its instruction
MIN_WORDS = 15  # of a text whose frequent words are counted
WORD_SHARE = 0.25  # of a text's words: it is in that language
MIN_DIFFERENT_WORDS = 4
LINE_WORD_SHARE = 0.2  # of a prompt's line
MIN_LINE_WORDS = 4


class _Table(Table):
    asked_for: str
    scripts: dict[str, str]
    words: dict[str, str]


_TABLE = read_table(_Table, __file__)
_SCRIPTS = {name: re.compile(f"[{ranges}]") for name, ranges in _TABLE.scripts.items()}
_WORDS = {name: frozenset(words.split()) for name, words in _TABLE.words.items()}
_ASKED_FOR = re.compile(_TABLE.asked_for, re.IGNORECASE)


def is_other_language(text: str, prompts: Sequence[str]) -> bool:
    """Return whether the text is in a script or language that no prompt uses or speaks of."""
    script = _script(text)
    samples = [prompt[:SAMPLE_CHARACTERS] for prompt in prompts]
    if script is None or not any(map(_script, samples)):
        return False
    if any(_uses_script(sample, script) for sample in samples):
        language = _language(text) if script == "latin" else None
        if language is None or any(_has_line_in(sample, language) for sample in samples):
            return False
        if not set(map(_language, samples)) - {None, language}:
            return False
    return not any(_ASKED_FOR.search(prompt) for prompt in prompts)


def _script(text: str) -> str | None:
    """Return the script of nearly all letters, None if there is none or the text is short."""
    letters = len(LETTER.findall(text))
    if letters < MIN_LETTERS:
        return None
    for name, script in _SCRIPTS.items():
        if len(script.findall(text)) >= SCRIPT_SHARE * letters:
            return name
    return None


def _uses_script(prompt: str, name: str) -> bool:
    letters = LETTER.findall(prompt)
    script = _SCRIPTS[name]
    if letters and all(map(script.fullmatch, letters[:FIRST_LETTERS])):
        return True
    count = len(script.findall(prompt))
    return count > 0 and count >= SCRIPT_SHARE_IN_PROMPT * len(letters)


def _language(text: str) -> str | None:
    """Return the language whose frequent words the text is full of, if it is only one."""
    words = WORD.findall(text.lower())
    if len(words) < MIN_WORDS:
        return None
    shares = {name: _share(words, name) for name in _WORDS}
    best = max(shares, key=lambda name: shares[name])
    is_varied = len(_WORDS[best].intersection(words)) >= MIN_DIFFERENT_WORDS
    return best if is_varied and shares[best] >= WORD_SHARE else None


def _has_line_in(prompt: str, language: str) -> bool:
    """Return whether a line of the prompt, such as an instruction, is in the language."""
    for line in prompt.splitlines():
        words = WORD.findall(line.lower())
        if len(words) >= MIN_LINE_WORDS and _share(words, language) >= LINE_WORD_SHARE:
            return True
    return False


def _share(words: Sequence[str], language: str) -> float:
    return sum(map(_WORDS[language].__contains__, words)) / len(words)
