"""Multiple-choice questions: the answer is the letter of one of the choices in the prompt."""

from __future__ import annotations

import re
from functools import lru_cache

from shared.dataset.rejection import Rejection, RejectionReason
from shared.dataset.rows import Row
from shared.tasks.answer_marks import SENTENCE_END, is_doubtful, is_question, undressed
from shared.tasks.base import Schema, Unreadable
from shared.tasks.short_answers import Hedged, ShortAnswerTask

Choices = dict[str, str]  # letter to text

# "(A) text", "A) text", "A. text", "A: text", at the beginning of a line.
CHOICE_LINE = re.compile(
    r"^[ \t]*[-*]?[ \t]*(?:\(([A-Z])\)|([A-Z])[).:])[ \t]*(\S[^\n]*?)[ \t]*$", re.MULTILINE
)
BARE_LETTER = re.compile(r"\A[\W_]*([A-Za-z])[\W_]*\Z")
# "(b)", "b)", "B. text", "B - text", "B because …"; not "e.g. …", not the article of "A fish …".
LEADING_LETTER = re.compile(
    r"\A[\W_]*(?:\(([A-Za-z])\)|([A-Za-z])(?:[).:,](?![\w.])|(?=\s+[-–—]\s))"
    r"|([A-Z])(?=\s+(?:because|since|as|due)\b))"
)
MARKED_LETTER = re.compile(
    r"\(([A-Z])\)"
    r"|\b(?i:option|choice|answer|letter)(?:[ \t]+is)?[ \t:]{1,3}([A-Z])\b(?!['’])"
    r"|\b([B-HJ-Z])\)|\b([A-Z])[ \t]+is[ \t]+(?:the[ \t]+)?(?:correct|right|best|answer)\b"
)
NEXT_LETTER = re.compile(r"\A[\W_]*(?:(?:or|and)\b[\W_]*)?([A-Z])(?![\w'’])")
DOUBT_REACH = 40  # characters behind a leading letter


class NluQa(ShortAnswerTask):
    name = "nlu_qa"
    min_rows = 65

    def check_question(self, row: Row) -> Row | Rejection:
        if len(row_choices(row)) < 2:
            detail = "the user message offers no lettered choices, e.g. lines like (A) …"
            return Rejection(RejectionReason.NO_CHOICES, detail, row.id)
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
        letter, rest = _leading_letter(choices, text)
        if letter:
            is_contradicted = _names_another(choices, letter, rest)
            return _problem(choices, "several choices") if is_contradicted else letter
        return _marked_choice(choices, text)

    def alone(self, row: Row, line: str) -> str | None:
        if is_question(line):
            return None
        choices = row_choices(row)
        bare = BARE_LETTER.match(line)
        if bare and bare[1].upper() in choices:
            return bare[1].upper()
        letter, rest = _leading_letter(choices, line)
        if not letter:  # "C the text" as "C) the text"
            letter, rest = _leading_letter(choices, line.lstrip().replace(" ", ") ", 1))
        if letter and _plain(rest) == _plain(choices[letter]):
            return letter
        return _letter_of_text(choices, line)


def row_choices(row: Row) -> Choices:
    """Return the choices that the row offers."""
    return _choices(row.turns[0]["content"])


@lru_cache(maxsize=256)
def _choices(question: str) -> Choices:
    lines = CHOICE_LINE.findall(question)
    return {bracketed or bare: text for bracketed, bare, text in lines}


def _problem(choices: Choices, named: str | None) -> Unreadable:
    """Complain that the reply names `named`, or nothing at all, instead of one choice."""
    kind = Hedged if named else Unreadable
    detail = (
        f"the reply names {named or 'none of the choices'}; it must be one of: {', '.join(choices)}"
    )
    return kind(RejectionReason.INVALID_CHOICE, detail)


def _leading_letter(choices: Choices, text: str) -> tuple[str, str]:
    """Return the choice whose letter the text begins with, or "", and the text behind it."""
    match = LEADING_LETTER.match(text)
    letter = _letter(match) if match else ""
    if match is None or letter not in choices:
        return "", text
    return letter, text[match.end() :]


def _marked_choice(choices: Choices, text: str) -> str | Unreadable:
    letters = {_letter(match) for match in MARKED_LETTER.finditer(text)}
    if len(letters) > 1:
        return _problem(choices, "several choices")
    if not letters <= choices.keys() or not letters:
        return _problem(choices, None)
    return _problem(choices, "a choice with doubt") if is_doubtful(text) else letters.pop()


def _letter(match: re.Match[str]) -> str:
    return next(group for group in match.groups() if group).upper()


def _names_another(choices: Choices, letter: str, rest: str) -> bool:
    """Return whether the text behind a letter takes it back.

    It does so by naming another letter or another choice's text, or by doubting.
    """
    own_text = re.match(r"[\W_]*" + re.escape(choices[letter]), rest, re.IGNORECASE)
    if own_text:
        rest = rest[own_text.end() :]
    letters = {_letter(match) for match in MARKED_LETTER.finditer(rest)}
    next_letter = NEXT_LETTER.match(rest)
    if next_letter:
        letters.add(next_letter[1])
    if letters & choices.keys() - {letter}:
        return True
    first_sentence = SENTENCE_END.split(f"{rest} ", maxsplit=1)[0][:DOUBT_REACH]
    if is_doubtful(first_sentence):
        return True
    return _letter_of_text(choices, first_sentence) not in (None, letter)


def _letter_of_text(choices: Choices, reply: str) -> str | None:
    """Return the choice whose text the reply repeats and nothing else."""
    text = _plain(reply)
    letters = [letter for letter, choice in choices.items() if _plain(choice) == text]
    return letters[0] if len(letters) == 1 else None


def _plain(text: str) -> str:
    """Return a choice's text without quotation marks and emphasis."""
    return re.sub(r"\s+", " ", undressed(text)).strip(" .,;:!\"'“”‘’").casefold()
