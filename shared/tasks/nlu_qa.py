"""Multiple-choice questions: the answer is the letter of one of the choices that the prompt offers."""

from __future__ import annotations

import re
from functools import lru_cache

from shared.rows import Rejection, Row
from shared.tasks.base import Schema, Unreadable
from shared.tasks.labelled import ShortAnswerTask

# "(A) text", "A) text", "A. text", "A: text", at the beginning of a line
CHOICE_LINE = re.compile(r"^[ \t]*[-*]?[ \t]*(?:\(([A-Z])\)|([A-Z])[).:])[ \t]*(\S[^\n]*?)[ \t]*$", re.MULTILINE)
BARE_LETTER = re.compile(r"\A\W*([A-Za-z])\W*\Z")
LEADING_LETTER = re.compile(r"\A\W*(?:\(([A-Za-z])\)|\b([A-Za-z])[).:,])")
MARKED_LETTER = re.compile(r"\(([A-Z])\)|\b([B-H])\b|\b(A)(?=[).:,]|\s*\Z|\s+(?:or|and)\b)")


class NluQa(ShortAnswerTask):
    name = "nlu_qa"
    min_rows = 65

    def check_question(self, row: Row) -> Row | Rejection:
        if len(row_choices(row)) < 2:
            return Rejection("no_choices", "the user message offers no lettered choices, e.g. lines like (A) …", row.id)
        return row

    def answer_schema(self, row: Row) -> Schema:
        return {"type": "string", "enum": list(row_choices(row))}

    def value(self, row: Row, text: str) -> str | Unreadable:
        choices = row_choices(row)
        for pattern in (BARE_LETTER, LEADING_LETTER):
            if match := pattern.match(text):
                letter = next(group for group in match.groups() if group).upper()
                if letter in choices:
                    return letter
        letter = _by_text(choices, text)
        if letter:
            return letter
        found = {next(group for group in match.groups() if group) for match in MARKED_LETTER.finditer(text)}
        named = found & choices.keys()
        if len(named) == 1 and len(found) == 1:
            return named.pop()
        what = "several choices" if len(found) > 1 else "none of the choices"
        return Unreadable("invalid_choice", f"the reply names {what}; it must be one of: {', '.join(choices)}")


def row_choices(row: Row) -> dict[str, str]:
    """Letter to text of the choices offered."""
    return _choices(row.turns[0]["content"])


@lru_cache(maxsize=256)
def _choices(question: str) -> dict[str, str]:
    return {first or second: text for first, second, text in CHOICE_LINE.findall(question)}


def _by_text(choices: dict[str, str], reply: str) -> str | None:
    """The choice whose text the reply repeats, alone."""
    said = reply.strip(" \t\n.\"'").casefold()
    same = [letter for letter, text in choices.items() if text.strip(" .").casefold() == said]
    return same[0] if len(same) == 1 else None
