"""References of the same question differ only where they are different answers."""

from __future__ import annotations

from typing import Any

import pytest

from shared.dataset.rows import Row, as_jsonl, parse_row
from shared.scan.references import NO_REFERENCE, PACKED_BYTES, References, shown
from shared.spec.parse import parse_spec
from shared.tasks import TASKS
from tests.shared.conftest import question

LABELS = "Answer with 'entailment', 'neutral' or 'contradiction'."
CHOICES = "Which?\n(A) red\n(B) blue\n(C) green"


def references_of(task: str, **sections: Any) -> References:
    return References(parse_spec({"task": task, "train": f"datasets/{task}/x.jsonl", **sections}))


def row_of(task: str, content: str, answer: object) -> Row:
    parsed = parse_row(as_jsonl([question(content, answer=answer)]))
    assert isinstance(parsed, Row)
    row = TASKS[task].check(parsed)
    assert isinstance(row, Row)
    return row


def differ(task: str, content: str, first: object, second: object, **sections: Any) -> bool:
    references = references_of(task, **sections)
    packed = [
        references.packed(references.value(row_of(task, content, answer)))
        for answer in (first, second)
    ]
    assert all(len(reference) <= PACKED_BYTES for reference in packed)
    return references.differ(*packed)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("1,234.0", 1234, False),
        ("0.5", "1/2", False),
        ("so 3 + 4 = 7\n#### 7", 7, False),
        ("7", "8", True),
        ("1234567890123456789", "1234567890123456789.0", False),
        ("1234567890123456789", "1234567890123456780", True),
        (0.1 + 0.2, 0.3, False),
        ("1/3", 1 / 3, False),
        ("123456789/987654321", "0.126", True),
        ("-123456789/987654321", "-0.12499999886", False),
        (1.23e-17, 1.24e-17, True),
        ("7", None, False),
        ("about seven or eight", 7, False),  # can't be read, which the run reports elsewhere
    ],
)
def test_numbers_are_compared_as_numbers(first: object, second: object, expected: bool) -> None:
    assert differ("math", "How many?", first, second) is expected


def test_numbers_within_the_tolerance_of_the_run_are_the_same() -> None:
    assert differ("math", "How many?", 100, 101)
    assert not differ("math", "How many?", 100, 101, quality={"tolerance": 0.02})


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("Entailment.", "entailment", False),
        (0, "entailment", False),
        (2, "contradiction", False),
        (1, "entailment", True),
        (-1, "entailment", False),
    ],
)
def test_labels_are_compared_by_what_they_stand_for(
    first: object, second: object, expected: bool
) -> None:
    assert differ("nli", LABELS, first, second) is expected


def test_choices_are_compared_by_letter_and_text() -> None:
    assert not differ("nlu_qa", CHOICES, "(B) blue", "blue")
    assert differ("nlu_qa", CHOICES, "A", "blue")


def test_texts_never_differ_because_many_are_right() -> None:
    references = references_of("summarization")
    row = row_of("summarization", "Summarize: the fox is quick.", "The fox is quick.")
    assert references.packed(references.value(row)) == NO_REFERENCE


def test_a_long_reference_is_shown_in_words() -> None:
    references = references_of("math")
    assert shown(references.packed("7")) == "7"
    long = references.packed("9" * 30)
    assert shown(long) == "another reference"
