"""Tells the lines of an answer from those around it: introductions, afterwords, invented turns."""

from __future__ import annotations

import re

from shared.tasks.replies.sentences import any_of, is_correction

INTRODUCTION = re.compile(rf"\W*{any_of('introductions')}", re.IGNORECASE)
AFTERWORD = re.compile(rf"\W*{any_of('afterwords')}", re.IGNORECASE)
NEXT_TURN = re.compile(
    rf"(?:\n[ \t]*(?:###[ \t]+)?{any_of('next_turns')}"
    r"|(?<=[\w.!*}])[ \t]+(?:question|user|human))[ \t]*(?:\d{1,3})?[ \t]*[:：]",
    re.IGNORECASE,
)
REASONING_HEADING = re.compile(
    rf"\A[\s*_#>\"'-]*{any_of('reasoning_headings')}[*_\"' ]{{0,4}}"
    r"(?:[:：][*_]{0,3}(?:[ ]*[|>]-?(?=\n))?|(?=\n))\s*",
    re.IGNORECASE,
)


def before_next_turn(text: str) -> str:
    """Return the text up to a line that begins another example or the user's turn.

    A text that begins with such a line repeats its question, and is returned whole.
    """
    if NEXT_TURN.match(f"\n{text}"):
        return text
    turn = NEXT_TURN.search(text)
    return text[: turn.start()] if turn else text


def framed_lines(text: str) -> list[str]:
    """Return the lines that aren't blank, without an introduction ("Sure!") and an afterword."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    start = 0
    while start < len(lines) - 1 and INTRODUCTION.match(lines[start]):
        start += 1
    for end in range(start + 1, len(lines)):
        if AFTERWORD.match(lines[end]):
            return lines[start:end]
    return lines[start:]


def is_afterword(sentence: str) -> bool:
    """Return whether the sentence is one like "Let me know if …", which takes nothing back."""
    is_framing = AFTERWORD.match(sentence) or not any(map(str.isalnum, sentence))
    return bool(is_framing) and not is_correction(sentence)


def without_reasoning_heading(text: str) -> str:
    """Return a reasoning without a heading such as "Reasoning:"."""
    return REASONING_HEADING.sub("", text).strip()
