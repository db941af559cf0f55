"""Multiple-choice questions: the answer is the letter or number of one of the choices.

The choices are declared by the row, or stand in the last question of its prompt.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from shared.dataset.answer_space import AnswerSpace
from shared.dataset.rejection import Rejection, RejectionReason
from shared.dataset.rows import Row
from shared.tasks.base import Unreadable
from shared.tasks.labels.choice_grammar import find_choices
from shared.tasks.labels.choice_sentences import ChoiceReader, choice_reader
from shared.tasks.labels.declared import declared_values, offered
from shared.tasks.offered_values import OfferedValueTask

if TYPE_CHECKING:
    from shared.tasks.answers_spec import AnswersSpec

REMEDY = "letter them, or declare them in `choices` of the row"
TRUE_WORDS = {"true": ("yes", "true", "1"), "false": ("no", "false", "0")}
NO_REFERENCE = "-1"  # of datasets without answers
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class NluQa(OfferedValueTask):
    name = "nlu_qa"
    min_rows = 65
    invalid = RejectionReason.INVALID_CHOICE
    answer_settings = frozenset({"aliases"})

    def check_question(self, row: Row, declared: AnswersSpec | None) -> Row | Rejection:
        space = _answer_space(row)
        if isinstance(space, str):
            return Rejection(RejectionReason.NO_CHOICES, f"{space}: {REMEDY}", row.id)
        aliases = declared.aliases.items() if declared else ()
        offered_aliases = tuple(pair for pair in aliases if pair[1] in space.values)
        return replace(row, answers=replace(space, aliases=offered_aliases))

    def reader(self, row: Row) -> ChoiceReader:
        return choice_reader(offered(row))

    def reference_value(self, row: Row) -> str | Unreadable | None:
        if row.reference is None or row.reference.strip() == NO_REFERENCE:
            return None
        value = super().reference_value(row)
        return value if isinstance(value, str | None) else _closed(row, row.reference) or value


def _answer_space(row: Row) -> AnswerSpace | str:
    if row.choices is None:
        return find_choices(row.system, row.turns[0]["content"])
    space = declared_values(row.choices, "choices")
    if isinstance(space, str):
        return space
    values = tuple(value.upper() for value in space.values)
    are_letters = all(len(value) == 1 or value.isdigit() for value in values)
    if are_letters and len(set(values)) == len(values):
        return replace(space, values=values)
    if space.texts:
        return "`choices` must have letters or numbers as keys"
    if len(values) > len(LETTERS):
        return f"`choices` has {len(values)} entries: it may have {len(LETTERS)}"
    return AnswerSpace(tuple(LETTERS[: len(values)]), space.values, source="row")


def _closed(row: Row, reference: str) -> str | None:
    """Return the choice that a boolean stands for: 1 and true are yes."""
    space = offered(row)
    for word, others in TRUE_WORDS.items():
        if reference.strip().casefold() in others or reference == word:
            matching = {space.value_of(other) for other in others[:2]} - {None}
            return matching.pop() if len(matching) == 1 else None
    return None
