"""Whole replies to word problems, as models write them: one number, or none."""

from __future__ import annotations

import pytest

from shared.tasks.prompt_spec import PromptSpec
from tests.shared.tasks.test_reading_answers import PLAIN, REASONED, SUM, read

STEPS = "Mia bakes 20 - 6 = 14 rolls for sale.\nShe takes 14 * 3 = $42 for them.\n"

CLOSINGS = {
    "Therefore, Mia makes $42 every day at the farmers' market.": "42",
    "So, Mia earns **$42** per day.": "42",
    "Hence, the number of rolls is 14.": "14",
    "Thus, it takes her 3 hours to finish the book.": "3",
    "So he can buy 9 pens.": "9",
    "Therefore, 9 rolls are left.": "9",
    "Therefore, she has a total of 9 rolls left in the basket.": "9",
    "So Mia has two dozen rolls.": "24",
    "Finally, he paid $9 in total.": "9",
    "Therefore, her balance is -$9.": "-9",
    "In total, Mia makes 42 dollars per day.": "42",
    "∴ 42": "42",
}
WHOLE_SENTENCES = {
    "Mia has 9 rolls left.": "9",
    "9 rolls are left.": "9",
    "The bus travels 90 miles.": "90",
    "It takes him 9 hours.": "9",
    "Each child gets 9 nuts.": "9",
    "Answer: Mia makes $42 every day.": "42",
    "**Final Answer:** She makes $42 every day.": "42",
    "<answer>Mia has 9 rolls.</answer>": "9",
    '{"answer": "Mia has 9 rolls left."}': "9",
    "The P/E ratio is 18.": "18",
}
LOCAL = {
    "Ответ: 9 яблок": "9",
    "Ответ: 9 км/ч": "9",
    "答案：9个苹果": "9",
    "答えは9です。": "9",
    "정답은 9입니다.": "9",
    "$9 a day": "9",
    "€2.000.000": "2000000",
}
BESIDE_THE_ANSWER = {
    "The answer is 9.\n\nVerification: 9 / 3 = 3.": "9",
    "42\n\nExplanation:\nMia has 20 - 6 = 14 rolls left.\nShe takes 14 * 3 = $42.": "42",
    "Answer: 42\n\nShe has 14 rolls. She sells each for $3.": "42",
    "20 - 6 = 14\n14 * 3 = 42\n\n42": "42",
    '{"answer": {"value": 9, "unit": "kg"}}': "9",
    '{"answer": 9, "unit": "million"}': "9000000",
    "-\\boxed{9}": "-9",
    "\\boxed{9} million": "9000000",
}


@pytest.mark.parametrize(("closing", "number"), CLOSINGS.items())
def test_a_conclusion_at_the_end_of_the_steps_is_the_answer(closing: str, number: str) -> None:
    assert read("math", SUM, STEPS + "\n" + closing) == number


@pytest.mark.parametrize(
    ("reply", "number"), {**WHOLE_SENTENCES, **LOCAL, **BESIDE_THE_ANSWER}.items()
)
def test_a_plain_reply_is_read(reply: str, number: str) -> None:
    assert read("math", SUM, reply) == number


DOUBTFUL_CLOSINGS = [
    "Therefore, Mia has 9 more rolls than Ben.",
    "Therefore, Mia is 9 years older than Ben.",
    "Therefore, the shop lost $9.",
    "Therefore, the shop's loss was $9.",
    "Therefore, he owes $9.",
    "So he can't buy 9 pens.",
    "So he never has 9 pens.",
    "So he has 9 pens or 8.",
    "So Mia has 9 and Ben has 8.",
    "So does Mia have 9 pens?",
    "Therefore, he is 9 cups short.",
    "Therefore, the price dropped by $9.",
    "Therefore, she has 9 five-dollar bills.",
]
STEPS_ON_THE_WAY = [
    STEPS,
    "Mia sold 36/4 = 9 rolls in June.",
    "Mia has 9 rolls. Ben has 8.",
    "Let Mia have 9 rolls.",
    "We know Mia has 9 rolls.",
    "Mia wants to have 9 rolls.",
    "Mia almost has 9 rolls.",
    "Nobody has 9 rolls.",
    "At first Mia had 9 rolls.",
    "I need 9 facts.",
    "Mia has 9 rolls left. Wait, she ate 2.",
]
SIGNS_AND_SIZES = [
    "Loss: $1,400",
    "9% decrease",
    "9% off",
    "9 degrees colder",
    "9 in binary",
    "9 nano",
    "9 overdraft",
    "in thousands: 9",
    "> 9",
    "9 May",
    "$9/$7",
    "9 тысяч",
    "9个半小时",
    "9个以上",
    "The answer is 9...",
    "x is 5 now 9",
]
SEVERAL = [
    "Answer: 9 Answer: 7",
    "The answer is 9 and the answer to part b is 7.",
    "9\n\nTotal: 7",
    "9\n\nThe total is 7.",
    "9\n\nSo Mia has 7 rolls.",
    "Answer: 9\n\nNote: this is wrong.",
    "Answer: 9\n\nBut Mia ate one, so 8.",
    "Answer: 9\n\nAlternatively, 7.",
    "The answer is 4! ways.",
    "#### 9. Multiply",
]
CHANGED_BOXES = [
    "So it is $-\\boxed{9}$ there.",
    "\\boxed{9} or 7",
    "\\boxed{9} or \\boxed{7}",
    "\\boxed{9}!",
    "2 \\times \\boxed{9}",
    "\\frac{\\boxed{9}}{4}",
    "The answer isn't \\boxed{9}",
    "more than $\\boxed{9}$",
    "\\boxed{9} less",
]


@pytest.mark.parametrize("closing", DOUBTFUL_CLOSINGS)
def test_a_conclusion_with_another_or_no_certain_value_is_not_read(closing: str) -> None:
    assert read("math", SUM, f"We add.\n\n{closing}").startswith("<")


@pytest.mark.parametrize("reply", [*STEPS_ON_THE_WAY, *SIGNS_AND_SIZES, *SEVERAL, *CHANGED_BOXES])
def test_a_doubtful_reply_is_not_read(reply: str) -> None:
    assert read("math", SUM, reply).startswith("<")


@pytest.mark.parametrize(
    ("reply", "number"),
    [
        ("14 * 3 = 42. So Mia has 42 dollars.", "42"),
        ("We multiply.\n\n14 * 3 = 42\n\nTherefore, Mia has $42.", "42"),
        ('{"reasoning": "r", "answer": {"value": 42, "unit": "dollars"}}', "42"),
        ("So Mia has 42 dollars.", "<unreadable>"),
        ("Mia has 14 rolls. Mia has 42 dollars.", "<no_number>"),
    ],
)
def test_reasoning_in_prose_ends_in_its_conclusion(reply: str, number: str) -> None:
    assert read("math", SUM, reply, REASONED) == number


@pytest.mark.parametrize("prompt", [PLAIN, REASONED])
def test_hostile_conclusions_are_done_with_at_once(prompt: PromptSpec) -> None:
    for flood in ("So he has ", "has " * 40, "1 + 1 ", "\\boxed{1} or ", "Mia has 9 rolls. "):
        assert read("math", SUM, flood * 2000, prompt)
