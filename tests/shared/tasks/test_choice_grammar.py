"""Choices are those of the last question, in whatever form, and never initials or examples."""

from __future__ import annotations

import pytest

from shared.dataset.answer_space import AnswerSpace
from shared.tasks.labels.choice_grammar import find_choices

TOOLS = {"A": "hammer", "B": "spoon", "C": "rake"}


def choices(user: str, system: str | None = None) -> dict[str, str] | None:
    """The text of each choice, None if they cannot be told."""
    space = find_choices(system, user)
    if not isinstance(space, AnswerSpace):
        return None
    return {value: space.meanings.get(value, "") for value in space.values}


@pytest.mark.parametrize(
    "form",
    ["({})", "{})", "{}.", "[{}]", "**{}.**", "**{})**", "{}:", "Option {}:", "- {}:", "  {}."],
)
@pytest.mark.parametrize("letters", ["ABC", "abc"])
def test_lines_of_choices_are_read_in_each_usual_form(form: str, letters: str) -> None:
    lines = [
        f"{form.format(letter)} {text}"
        for letter, text in zip(letters, TOOLS.values(), strict=True)
    ]
    assert choices("Which tool digs?\n" + "\n".join(lines)) == TOOLS
    assert choices("Which tool digs?\n\n" + "\n\n".join(lines)) == TOOLS


@pytest.mark.parametrize(
    "question",
    [
        "Which tool digs? (A) hammer (B) spoon (C) rake",
        "Which tool digs? Options: A) hammer, B) spoon, or C) rake",
        "Which tool digs? A. hammer B. spoon C. rake",
        "Which tool digs?\nChoices: [A] hammer; [B] spoon; [C] rake\nReply with the letter.",
    ],
)
def test_choices_in_one_line_are_read(question: str) -> None:
    assert choices(question) == TOOLS


@pytest.mark.parametrize("form", ["{}.", "{})", "({})"])
def test_numbered_choices_keep_their_numbers(form: str) -> None:
    lines = [f"{form.format(number)} {text}" for number, text in enumerate(TOOLS.values(), 1)]
    expected = {"1": "hammer", "2": "spoon", "3": "rake"}
    assert choices("Which tool digs?\n" + "\n".join(lines)) == expected


@pytest.mark.parametrize(
    "before",
    [
        "Question: Which is round?\nA. a ball\nB. a box\nC. a rod\nD. a tin\nAnswer: A\n\n",
        "Text:\nC. elegans is a worm.\nK. Abe reported it.\n\n",
        "A. Novak wrote, and B. Ito drew.\n",
        "1. Rakes dig.\n2. Spoons dig.\n",
        "Choose (A), (B) or (C).\n\n",
    ],
)
def test_what_stands_before_the_last_question_offers_no_choices(before: str) -> None:
    question = "Question: Which tool digs?\nA. hammer\nB. spoon\nC. rake\nAnswer:"
    assert choices(before + question) == TOOLS


@pytest.mark.parametrize(
    "question",
    [
        "Which tool digs?",
        "Which tool digs?\nB. spoon\nC. rake",
        "Which tool digs?\nA. hammer\nB. spoon\nD. rake",
        "Which tool digs?\nA. hammer",
        "Which of (A) and (B) digs?",
        "Question: Which?\nA. one\nB. two\nAnswer: A\n\nQuestion: And now?",
        "A. one\nB. two\n\nA. three\nB. four",
        "Passage: He said yes or no.\nQuestion: Why?",
    ],
)
def test_choices_that_cannot_be_told_are_none(question: str) -> None:
    assert choices(question) is None


@pytest.mark.parametrize(
    ("system", "user", "expected"),
    [
        ("Answer yes or no.", "Is a rake a tool?", ["Yes", "No"]),
        (None, "Is a rake a tool? (yes/no)", ["Yes", "No"]),
        (None, "True or false: a rake is a tool.", ["True", "False"]),
        ("Antworte mit Ja oder Nein.", "Ist das ein Rechen?", ["Ja", "Nein"]),
        ("Answer yes, no or maybe.", "Is a rake a tool?", ["Yes", "No", "Maybe"]),
    ],
)
def test_a_closed_question_needs_no_letters(
    system: str | None, user: str, expected: list[str]
) -> None:
    assert choices(user, system) == dict.fromkeys(expected, "")


@pytest.mark.parametrize(
    "offered",
    [
        "A) hammer  B) spoon  C) rake",
        "A. hammer\tB. spoon\nC. rake",
        "(A) hammer    (B) spoon\n(C) rake",
        "A] hammer\nB] spoon\nC] rake",
        "`A`: hammer\n`B`: spoon\n`C`: rake",
        "<A>hammer</A>\n<B>spoon</B>\n<C>rake</C>",
        "| A | hammer |\n| B | spoon |\n| C | rake |",
        'Options: {"A": "hammer", "B": "spoon", "C": "rake"}',
        "Options: ['A) hammer', 'B) spoon', 'C) rake']",
        "Options: (A) hammer; (B) spoon; (C) rake.",
        "A) hammer | B) spoon | C) rake",
        "（A）hammer（B）spoon（C）rake",
        "Ａ．hammer\nＢ．spoon\nＣ．rake",
        "(A): hammer\n(B): spoon\n(C): rake",
        "A : hammer\nB : spoon\nC : rake",
        "A.\nhammer\nB.\nspoon\nC.\nrake",
    ],
)
def test_choices_are_read_in_columns_tables_and_data_formats(offered: str) -> None:
    assert choices(f"Which tool digs?\n{offered}") == TOOLS


def test_choices_may_be_counted_from_zero() -> None:
    assert choices("Pick.\n0. soil\n1. sand\n2. clay") == {"0": "soil", "1": "sand", "2": "clay"}


def test_a_choice_may_be_a_word_that_names_choices_elsewhere() -> None:
    assert choices("Pick.\n(A) answer\n(B) choice") == {"A": "answer", "B": "choice"}


def test_the_last_choice_goes_on_where_the_others_do() -> None:
    offered = "A. It digs\nand cuts.\nB. It cuts\nand digs.\n\nAnswer:"
    assert choices(f"Pick.\n{offered}") == {"A": "It digs and cuts.", "B": "It cuts and digs."}


def test_lines_with_the_same_letter_twice_offer_no_choices() -> None:
    assert choices("Pick.\nA. hammer\nA. spoon\nB. rake") is None


def test_choices_of_the_passage_are_not_those_of_a_closed_question() -> None:
    passage = "Passage: Options: A. tea B. milk C. soup. He took tea.\nQuestion: did he eat"
    assert choices(passage, "Answer yes or no.") == {"Yes": "", "No": ""}
