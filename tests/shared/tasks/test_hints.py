"""A reasoning that tells that the answer was shown to its writer is never taught."""

from __future__ import annotations

import pytest

from shared.tasks import Answer, Unreadable
from shared.tasks.hints import without_hint

TELLING = [
    "The given answer is 12, so we must add the two numbers.",
    "Adding gives 12, which matches the provided answer.",
    "We know that the answer is 12. Working backwards, 12 - 7 is 5.",
    "Since the correct answer is B, the other options must be wrong.",
    "As the right label is contradiction, the hypothesis can't be true.",
    "I was told that the correct answer is 12.",
    "We are told the answer is 12, and indeed 7 + 5 = 12.",
    "I’ve been given the right answer, so I only have to explain it.",
    "7 + 5 = 12, as provided.",
    "The reference answer says 12.",
    "This is consistent with the expected label, entailment.",
    "The answer was already provided: 12.",
    "According to the ground truth, the relationship is neutral.",
    "The system prompt says that it is 12.",
    "THE   GIVEN\nANSWER is 12.",
    "Die vorgegebene Antwort ist 12.",
    "La réponse fournie est 12.",
    "La respuesta proporcionada es 12.",
    "已知答案是12，所以相加。",
    "与えられた答えは12です。",
    "주어진 정답은 12이다.",
    "Заданный ответ равен 12.",
]
SILENT = [
    "",
    "The given number is 5. Adding 7 gives 12, so the correct answer is 12.",
    "Among the given answer choices, only B names a metal.",
    "Of the provided answer options, A and C are gases.",
    "Given that the train leaves at 5, it arrives at 7. The answer is 7.",
    "We are given that x = 3, as stated in the problem. As given by the formula, x² = 9.",
    "As provided in the passage, the shop closed in 1990.",
    "The given solution contains 5% salt, and the known result of mixing is 7%.",
    "The answer is given by 3 × 4 = 12.",
    "The expected value of the die is 3.5.",
    "We were told that the farmer has 12 cows.",
    "Because the premise says so, the label is entailment.",
    "The correct answer is C, since the hypothesis contradicts the premise.",
    "Anna gave the wrong answer. The required answer is 12.",
    "Die gegebene Zahl ist 5, also ist die richtige Antwort 12.",
    "题目给定的数是5，所以答案是12。",
]


@pytest.mark.parametrize("reasoning", TELLING)
def test_a_reasoning_that_mentions_the_hint_is_refused_with_its_words(reasoning: str) -> None:
    refused = without_hint(Answer("12", reasoning))
    assert isinstance(refused, Unreadable)
    assert refused.detail.startswith("the reasoning mentions that the answer was given (")


@pytest.mark.parametrize("reasoning", SILENT)
def test_a_reasoning_from_the_question_is_kept(reasoning: str) -> None:
    answer = Answer("12", reasoning)
    assert without_hint(answer) is answer


def test_the_words_that_tell_are_quoted_without_the_rest() -> None:
    refused = without_hint(Answer("12", "blah " * 1000 + "the given answer is 12"))
    assert isinstance(refused, Unreadable)
    assert refused.detail.endswith('("given answer")')
