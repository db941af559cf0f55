"""The solvers on questions that are in no sample: they read, rather than remember."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.emulators.teacher.answers import solve
from local.emulators.teacher.answers.nli import decide
from local.emulators.teacher.answers.prompt import Form, Prompt
from local.emulators.teacher.answers.summarization import entities, word_limit
from local.emulators.teacher.replies import render

MATH = "Answer the math question with one integer."


def answer(system: str, text: str) -> str:
    return solve(Prompt(system, (("user", text),), Form.TEXT)).answer


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ada had 1,200 coins. She lost 15 and found 3. How many coins does she have now?", "1188"),
        ("A school has seven rows with twelve chairs in each row. How many chairs is that?", "84"),
        ("A coat costs $300 and is reduced by 10%. What is the new price?", "270"),
        ("At dawn it was -3 degrees. By noon it had risen by 8 degrees. What was the temperature at noon?", "5"),
        ("Ben has 5 pens. Cem has 2 more pens than Ben. How many pens do they have altogether?", "12"),
        ("A van drives at 50 kilometres per hour for 3 hours. How many kilometres does it drive?", "150"),
        ("50 nuts are packed into bags of 8. How many nuts are left over?", "2"),
        ("There are 64 players. If 36 of them were given to other clubs and the rest were put into 4 groups, "
         "how many players would be in each group?", "7"),
        ("What is a number?", "0"),
    ],
)  # fmt: skip
def test_word_problems_are_worked_out(text: str, expected: str) -> None:
    assert answer(MATH, text) == expected


@pytest.mark.parametrize(
    ("premise", "hypothesis", "expected"),
    [
        ("Two men are playing chess.", "Two men are playing chess.", "entailment"),
        ("A boy plays the trumpet at home.", "A boy plays an instrument.", "entailment"),
        ("A boy plays the trumpet at home.", "A boy does not play the trumpet.", "contradiction"),
        ("A boy plays the trumpet at home.", "The boy has a sister.", "neutral"),
        ("Eva is older than Tom, and Tom is older than Ida.", "Ida is younger than Eva.", "entailment"),
        ("The shop sold 40 lamps.", "The shop sold at least 30 lamps.", "entailment"),
        ("The shop sold 40 lamps.", "The shop sold more than 50 lamps.", "contradiction"),
        ("The shop sold lamps.", "The shop sold 12 lamps.", "neutral"),
        ("The train was late.", "The train was not early.", "entailment"),
    ],
)  # fmt: skip
def test_inference_follows_words_numbers_and_negation(
    premise: str, hypothesis: str, expected: str
) -> None:
    assert decide(premise, hypothesis)[0] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Where do you find camels?\nA. bank\nB. desert\nC. ship", "B"),
        ("Which word means the opposite of \"heavy\"?\n(A) light\n(B) large", "A"),
        ("Which of these is an insect?\nA) robin\nB) salmon\nC) wasp\nD) oak", "C"),
        ("The ring is in the jar. The coin is in the vase. Where is the coin?\n(A) jar\n(B) vase", "B"),
        ("Which is the odd one out?\nA. cello\nB. harp\nC. tram\nD. oboe", "C"),
    ],
)  # fmt: skip
def test_choices_are_picked_by_knowledge_or_by_the_text(text: str, expected: str) -> None:
    assert answer("Reply with the letter only.", text) == expected


def test_an_unknown_question_still_gets_one_of_its_choices() -> None:
    assert answer("Pick a letter.", "Who wrote it?\n(A) Zed\n(B) Yan\n(C) Xu") in {"A", "B", "C"}


@pytest.mark.parametrize(
    ("system", "words"),
    [
        ("Summarize in at most 45 words.", 45),
        ("Summarize. Do not exceed 80 words. The summary must have at most 60 words.", 60),
        ("Summarize in fewer than 50 words.", 49),
        ("Summarize in 25 words or less.", 25),
        ("Summarize the article.", 80),
    ],
)
def test_word_limits_are_read_from_the_prompt(system: str, words: int) -> None:
    assert word_limit(Prompt(system, (("user", "Article: text"),), Form.TEXT)) == words


def test_a_capital_at_the_beginning_of_a_sentence_makes_no_entity() -> None:
    assert entities("Walkers met Ana Brandt in Oslo. They paid 3,000 euros.") == (
        "Ana Brandt",
        "Oslo",
        "3,000",
    )


def test_the_wrong_answer_is_of_the_same_form_and_differs() -> None:
    for system, text in (
        (MATH, "Ann has 3 pens and buys 4 more. How many pens does she have?"),
        (
            "Answer 'entailment', 'contradiction' or 'neutral'.",
            "Premise: It rains.\nHypothesis: It rains.",
        ),
        ("Reply with a letter.", "Where are camels?\nA. desert\nB. bank"),
        ("Say something kind.", "How are you?"),
    ):
        solution = solve(Prompt(system, (("user", text),), Form.TEXT))
        assert solution.wrong
        assert solution.wrong != solution.answer


SYSTEMS = (
    MATH,
    "Summarize in at most 9 words.",
    "Answer 'entailment' or 'contradiction'.",
    "Reply with a letter.",
    "",
)
PIECES = st.one_of(
    st.text(max_size=12),
    st.sampled_from((
        *("\nPremise: ", "\nHypothesis: ", "\n(A) ", "\nB. ", " each ", "Article: ", "\n\n", ". ", "?", " 0% of 0 ", " is 0 "),
        *(" kilometres per hour ", " average ", " boxes of 0 left over ", "seats 0 needed", " divided into 0 groups ", "²", "٣"),
        *("Ann has 3 pens. ", "Ben has half as many as Ann. ", "A x costs $0 and a y costs $1. ", "a third of 10"),
    )),
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(
    system=st.sampled_from(SYSTEMS),
    pieces=st.lists(PIECES, max_size=9),
    form=st.sampled_from(list(Form)),
)
def test_any_prompt_gets_an_answer(system: str, pieces: list[str], form: Form) -> None:
    prompt = Prompt(system, (("user", "".join(pieces)),), form, "{}")
    solution = solve(prompt)
    assert isinstance(render(prompt, solution), str)
    assert solution.answer or not "".join(pieces).strip() or "ummarize" in system
