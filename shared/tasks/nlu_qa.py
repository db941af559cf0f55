"""Multiple-choice questions: the answer is the letter or number of one of the choices.

The choices are declared by the row, or stand in the last question of its prompt.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from shared.dataset.answer_space import AnswerSpace
from shared.dataset.rejection import Rejection, RejectionReason
from shared.dataset.rows import Row
from shared.tasks.labels.choice_grammar import find_choices
from shared.tasks.labels.choice_sentences import ChoiceReader, choice_reader
from shared.tasks.labels.declared import declared_values, offered
from shared.tasks.offered_values import OfferedValueTask

if TYPE_CHECKING:
    from shared.tasks.answers_spec import AnswersSpec

REMEDY = "letter them, or declare them in `choices` of the row"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class NluQa(OfferedValueTask):
    name = "nlu_qa"
    min_rows = 65
    invalid = RejectionReason.INVALID_CHOICE
    answer_settings = frozenset({"aliases"})
    booleans: ClassVar[dict[str, tuple[str, ...]]] = {
        **OfferedValueTask.booleans,
        "1": ("yes", "true"),
        "0": ("no", "false"),
    }

    def check_question(self, row: Row, declared: AnswersSpec | None) -> Row | Rejection:
        space = _answer_space(row)
        if isinstance(space, str):
            return Rejection(RejectionReason.NO_CHOICES, f"{space}: {REMEDY}", row.id)
        aliases = declared.aliases.items() if declared else ()
        offered_aliases = tuple(pair for pair in aliases if pair[1] in space.values)
        return replace(row, answers=replace(space, aliases=offered_aliases))

    def reader(self, row: Row) -> ChoiceReader:
        return choice_reader(offered(row))


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
