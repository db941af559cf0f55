"""A value is taken from what states it, never from what denies, doubts or only mentions it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.dataset.answer_space import AnswerSpace
from shared.dataset.rows import Row
from shared.tasks import TASKS
from shared.tasks.base import Answer, Unreadable
from shared.tasks.labels.choice_sentences import choice_reader
from shared.tasks.labels.label_sentences import label_reader
from shared.tasks.prompt_spec import PromptSpec
from shared.tasks.replies.reply import Reply
from shared.tasks.replies.sentences import statement

LABELS = AnswerSpace(("entailment", "neutral", "contradiction"))
CODES = AnswerSpace(("0", "1", "2"), ("entailment", "neutral", "contradiction"))
VERDICTS = AnswerSpace(("SUPPORTS", "REFUTES", "NOT ENOUGH INFO"))
TOOLS = AnswerSpace(("A", "B", "C", "D"), ("mall", "spoon", "garden rake", "new broom"))


def read(space: AnswerSpace, text: str) -> str | None:
    """The value that the text is or states, None if there is none."""
    reader = choice_reader(space) if space is TOOLS else label_reader(space)
    stated = statement(text, reader)
    return reader.alone(text) or (stated.value if stated else None)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("ENTAILMENT.", "entailment"),
        ("contradictory", "contradiction"),
        ("entails", "entailment"),
        ("The relationship between the sentences is 'neutral' because nothing is said.", "neutral"),
        ("The logical relation is best described as a contradiction.", "contradiction"),
        ('The sentence "He as a boy swam" is labeled as "neutral".', "neutral"),
        ("The first text clearly contradicts the second text.", "contradiction"),
        ("The claim is entailed by the passage, since it repeats it.", "entailment"),
        ("It's neutral: the premise entails nothing of it.", "neutral"),
        ("Neutral, not contradiction.", "neutral"),
        ("Contradiction rather than neutral", "contradiction"),
        ("There is no entailment, so neutral.", "neutral"),
        ("Neither contradiction nor entailment.", "neutral"),
        ("The premise doesn't contradict the hypothesis, nor does it entail it.", "neutral"),
        ("I can't tell from this text, so the label is neutral.", "neutral"),
        ("Most likely entailment", "entailment"),
        ("Entailment, a swan is a bird.", "entailment"),
        ("No. This is a contradiction.", "contradiction"),
        ("Yes, the premise entails the hypothesis.", "entailment"),
        ("The premise does entail the hypothesis.", "entailment"),
        ("Contradicts the hypothesis", "contradiction"),
        ("The hypothesis is neutral with respect to the premise.", "neutral"),
        ("Neutral, although swans swim.", "neutral"),
        ("It's not neutral but entailment.", "entailment"),
        ("The answer is not neutral; it is contradiction.", "contradiction"),
        ("I'd classify this pair as a contradiction.", "contradiction"),
        ("This is an example of entailment.", "entailment"),
        ("This is a neutral relationship.", "neutral"),
        ("There is not enough information to tell.", "neutral"),
        ("2) neutral", "neutral"),
        ("entailment ✅", "entailment"),
        ("Looking at both texts, it's neutral.", "neutral"),
        ("Die Beziehung ist neutral.", "neutral"),
        ("La relation est neutral.", "neutral"),
        ("Therefore, the answer is contradiction.", "contradiction"),
    ],
)
def test_a_sentence_of_a_closed_form_states_a_label(text: str, label: str) -> None:
    assert read(LABELS, text) == label


@pytest.mark.parametrize(
    "text",
    [
        "This is not a contradiction.",
        "There is no entailment.",
        "The premise does not entail the hypothesis.",
        "The text excludes entailment.",
        "A lack of contradiction",
        "Anything but neutral.",
        "It may be entailment.",
        "At first it looks like a contradiction.",
        "It would be a contradiction if he had left.",
        "If it rained, it is entailment.",
        "I stay neutral in such matters.",
        "Is it neutral?",
        "entailment or neutral",
        "entailment, neutral",
        "Entailment for one part, contradiction for the other.",
        "entailment: 0.7, neutral: 0.3",
        "neutral: no",
        "neutral, possibly entailment",
        "neutral, sorry: contradiction",
        "Entailment, unless swans are fish.",
        '["entailment", "neutral"]',
        "It is not neutral but unclear.",
        "Entailment, or rather neutral.",
        "It is entailment, although it could be neutral.",
        "The label is 'neutral', possibly.",
        "It should be labeled as 'entailment', 'contradiction', or 'neutral'.",
        "Neutral; entailment, if he swam.",
        "Contradiction because the premise entails the hypothesis.",
        "non-entailment",
        "not_entailment",
        "slight entailment",
        "yes",
        "1",
        "entailmnet",
        "neutro",
        "The hypothesis entails the premise.",
        "",
    ],
)
def test_a_label_that_is_denied_doubted_or_mentioned_is_not_read(text: str) -> None:
    assert read(LABELS, text) is None


def test_a_code_is_read_by_what_it_means_and_a_verb_where_its_label_is_offered() -> None:
    assert read(CODES, "2") == "2"
    assert read(CODES, "Contradiction.") == "2"
    assert read(CODES, "The premise entails the hypothesis.") == "0"
    assert read(VERDICTS, "The claim is refuted by the evidence.") == "REFUTES"
    assert read(VERDICTS, "Not enough information") == "NOT ENOUGH INFO"
    assert read(VERDICTS, "neutral") is None


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Yes, it does.", "Yes"),
        ("No. The swan sleeps.", "No"),
        ("Maybe; nothing is said.", "Maybe"),
        ("Yes, but no.", None),
        ("No, I mean yes.", None),
        ("Yes, or maybe.", None),
        ("maybe not", None),
        ("No way to tell.", None),
        ("No answer", None),
        ("No answer is given.", None),
        ("No relationship", None),
    ],
)
def test_a_label_before_a_comma_is_the_answer_unless_the_rest_says_another(
    text: str, label: str | None
) -> None:
    space = AnswerSpace(("Yes", "No", "Maybe"))
    row = Row(({"role": "user", "content": "x"},), answers=space)
    value = TASKS["nli"].read(row, PromptSpec(), Reply(text))
    assert (value.text if isinstance(value, Answer) else None) == label


@pytest.mark.parametrize(
    "text",
    [
        '{"entailment": 0.9, "neutral": 0.1}',
        '{"entailment": true, "neutral": false}',
        '{"label": ["entailment", "neutral"]}',
        "The answer is neutral. The answer is entailment.",
    ],
)
def test_an_object_or_text_with_several_labels_gives_none(text: str) -> None:
    row = Row(({"role": "user", "content": "x"},), answers=LABELS)
    assert isinstance(TASKS["nli"].read(row, PromptSpec(), Reply(text)), Unreadable)


@pytest.mark.parametrize(
    "text",
    [
        "The answer is B. The answer is C.",
        "Option A: spoon",
        "B cannot be the answer.",
        "B; maybe A",
        "B... or C",
    ],
)
def test_letters_that_differ_or_are_denied_give_no_choice(text: str) -> None:
    row = Row(({"role": "user", "content": "x"},), answers=TOOLS)
    answer = TASKS["nlu_qa"].read(row, PromptSpec(), Reply(text))
    assert isinstance(answer, Unreadable)


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("(c)", "C"),
        ("C) garden rake", "C"),
        ("option d", "D"),
        ("Option D: new broom", "D"),
        ("Answer B", "B"),
        ("B → spoon", "B"),
        ("My pick is C.", "C"),
        ("Only D makes sense.", "D"),
        ("B fits best.", "B"),
        ("That leaves C.", "C"),
        ("Based on common sense, the answer is C.", "C"),
        ("Richtig ist B.", "B"),
        ("the garden rake", "C"),
        ("Looking at the four, B is the most appropriate.", "B"),
        ("D: new broom", "D"),
        ("Garden rake.", "C"),
        ("В", "B"),  # Cyrillic
        ("Ｃ", "C"),  # full width
        ("The right answer is (D) new broom.", "D"),
        ("It would be a garden rake.", "C"),
        ("The garden rake is the best choice.", "C"),
        ("I think it is B", "B"),
        ("So D.", "D"),
        ("B because soup is eaten with it", "B"),
        ("A since people shop there", "A"),
        ("B is correct.", "B"),
        ("La respuesta correcta es la D.", "D"),
        ("正确答案是D", "D"),
        ("C. Rakes gather leaves, which nothing else does.", "C"),
    ],
)
def test_a_choice_is_read_by_its_letter_its_text_or_both(text: str, letter: str) -> None:
    assert read(TOOLS, text) == letter


@pytest.mark.parametrize(
    "text",
    [
        "(B) garden rake",
        "A spoon",
        "B or C",
        "B, C",
        "(B) spoon and (C) garden rake",
        "(B) is wrong.",
        "The wrong answer is B.",
        "B would not do.",
        "Not B.",
        "Vitamin C helps.",
        "Plan B",
        "C++",
        "D'accord",
        "B-movie",
        "rake",
        "2",
        "Option 2",
        "E",
        "None of the above",
        "C. Spoons are smaller, unlike (A).",
        "C because B is correct.",
        "B?",
    ],
)
def test_a_letter_that_states_no_choice_is_not_read(text: str) -> None:
    assert read(TOOLS, text) is None


DRESS = ["{}", "{}.", "**{}**", "'{}'", '"{}"', "“{}”", "({})", "[{}]", "`{}`", " {}\n", "«{}»"]


@given(st.sampled_from([LABELS, CODES, VERDICTS, TOOLS]), st.data(), st.sampled_from(DRESS))
def test_no_dress_changes_a_value(space: AnswerSpace, data: st.DataObject, form: str) -> None:
    value = data.draw(st.sampled_from(space.values))
    for spelling in (value, value.lower(), value.upper()):
        assert read(space, form.format(spelling)) == value


@given(st.text(max_size=80))
def test_words_outside_the_space_are_never_read(text: str) -> None:
    space = AnswerSpace(("quokka", "wombat"))
    if "quokka" not in text.casefold() and "wombat" not in text.casefold():
        assert read(space, text) is None


@pytest.mark.slow
@pytest.mark.parametrize("space", [LABELS, TOOLS])
@pytest.mark.parametrize("part", ["(A) ", "so A, ", "because ", "'", "neither neutral nor ", " \n"])
def test_hostile_texts_are_read_in_bounded_time(space: AnswerSpace, part: str) -> None:
    read(space, part * 20_000)
    read(space, (part * 300)[:999])
