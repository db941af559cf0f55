"""A sentence of the closed form states one number; any other sentence states none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.tasks.numbers.number_sentences import number_stated

STATED = {
    "The answer is 9.": "9",
    "The total cost is $1,250.": "1250",
    "So, the total cost is $1,250.": "1250",
    "Therefore, the answer is 9 apples.": "9",
    "The loss is ($1,250).": "-1250",
    "The temperature is minus 9 degrees.": "-9",
    "The sum of the two numbers is 9.": "9",
    "Janet's profit equals $70,000": "70000",
    "The ticket costs 9 dollars.": "9",
    "The total comes to $9.50.": "9.5",
    "The cost is about $9.": "9",
    "The answer is therefore 9.": "9",
    "The probability is 3/8.": "0.375",
    "The average speed is 80 km/h.": "80",
    "There are 9 apples left.": "9",
    "In total, there are nine apples.": "9",
    "It is 9.": "9",
    "It's 9 apples.": "9",
    "x is 9": "9",
    "The value of $x$ is $9$.": "9",
    r"The value of \(x\) is \(\frac{3}{8}\).": "0.375",
    "Total: $9": "9",
    "Result = 9": "9",
    "9 is the answer.": "9",
    "$9 is the total.": "9",
    "9": "9",
    "答案是72": "72",
    "总共是72元。": "72",
    "所以答案是72": "72",
    "答えは72です。": "72",
    "Die Antwort ist 1.250,5 Euro.": "1250.5",
    "Es gibt 9 Äpfel.": "9",
    "La réponse est 9.": "9",
    "La respuesta es 9.": "9",
    "Ответ: 9": "9",
    "Ответ равен 9": "9",
}
NOT_STATED = [
    "It is not 9.",
    "It isn't 9.",
    "The answer isn't 9.",
    "The answer is not 9.",
    "There are no 9 apples.",
    "The answer is never 9.",
    "答案不是72",
    "答えは72ではない",
    "Die Antwort ist nicht 9.",
    "La respuesta no es 9.",
    "The answer could be 9.",
    "The answer may be 9.",
    "The answer is probably 9.",
    "Maybe the answer is 9.",
    "I think the answer is 9.",
    "If x is positive, the answer is 9.",
    "If it rains the answer is 9.",
    "The answer is 9 if it rains.",
    "The answer is 9 because it fits.",
    "The answer is 9, not 8.",
    "The answer is 9 or 8.",
    "The answer is 9 and the rest is 8.",
    "The answer is 8. The answer is 9.",
    "The answer is more than 9.",
    "The answer is less than 9.",
    "The answer is at least 9.",
    "The answer is 9 or more.",
    "The answer is 9?",
    "Is the answer 9?",
    "What is 9?",
    "The wrong answer is 9.",
    "The incorrect total is 9.",
    "The answer is option 9",
    "Option 9 is right",
    "Question 9",
    "Step: 9",
    "User: 9",
    "The ratio is 3:8.",
    "The chance is 1 in 9.",
    "The area is 9π.",
    "The cost of 3 apples is $9.",
    "First, there are 9 friends.",
    "She has 9 apples.",
    "The answer, 8, is below 9.",
    "The temperature is 9 degrees below zero.",
    "The store that opened is 9",
    "What the answer is is 9",
    "911 is the number to call.",
    "I have knowledge until 2021.",
    "",
    "is 9",
    "the 9",
    "there are",
]


@pytest.mark.parametrize(("sentence", "number"), STATED.items())
def test_a_plain_statement_gives_its_number(sentence: str, number: str) -> None:
    assert number_stated(sentence) == number


@pytest.mark.parametrize("sentence", NOT_STATED)
def test_no_other_sentence_states_a_number(sentence: str) -> None:
    assert number_stated(sentence) is None


@given(
    subject=st.sampled_from(["The total", "The answer", "Her age"]),
    behind=st.text(st.characters(categories=["Nd", "Sm"]), min_size=1, max_size=4),
)
def test_digits_behind_a_statement_are_never_passed_over(subject: str, behind: str) -> None:
    assert number_stated(f"{subject} is 9 {behind}") in (None, number_stated(f"9 {behind}"))


@given(st.text(st.sampled_from("The answer is was =:は是9 7.,'$not"), max_size=60))
def test_no_sentence_raises(sentence: str) -> None:
    number_stated(sentence)


@pytest.mark.parametrize("text", ["is " * 30_000, "a-" * 90 + " is 9", "it is " * 30, "は" * 199])
def test_a_hostile_sentence_states_nothing(text: str) -> None:
    assert number_stated(text) is None
