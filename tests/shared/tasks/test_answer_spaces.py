"""Which labels and choices a row offers: declared before found, and references read by them."""

from __future__ import annotations

from typing import Any

import pytest

from shared.dataset.rejection import Rejection
from shared.dataset.rows import Row
from shared.tasks import TASKS, Unreadable
from shared.tasks.answers_spec import AnswersSpec

PAIR = "Premise: The kettle is full.\nHypothesis: The kettle is empty."
CHOICES = "Which tool digs?\n(A) hammer\n(B) spoon\n(C) rake"
USUAL = "Answer with 'entailment', 'neutral' or 'contradiction'.\n\n"


def row(text: str, **fields: Any) -> Row:
    return Row(({"role": "user", "content": text},), "row-9", **fields)


def checked(task: str, text: str, declared: AnswersSpec | None = None, **fields: Any) -> Row:
    taken = TASKS[task].check(row(text, **fields), declared)
    assert isinstance(taken, Row), taken
    return taken


def rejection(task: str, text: str, **fields: Any) -> Rejection:
    taken = TASKS[task].check(row(text, **fields))
    assert isinstance(taken, Rejection), taken
    return taken


def values(taken: Row) -> tuple[str, ...]:
    assert taken.answers is not None
    return taken.answers.values


def test_the_rows_labels_go_before_the_specifications_and_those_before_the_prompts() -> None:
    prompt = f"Answer with yes or no.\n\n{PAIR}"
    declared = AnswersSpec(labels=["true", "false"])
    assert values(checked("nli", prompt)) == ("yes", "no")
    assert values(checked("nli", prompt, declared)) == ("true", "false")
    assert values(checked("nli", prompt, declared, labels=["so", "not so"])) == ("so", "not so")


def test_without_labels_a_row_is_rejected_with_the_remedy() -> None:
    rejected = rejection("nli", PAIR)
    assert (rejected.reason, rejected.id) == ("no_labels", "row-9")
    assert "answers.labels" in rejected.detail
    assert "answers.labels" in rejected.reason.fix.text


def test_a_rejection_for_lists_that_differ_quotes_them() -> None:
    rejected = rejection("nli", f"Answer with yes or no. Labels: true, false\n\n{PAIR}")
    assert "(true, false)" in rejected.detail
    assert "(yes, no)" in rejected.detail


@pytest.mark.parametrize("field", ["yes", 3, ["yes"], ["yes", "Yes."], ["yes", None], [], {"a": 1}])
def test_declared_labels_that_cannot_be_told_apart_are_refused(field: object) -> None:
    rejected = rejection("nli", f"Answer with yes or no.\n\n{PAIR}", labels=field)
    assert rejected.reason == "no_labels"
    assert "`labels`" in rejected.detail


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (["hammer", "rake"], {"A": "hammer", "B": "rake"}),
        ({"a": "hammer", "b": "rake"}, {"A": "hammer", "B": "rake"}),
        ({"1": "hammer", "2": "rake"}, {"1": "hammer", "2": "rake"}),
        (["A", "B", "C", "D"], {}),
        ([7, 8], {}),
    ],
)
def test_declared_choices_are_lettered_as_they_are_given(
    field: object, expected: dict[str, str]
) -> None:
    taken = checked("nlu_qa", "Which tool digs?", choices=field)
    assert taken.answers is not None
    assert taken.answers.meanings == expected
    assert taken.answers.source == "row"


def test_choices_without_letters_are_rejected_with_the_remedy() -> None:
    rejected = rejection("nlu_qa", "Which tool digs?", choices={"first": "hammer", "x": "rake"})
    assert rejected.reason == "no_choices"
    assert "`choices`" in rejection("nlu_qa", "Which tool digs?").detail


ALIASES = AnswersSpec(labels=["same", "other"], aliases={"0": "same", "differs": "other"})


@pytest.mark.parametrize(
    ("task", "text", "reference", "declared", "expected"),
    [
        ("nli", USUAL + PAIR, "2", None, "contradiction"),
        ("nli", USUAL + PAIR, "0.0", None, "entailment"),
        ("nli", USUAL + PAIR, "-1", None, None),
        ("nli", USUAL + PAIR, "3", None, "unreadable"),
        ("nli", f"Answer with yes or no.\n{PAIR}", "0", None, "unreadable"),
        ("nli", f"Use 0 for same, 1 for other.\n{PAIR}", "other", None, "1"),
        ("nli", PAIR, "0", ALIASES, "same"),
        ("nli", PAIR, "Differs", ALIASES, "other"),
        ("nli", PAIR, "1", ALIASES, "unreadable"),
        ("nli", USUAL + PAIR, "2", AnswersSpec(aliases={"0": "contradiction"}), "unreadable"),
        ("nli", USUAL + PAIR, "  ", None, None),
        ("nli", f"Use 0 for same, 1 for other.\n{PAIR}", "1.0", None, "1"),
        ("nli", f"Answer yes, no or maybe.\n{PAIR}", "true", None, "yes"),
        ("nli", f"Answer true or false.\n{PAIR}", "Yes", None, "true"),
        ("nli", USUAL + PAIR, "-1.0", None, None),
        ("nli", f"Answer yes, no or maybe.\n{PAIR}", "1", None, "unreadable"),
        ("nlu_qa", "Is it late? Answer yes or no.", "1", None, "Yes"),
        ("nlu_qa", CHOICES, "", None, None),
        ("nlu_qa", CHOICES, "rake", None, "C"),
        ("nlu_qa", CHOICES, "c", None, "C"),
        ("nlu_qa", CHOICES, "2", None, "unreadable"),
        ("nlu_qa", CHOICES, "2", AnswersSpec(aliases={"2": "C"}), "C"),
        ("nlu_qa", "Which?\n1) hammer\n2) rake", "2", None, "2"),
        ("nlu_qa", "How many?\n(A) 3\n(B) 4", "4", None, "B"),
        ("nlu_qa", "Is it late? Answer yes or no.", "true", None, "Yes"),
        ("nlu_qa", "Is it late? Answer true or false.", "false", None, "False"),
        ("nlu_qa", CHOICES, "true", None, "unreadable"),
        ("nlu_qa", CHOICES, "-1", None, None),
    ],
)
def test_references_are_read_by_the_space_or_not_at_all(
    task: str, text: str, reference: str, declared: AnswersSpec | None, expected: str | None
) -> None:
    taken = checked(task, text, declared, reference=reference)
    value = TASKS[task].reference_value(taken)
    assert ("unreadable" if isinstance(value, Unreadable) else value) == expected
