"""Finds a turn of the user, or the next example, that a model added to its answer.

A role at the beginning of a line is one only behind an answer. Dialogues, lists of keys and values,
code, and texts that were asked for with such lines stay.
"""

from __future__ import annotations

import re

from shared.core.tables import Table, read_table
from shared.tasks.replies.code_spans import without_code

MIN_WORDS = 3  # of what the invented user says, unless it is a question or gets an answer
KEY_AND_VALUE = re.compile(r"\W*\w[\w /()-]{0,40}[*_]{0,3}[:：]")


class _Table(Table):
    user: list[str]
    assistant: list[str]
    definite: list[str]
    examples: list[str]
    asked_for: str


_TABLE = read_table(_Table, __file__)


def _head(names: list[str], ending: str) -> re.Pattern[str]:
    """Return a pattern of a line that begins with one of the names."""
    escaped = "|".join(re.escape(name) for name in names)
    return re.compile(
        rf"(?:\*\*|__|\[)?(?P<name>{escaped})(?:\*\*|__|\])?{ending}(?P<rest>.*)", re.IGNORECASE
    )


_COLON = r" ?[:：](?:\*\*|__)?\s*"
_USER = _head(_TABLE.user, _COLON)
_ASSISTANT = _head(_TABLE.assistant, _COLON)
_DEFINITE = _head(_TABLE.definite, r"(?: ?[:：])?\s*(?=$)")
_EXAMPLE = _head(_TABLE.examples, _COLON)
# On one line, both roles must be there.
_INLINE_USER = re.compile(r"[.!?] (User|Human): (?=\w)")
_INLINE_ASSISTANT = re.compile(r"[.!?\w] (?:Assistant|AI): (?=\w)")
_ASKED_FOR = re.compile(_TABLE.asked_for, re.IGNORECASE)


def invented_turn(text: str, question: str, is_summary: bool) -> str | None:
    """Return the head of the invented turn in a text, None if there is none."""
    if ":" not in text and "：" not in text and "#" not in text:
        return None
    lines = [line.strip() for line in without_code(text).splitlines() if line.strip()]
    if not lines or _ASKED_FOR.search(question) or _is_role(lines[0]):
        return None
    inline = _INLINE_USER.search(text)
    if inline and _INLINE_ASSISTANT.search(text, inline.end()):
        return f"{inline[1]}:"
    for number in range(1, len(lines)):
        definite = _DEFINITE.match(lines[number])
        if definite:
            return definite["name"]
        if _is_user_turn(lines, number):
            return lines[number].split()[0]
        example = _EXAMPLE.match(lines[number]) if is_summary else None
        if example and len(example["rest"].split()) >= MIN_WORDS:
            return example["name"]
    return None


def _is_role(line: str) -> bool:
    return any(role.match(line) for role in (_USER, _ASSISTANT, _DEFINITE))


def _is_user_turn(lines: list[str], number: int) -> bool:
    """Return whether the user goes on in this line, rather than that a list names the user."""
    turn = _USER.match(lines[number])
    if turn is None or KEY_AND_VALUE.match(lines[number - 1]):
        return False
    following = lines[number + 1 : number + 4]
    if any(_ASSISTANT.match(line) for line in following):
        return True
    if following and KEY_AND_VALUE.match(following[0]):
        return False
    rest = turn["rest"]
    return len(rest.split()) >= MIN_WORDS or rest.rstrip().endswith(("?", "？"))
