"""Multiple-choice questions: the answer is the letter of one of the choices that the prompt offers."""

from __future__ import annotations

import re
from functools import lru_cache

from shared.dataset.rejection import Rejection, RejectionReason
from shared.dataset.rows import Row
from shared.tasks.base import Schema, Unreadable
from shared.tasks.parsing import SENTENCE_END, is_doubtful, is_question, undressed
from shared.tasks.short_answers import Hedged, ShortAnswerTask

# "(A) text", "A) text", "A. text", "A: text", at the beginning of a line
CHOICE_LINE = re.compile(
    r"^[ \t]*[-*]?[ \t]*(?:\(([A-Z])\)|([A-Z])[).:])[ \t]*(\S[^\n]*?)[ \t]*$", re.MULTILINE
)
BARE_LETTER = re.compile(r"\A[\W_]*([A-Za-z])[\W_]*\Z")
# "(b)", "b)", "B. text", "B - text", "B because …"; not "e.g. …", and not the article of "A fish …"
LEADING_LETTER = re.compile(
    r"\A[\W_]*(?:\(([A-Za-z])\)|([A-Za-z])(?:[).:,](?![\w.])|(?=\s+[-–—]\s))|([A-Z])(?=\s+(?:because|since|as|due)\b))"
)
MARKED_LETTER = re.compile(
    r"\(([A-Z])\)|\b(?i:option|choice|answer|letter)(?:[ \t]+is)?[ \t:]{1,3}([A-Z])\b(?!['’])"
    r"|\b([B-HJ-Z])\)|\b([A-Z])[ \t]+is[ \t]+(?:the[ \t]+)?(?:correct|right|best|answer)\b"
)
NEXT_LETTER = re.compile(r"\A[\W_]*(?:(?:or|and)\b[\W_]*)?([A-Z])(?![\w'’])")
DOUBT_REACH = 40  # characters behind a leading letter


class NluQa(ShortAnswerTask):
    name = "nlu_qa"
    min_rows = 65

    def check_question(self, row: Row) -> Row | Rejection:
        if len(row_choices(row)) < 2:
            return Rejection(
                RejectionReason.NO_CHOICES,
                "the user message offers no lettered choices, e.g. lines like (A) …",
                row.id,
            )
        return row

    def answer_schema(self, row: Row) -> Schema:
        return {"type": "string", "enum": list(row_choices(row))}

    def value(self, row: Row, text: str) -> str | Unreadable:
        choices = row_choices(row)
        if is_question(text):
            return _problem(choices, "a choice with doubt")
        alone = self.alone(row, text)
        if alone is not None:
            return alone
        if led := _led(choices, text):
            letter, rest = led
            return (
                _problem(choices, "several choices")
                if _names_another(choices, letter, rest)
                else letter
            )
        found = {_letter(match) for match in MARKED_LETTER.finditer(text)}
        if len(found) == 1 and found <= choices.keys():
            return _problem(choices, "a choice with doubt") if is_doubtful(text) else found.pop()
        return _problem(choices, "several choices" if len(found) > 1 else None)

    def alone(self, row: Row, line: str) -> str | None:
        choices = row_choices(row)
        if is_question(line):
            return None
        bare = BARE_LETTER.match(line)
        if bare and bare[1].upper() in choices:
            return bare[1].upper()
        led = _led(choices, line) or _led(
            choices, line.lstrip().replace(" ", ") ", 1)
        )  # "C the text" as "C) the text"
        return (
            led[0] if led and _plain(led[1]) == _plain(choices[led[0]]) else _by_text(choices, line)
        )


def row_choices(row: Row) -> dict[str, str]:
    """Letter to text of the choices offered."""
    return _choices(row.turns[0]["content"])


@lru_cache(maxsize=256)
def _choices(question: str) -> dict[str, str]:
    return {first or second: text for first, second, text in CHOICE_LINE.findall(question)}


def _problem(choices: dict[str, str], named: str | None) -> Unreadable:
    """`named` is what the reply names instead of one choice, None for nothing."""
    kind = Hedged if named else Unreadable
    what = named or "none of the choices"
    return kind(
        RejectionReason.INVALID_CHOICE,
        f"the reply names {what}; it must be one of: {', '.join(choices)}",
    )


def _led(choices: dict[str, str], text: str) -> tuple[str, str] | None:
    """The choice whose letter the text begins with, and the text behind it."""
    match = LEADING_LETTER.match(text)
    letter = _letter(match) if match else ""
    return (letter, text[match.end() :]) if match and letter in choices else None


def _letter(match: re.Match[str]) -> str:
    return next(group for group in match.groups() if group).upper()


def _names_another(choices: dict[str, str], letter: str, rest: str) -> bool:
    """Whether what stands behind a letter takes it back: another letter, another choice's text, doubt."""
    own = re.match(r"[\W_]*" + re.escape(choices[letter]), rest, re.IGNORECASE)
    rest = rest[own.end() :] if own else rest
    after = NEXT_LETTER.match(rest)
    letters = {_letter(match) for match in MARKED_LETTER.finditer(rest)} | (
        {after[1]} if after else set[str]()
    )
    first = SENTENCE_END.split(f"{rest} ", maxsplit=1)[0][:DOUBT_REACH]
    return (
        bool(letters & choices.keys() - {letter})
        or is_doubtful(first)
        or _by_text(choices, first) not in (None, letter)
    )


def _by_text(choices: dict[str, str], reply: str) -> str | None:
    """The choice whose text the reply repeats, alone."""
    said = _plain(reply)
    same = [letter for letter, text in choices.items() if _plain(text) == said]
    return same[0] if len(same) == 1 else None


def _plain(text: str) -> str:
    """A choice's text, however it is quoted or emphasised."""
    return re.sub(r"\s+", " ", undressed(text)).strip(" .,;:!\"'“”‘’").casefold()
