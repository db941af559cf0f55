"""Values that texts state: numbers, choices, labels, and users' own reference answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.dataset.rows import Row, parse_row
from shared.tasks import TASKS
from shared.tasks.answers_spec import AnswersSpec
from tests.shared.tasks.test_reading_answers import CHOICES, NLI, SUM, checked, read

REPOSITORY = Path(__file__).parents[3]
# The answer keys of the samples hold questions without their prompts.
DECLARED = {"nli": AnswersSpec(labels=["entailment", "neutral", "contradiction"])}
DATA = REPOSITORY.parent / "shared" / "data"


@pytest.mark.parametrize(
    "given_text", ["1.234 €", "1.2.3", "12:30", "5:5", "1/2/3", "5-3", "10–12"]
)
@pytest.mark.parametrize("form", ["§", "Answer: §", "\\boxed{§}", '{"answer": "§"}'])
def test_a_number_that_can_be_read_in_two_ways_is_refused(given_text: str, form: str) -> None:
    assert read("math", SUM, form.replace("§", given_text)) in ("<no_number>", "<several_numbers>")


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (".5", "0.5"),
        ("3½", "3.5"),
        ("3 1/2 cups", "3.5"),
        ("2×10³", "2000"),
        ("1.5e-3", "0.0015"),
        ("5 million", "5000000"),
        ("１２", "12"),
        ("US$5", "5"),
        ("12 km/h", "12"),
        ("5/0", "<no_number>"),
        ("1e999999", "<no_number>"),
        ("9" * 5000, "<no_number>"),
        ("5π", "<no_number>"),
        ("at least 5", "<no_number>"),
        ("2 * 3", "<no_number>"),
        ("x = 3 or x = -3", "<no_number>"),
        ("a = 3, b = 4", "<no_number>"),
        ("covid-19", "<no_number>"),
        ("the 2nd", "<no_number>"),
    ],
)
def test_a_number_is_what_it_says_or_nothing(reply: str, expected: str) -> None:
    assert read("math", SUM, reply) == expected


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("C", "C"),
        ("C)", "C"),
        ("c)", "C"),
        ("C. on the moon", "C"),
        ("C on the Moon.", "C"),
        ("**on the moon**", "C"),
        ("The answer is on the moon.", "C"),
        ("C because nobody knows", "C"),
        ("Option C is right", "C"),
        ("C is correct", "C"),
        ("C. in trees", "<invalid_choice>"),
        ("A, B", "<invalid_choice>"),
        ("e.g. the moon", "<invalid_choice>"),
        ("Vitamin C", "<invalid_choice>"),
        ("Option A is incorrect", "<invalid_choice>"),
        ("(A) in water. (B) in trees.", "<invalid_choice>"),
    ],
)
def test_a_choice_is_named_or_repeated_and_nothing_else(reply: str, expected: str) -> None:
    assert read("nlu_qa", CHOICES, reply) == expected


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("CONTRADICTION!", "contradiction"),
        ("The premise neither entails nor contradicts the hypothesis.", "neutral"),
        ("It isn't entailment.", "<invalid_label>"),
        ("non-entailment", "<invalid_label>"),
        ("entailment or not", "<invalid_label>"),
        ("true", "<invalid_label>"),
    ],
)
def test_a_label_is_stated_or_not_read(reply: str, expected: str) -> None:
    assert read("nli", NLI, reply) == expected


def test_an_apostrophe_in_the_prompt_does_not_hide_a_label() -> None:
    row = checked("nli", NLI.turns[0]["content"], "Answer with the row's label 'yes' or 'no'.")
    assert read("nli", row, "Yes.") == "yes"


def unreadable_references(folder: Path, task: str) -> list[str]:
    """The references of the files of a task that it cannot read as its own answers."""
    found: list[str] = []
    for line in [
        line for path in sorted(folder.glob("*.jsonl")) for line in path.read_bytes().splitlines()
    ]:
        row = parse_row(line)
        taken = TASKS[task].check(row, DECLARED.get(task)) if isinstance(row, Row) else row
        assert isinstance(taken, Row), taken
        references = [taken.reference] if taken.reference is not None else []
        if task == "conversation":
            references = [
                message["content"] for message in taken.turns if message["role"] == "assistant"
            ]
        found += [text for text in references if read(task, taken, text) != text.strip()]
    return found


@pytest.mark.parametrize("task", TASKS)
def test_the_reference_answers_of_the_samples_are_read_as_they_are(task: str) -> None:
    assert unreadable_references(REPOSITORY / "samples" / task, task) == []


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.is_dir(), reason="the real datasets are not beside this checkout")
@pytest.mark.parametrize("task", TASKS)
def test_the_reference_answers_of_real_data_are_read_as_they_are(task: str) -> None:
    assert unreadable_references(DATA / task, task) == []
