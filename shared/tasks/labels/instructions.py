"""Tells the instruction in a prompt from the data in it: texts to compare, passages, examples."""

from __future__ import annotations

import re
from functools import lru_cache

from shared.tasks.labels.label_lists import FLAGS, any_of, list_in_sentence

MAX_PART = 10_000  # characters at either end of a prompt that are read
NUMBER = r"(?:\s*(?:\d{1,2}|[A-Da-d]|one|two))?"
# "Premise:", "**Text A**:", "[C00] Premise:"
DATA = re.compile(rf"[\"'“(\[<*_]*{any_of('data')}{NUMBER}[\"'”)\]>*_]*\s*[:：=]", FLAGS)
COLON = re.compile("[:：=]")
MAX_MARKER = 40  # characters
OPENING_TAG = re.compile(rf"<({any_of('data')}{NUMBER})>", FLAGS)
FENCES = ("```", '"""')
# An output form in a fence, with alternatives: {"label": "yes|no"}
FORM = re.compile(r"[{:]\s*\"[^\"\n]+\"?\s*\|\s*\"?\w")
LONG_QUOTE = re.compile(r"\"[^\"\n]{60,}\"|“[^”\n]{60,}”|«[^»\n]{60,}»")
OPENER = re.compile(
    rf"[\W_]*(?:{any_of('verbs')}|{any_of('one_of')}|{any_of('headings')}\s*[:：(]"
    rf"|{any_of('openers')})",
    FLAGS,
)


@lru_cache(maxsize=256)
def instructions(text: str) -> tuple[str, str]:
    """Return the instruction before the data of a prompt, and the one behind them."""
    if len(text) > 2 * MAX_PART:
        text = f"{text[:MAX_PART]}\n{text[-MAX_PART:]}"
    text = LONG_QUOTE.sub(" ", _without_enclosed(text))
    starts = _data_starts(text)
    if not starts:
        return text, ""
    _, *lines = text[starts[-1] :].split("\n")
    for number, line in enumerate(lines):
        if OPENER.match(line):
            return text[: starts[0]], "\n".join(lines[number:])
    return text[: starts[0]], ""


def _data_starts(text: str) -> list[int]:
    """Return where the words before data stand: looked for before colons, which are few."""
    starts: list[int] = []
    for colon in COLON.finditer(text):
        markers = DATA.finditer(text, max(0, colon.start() - MAX_MARKER), colon.end())
        starts += [marker.start() for marker in markers if marker.end() == colon.end()]
    return [start for start in starts if not _is_in_sentence(text, start)]


def _is_in_sentence(text: str, start: int) -> bool:
    """Return whether a marker ends a sentence that lists labels: "label text 1 and text 2: …"."""
    is_word = text[start].islower() and text[max(0, start - 2) : start].strip(" ").islower()
    colon = COLON.search(text, start) if is_word else None
    return (
        colon is not None
        and list_in_sentence(text[colon.end() :].lstrip(), is_strong=True) is not None
    )


def _without_enclosed(text: str) -> str:
    """Return the text without what stands in fences, triple quotes and tags such as <premise>."""
    for fence in FENCES:
        parts = text.split(fence)
        if len(parts) % 2:  # each has its end
            forms = (part for part in parts[1::2] if FORM.search(part))
            text = "\n".join([*parts[::2], *forms])
    tag = OPENING_TAG.search(text)
    while tag:
        end = text.lower().find(f"</{tag[1].lower()}>", tag.end())
        if end < 0:
            break
        text = f"{text[: tag.start()]}\n{text[end + len(tag[0]) + 1 :]}"
        tag = OPENING_TAG.search(text, tag.start())
    return text
