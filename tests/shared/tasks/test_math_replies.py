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
    "Therefore, Mia needs to pay $42 for the glasses.": "42",
    "So it would take Carla 42 minutes to get home.": "42",
    "So Ann, Ben, and Cy have 42 sheep together.": "42",
    "Therefore, after giving away 3 rolls, Mia has 9 rolls left.": "9",
    "So the cost of 3 pens is $9.": "9",
    "Therefore, each of the 3 friends gets 9 nuts.": "9",
    "So with a 20% discount, the price is $40.": "40",
    "Therefore, Mr. Lee has Rs. 500 left.": "500",
    "So the shop made a profit of $42.": "42",
    "So each plant yields 9 kg.": "9",
    "Therefore, Mia has 9 rolls left. I hope this helps! 😊": "9",
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
    "9\n\n6 - 1 = 5\n5 + 4 = 9": "9",
    "We add.\n\n5 + 4 = 9": "9",
    "9 US dollars": "9",
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
    "Therefore, after 3 days, Mr. Lee has a total of 12:30.",
    "So Mia has May 9.",
    "So in case 2, x is 9.",
    "So, in the wrong case, he has 9.",
    "So if he sells 3 pens, he has 9.",
    "So the loss after 3 days is $9.",
    "So Mia, who has 3 pens, gets 9.",
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
    '{"answer": 9}\n\n\\boxed{7}',
]
RETRACTED = [
    "Or 7.",
    "Or maybe 7.",
    "In fact, it is 7.",
    "Upon review, it's 7.",
    "Let me recalculate: 3 + 4 = 7.",
    "Not 9 but 7.",
    "No, 7.",
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


@pytest.mark.parametrize(
    "answer", ["9", "The answer is 9.", "\\boxed{9}", "#### 9", '{"answer": 9}']
)
@pytest.mark.parametrize("retraction", RETRACTED)
def test_an_answer_that_is_taken_back_is_not_read(answer: str, retraction: str) -> None:
    assert read("math", SUM, f"{answer}\n{retraction}").startswith("<")


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


@pytest.mark.slow
@pytest.mark.parametrize("prompt", [PLAIN, REASONED])
def test_hostile_conclusions_are_done_with_at_once(prompt: PromptSpec) -> None:
    for flood in ("So he has ", "has " * 40, "1 + 1 ", "\\boxed{1} or ", "Mia has 9 rolls. "):
        assert read("math", SUM, flood * 2000, prompt)
