"""Usual labels are read where nothing introduces them, and only where they are a list."""

from __future__ import annotations

import pytest

from shared.tasks.labels.label_grammar import find_labels

PAIR = "Premise: The kettle is full.\nHypothesis: The kettle is empty."
USUAL = ("entailment", "neutral", "contradiction")


def labels(system: str | None, user: str = PAIR) -> tuple[str, ...] | None:
    """The labels of a prompt, None if they cannot be told."""
    listing = find_labels(system, user).labels
    return listing.labels if listing else None


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ('The kettle boils. Does it follow that "It is hot."? Yes, no, or maybe?', "Yes no maybe"),
        ("It boils.\nQuestion: It is hot. True, False, or Neither?\nAnswer:", "True False Neither"),
        ("Text: It boils. Question: Is it hot? Answer 'yes' or 'no'.", "yes no"),
        ("Context: It boils.\nQuestion: Is it hot?\nAnswer (yes, no, maybe):", "yes no maybe"),
        ("nli premise: It boils. hypothesis: It is hot. (True/False):", "True False"),
    ],
)
def test_a_question_may_end_with_its_labels(user: str, expected: str) -> None:
    assert labels(None, user) == tuple(expected.split())


@pytest.mark.parametrize(
    "instruction",
    [
        "Decide whether it is an entailment, neutral or a contradiction.",
        "Tell whether the texts have the relation entailment, neutral, or contradiction.",
        "entailment: it follows\nneutral: it may be\ncontradiction: it cannot be\nName the class.",
        "1. entailment - it follows\n2. neutral - may be\n3. contradiction - no\nUse these labels.",
        "If it follows, entailment. If it may be true, neutral. Otherwise contradiction.",
        "Classify the pair:\n\n| Label | Meaning |\n|---|---|\n| entailment | it follows |\n"
        "| neutral | it may be |\n| contradiction | it cannot be |",
    ],
)
def test_usual_labels_need_no_words_before_them(instruction: str) -> None:
    assert labels(instruction) == USUAL


def test_usual_labels_are_numbers_where_numbers_are_wanted() -> None:
    lines = "1) entailment\n2) neutral\n3) contradiction"
    assert labels(f"Give the number of the relation.\n{lines}") == ("1", "2", "3")
    assert labels(f"Give the name of the relation, not the number.\n{lines}") == USUAL


@pytest.mark.parametrize(
    "instruction",
    [
        "Explain whether the premise entails or contradicts the hypothesis.",
        "Be neutral and correct.",
        "Is the hypothesis true?",
        "Decide: odd, yes or no?",
    ],
)
def test_a_usual_word_in_a_sentence_is_no_list(instruction: str) -> None:
    assert labels(instruction) is None


@pytest.mark.parametrize(
    "user", ["Hypothesis: Is it true or false?", "Headline: Yes or no?\nBody: x"]
)
def test_a_question_in_the_data_offers_no_labels(user: str) -> None:
    assert labels("Compare the texts.", user) is None
