"""Tells the instruction in a prompt from the data in it: texts to compare, passages, examples."""

from __future__ import annotations

import re
from functools import lru_cache

from shared.tasks.answer_words import WORDS, any_of

W = WORDS.prompt
FLAGS = re.IGNORECASE
MAX_PART = 20_000  # characters at either end of a prompt that are read
NUMBER = r"(?:\s*(?:\d{1,2}|[A-Da-d]|one|two))?"
# "Premise:", "**Text A**:", "[C00] Premise:"
DATA = re.compile(rf"[\"'“(\[<*_]*{any_of(W.data)}{NUMBER}[\"'”)\]>*_]*\s*[:：=]", FLAGS)
# "<premise>…</premise>", fences, and texts in triple quotes
ENCLOSED = re.compile(
    rf"<({any_of(W.data)}{NUMBER})>.*?</\1>|```.*?```|\"\"\".*?\"\"\"", FLAGS | re.DOTALL
)
LONG_QUOTE = re.compile(r"\"[^\"\n]{60,}\"|“[^”\n]{60,}”|«[^»\n]{60,}»")
OPENER = re.compile(
    rf"[\W_]*(?:{any_of(W.verbs)}|{any_of(W.one_of)}|{any_of(W.headings)}\s*[:：(]"
    rf"|{any_of(W.openers)})",
    FLAGS,
)


@lru_cache(maxsize=256)
def instructions(text: str) -> tuple[str, str]:
    """Return the instruction before the data of a prompt, and the one behind them."""
    if len(text) > 2 * MAX_PART:
        text = f"{text[:MAX_PART]}\n{text[-MAX_PART:]}"
    text = LONG_QUOTE.sub(" ", ENCLOSED.sub("\n", text))
    markers = list(DATA.finditer(text))
    if not markers:
        return text, ""
    _, *lines = text[markers[-1].start() :].split("\n")
    for number, line in enumerate(lines):
        if OPENER.match(line):
            return text[: markers[0].start()], "\n".join(lines[number:])
    return text[: markers[0].start()], ""
