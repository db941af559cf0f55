"""Natural language inference: the answer is one of the labels that the row offers.

They are declared by the row or the run specification, or named by the row's prompt; there are no
labels by default.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from shared.dataset.answer_space import AnswerSpace
from shared.dataset.rejection import Rejection, RejectionReason
from shared.dataset.rows import Row
from shared.tasks.base import Unreadable
from shared.tasks.labels.declared import declared_values, offered
from shared.tasks.labels.label_grammar import PromptLabels, find_labels
from shared.tasks.labels.label_sentences import LabelReader, label_reader
from shared.tasks.offered_values import OfferedValueTask

if TYPE_CHECKING:
    from shared.tasks.answers_spec import AnswersSpec

REMEDY = "declare them in `answers.labels` of the run specification, or in `labels` of the row"
# The numbers of SNLI, MNLI and their relatives, where just these labels are offered.
CLASS_NUMBERS = {"0": "entailment", "1": "neutral", "2": "contradiction"}
NUMBER = re.compile(r"\s*(-?\d{1,3})(?:\.0)?\s*\Z")


class Nli(OfferedValueTask):
    name = "nli"
    min_rows = 65
    invalid = RejectionReason.INVALID_LABEL
    answer_settings = frozenset({"labels", "aliases"})

    def check_question(self, row: Row, declared: AnswersSpec | None) -> Row | Rejection:
        space = _answer_space(row, declared)
        if isinstance(space, str):
            return Rejection(RejectionReason.NO_LABELS, space, row.id)
        return replace(row, answers=space)

    def reader(self, row: Row) -> LabelReader:
        return label_reader(offered(row))

    def reference_value(self, row: Row) -> str | Unreadable | None:
        number = NUMBER.match(row.reference or "")
        is_class = number is not None and self.reader(row).alone(row.reference or "") is None
        label = _label_of_class(offered(row), number[1]) if number and is_class else None
        return label or super().reference_value(row)


def _answer_space(row: Row, declared: AnswersSpec | None) -> AnswerSpace | str:
    """Return the labels of a row, or why they cannot be told."""
    aliases = tuple(declared.aliases.items()) if declared else ()
    if row.labels is not None:
        space = declared_values(row.labels, "labels")
        return space if isinstance(space, str) else replace(space, aliases=aliases)
    if declared and declared.labels:
        return AnswerSpace(tuple(declared.labels), aliases=aliases, source="specification")
    prompt_labels = find_labels(row.system, row.turns[0]["content"])
    if prompt_labels.labels is None:
        return _not_found(prompt_labels)
    labels = prompt_labels.labels
    return AnswerSpace(labels.labels, labels.meanings, (*aliases, *labels.aliases))


def _not_found(prompt_labels: PromptLabels) -> str:
    if not prompt_labels.conflict:
        return f"the prompt names no two labels: {REMEDY}"
    lists = " and ".join(f"({', '.join(entry.labels)})" for entry in prompt_labels.conflict[:3])
    return f"the prompt names different lists of labels, {lists}: {REMEDY}"


def _label_of_class(space: AnswerSpace, number: str) -> str | None:
    if number in space.values:
        return number
    labels = {label.casefold(): label for label in space.values}
    has_numbers = any(spelling.isdigit() for spelling, _ in space.aliases)
    is_usual = labels.keys() == set(CLASS_NUMBERS.values()) and not has_numbers
    return labels.get(CLASS_NUMBERS.get(number, "")) if is_usual else None
