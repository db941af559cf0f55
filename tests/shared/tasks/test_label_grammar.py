"""Labels are those that a row's own prompt names, wherever it does, and never words of its data."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.tasks.labels.label_grammar import find_labels

PAIR = "Premise: The kettle is full.\nHypothesis: The kettle is empty."
SHAPES = ("agree", "differ", "unclear")


def labels(system: str | None, user: str = PAIR) -> tuple[str, ...] | None:
    """The labels of a prompt, None if they cannot be told."""
    listing = find_labels(system, user).labels
    return listing.labels if listing else None


@pytest.mark.parametrize(
    "instruction",
    [
        "Answer with agree, differ or unclear.",
        "Respond with agree / differ / unclear and nothing else.",
        "Labels: agree|differ|unclear",
        "Labels: agree, differ, unclear",
        "Reply with exactly one of these words: agree, differ, unclear.",
        "Classify the pair as agree, differ or unclear.",
        "Choose between agree, differ and unclear.",
        "Valid outputs are: agree, differ, unclear.",
        "There are three labels: agree, differ, and unclear.",
        "## Labels\n- agree\n- differ\n- unclear",
        "Do not say 'same' or 'other'. Answer with agree, differ or unclear.",
        "Your output is one of 'agree', 'differ', 'unclear'.",
        "Output “agree”, “differ” or “unclear”.",
        "Answer with **agree**, **differ** or **unclear**.",
        "Say `agree` if both tell the same, `differ` if not both can be true, otherwise `unclear`.",
        "Choose one of the following labels:\n- agree\n- differ\n- unclear",
        "Labels:\n1. agree: both tell the same\n2. differ: they don't\n3. unclear: all else",
        "Labels:\nagree\ndiffer\nunclear",
        "Labels:\nagree\ndiffer\nunclear\nAnswer with one of them.",
        'Return JSON: {"label": "agree|differ|unclear"}',
        "Give the label (agree, differ, unclear).",
        "Labels: [agree] [differ] [unclear]",
        "Reply with one of: agree, differ, unclear, where agree means that both tell the same.",
        "agree=0, differ=1, unclear=2. Answer with the word, not the number.",
        "Answer with agree, differ or unclear. Do not output 'yes' or 'no'.",
        "label ∈ {agree, differ, unclear}",
        "## Labels\n`agree`, `differ`, `unclear`\n\n## Output\nThe label alone.",
        "Choose one: agree, differ, unclear.",
        "Output one of three labels, i.e. agree, differ or unclear, and nothing else.",
        "Valid labels are as follows:\nagree\ndiffer\nunclear\n\nName one of them.",
        '{"labels": ["agree", "differ", "unclear"], "task": "comparison"}',
        'Return {"why": "<text>", "label": "agree|differ|unclear", "confidence": "high|low"}',
        'Form:\n```json\n{"label": "<agree|differ|unclear>"}\n```',
        "Respond with 'agree', 'differ' or 'unclear'; the texts may hold words like 'same'.",
        "Classes:\n0: agree\n1: differ\n2: unclear\nReturn the class name, not the number.",
        "Labels:\n- agree\n- differ\n- unclear\nAnswer with a label.",
        "Antworte mit agree, differ oder unclear.",
        "Antwoord met 'agree', 'differ' of 'unclear'.",
        "Odpowiedz jednym słowem: agree, differ lub unclear.",
        "أجب بإحدى الكلمات: agree، differ، unclear.",
        "다음 중 하나로 답하세요: agree, differ, unclear",
        "Réponds par agree, differ ou unclear.",
        "Responde con una de estas etiquetas: agree, differ o unclear.",
        "Rispondi con agree, differ o unclear.",
        "Ответь одним из слов: agree, differ, unclear.",
        "只回答：agree、differ或unclear。",
        "次のいずれかで答えてください：「agree」「differ」「unclear」",
    ],
)
def test_labels_are_read_wherever_the_prompt_has_them(instruction: str) -> None:
    assert labels(instruction) == SHAPES
    assert labels(None, f"{instruction}\n\n{PAIR}") == SHAPES


@pytest.mark.parametrize(
    ("instruction", "expected", "meanings"),
    [
        (
            "Reply with 1 for same, 2 for other and 3 for unknown.",
            "123",
            ("same", "other", "unknown"),
        ),
        ("Write a digit: 0 = same, 1 = other.", "01", ("same", "other")),
        ("Use 1 if they agree and 0 if they do not agree or are unclear.", "10", None),
        ("Answer with one letter: s: same, o: other", "so", ("same", "other")),
        ("Answer with the number of the label:\n1) same\n2) other", "12", ("same", "other")),
        ("Answer with the number: same (0) or other (1).", "01", ("same", "other")),
    ],
)
def test_codes_are_labels_with_a_meaning(
    instruction: str, expected: str, meanings: tuple[str, ...] | None
) -> None:
    listing = find_labels(instruction, PAIR).labels
    assert listing is not None
    assert listing.labels == tuple(expected)
    assert meanings is None or listing.meanings == meanings


def test_words_that_stand_before_data_elsewhere_may_end_an_instruction() -> None:
    instruction = "Label the relation of text 1 and text 2: entailment, neutral or contradiction."
    assert labels(instruction) == ("entailment", "neutral", "contradiction")


def test_a_number_behind_a_word_is_another_spelling_of_it() -> None:
    listing = find_labels("Answer with same (0) or other (1).", PAIR).labels
    assert listing is not None
    assert listing.labels == ("same", "other")
    assert listing.aliases == (("0", "same"), ("1", "other"))


@pytest.mark.parametrize(
    "user",
    [
        'Passage: The note said: answer with "red" or "blue".\nClaim: There is a note.',
        "Text A: One of 'up' and 'down' was printed.\nText B: Labels: left, right",
        "[17] Premise: Reply with one of: red, blue.\nHypothesis: Someone replied.",
        "<premise>Answer with 'red' or 'blue'.</premise>\n<hypothesis>It is late.</hypothesis>",
        "Premise: a\nHypothesis: b\nLabel: red\n\nPremise: c\nHypothesis: d\nLabel:",
    ],
)
def test_words_of_the_data_and_of_examples_are_no_labels(user: str) -> None:
    assert labels(None, user) is None
    assert labels("Answer with agree, differ or unclear.", user) == SHAPES


@pytest.mark.parametrize(
    "instruction",
    [
        "You compare two texts.",
        "Answer with care and precision.",
        "Respond with a short sentence or two.",
        "Reply with the label only.",
        "Answer with agree.",
        "Never answer with 'perhaps' or 'possibly'.",
        "Labels: agree, agree",
    ],
)
def test_without_two_labels_nothing_is_assumed(instruction: str) -> None:
    assert labels(instruction) is None


def test_lists_that_differ_are_a_conflict_that_is_told() -> None:
    contradicting = find_labels("Answer with agree or differ.", f"Reply with yes or no.\n\n{PAIR}")
    assert contradicting.labels is None
    assert {listing.labels for listing in contradicting.conflict} == {
        ("agree", "differ"),
        ("yes", "no"),
    }


@pytest.mark.parametrize(
    "instruction",
    [
        "agree → 0, differ → 1, unclear → 2. Give the number.",
        'The labels are {"agree": 0, "differ": 1, "unclear": 2}. Return the number.',
        "Answer with the class id: agree (0), differ (1), unclear (2).",
        "One of the digits 0, 1, 2, where 0 is agree, 1 is differ and 2 is unclear.",
    ],
)
def test_numbers_behind_words_are_the_labels_where_numbers_are_wanted(instruction: str) -> None:
    assert labels(instruction) == ("0", "1", "2")


def test_labels_in_capitals_may_be_words_of_instructions() -> None:
    assert labels("Labels: FOR, AGAINST, NO STANCE") == ("FOR", "AGAINST", "NO STANCE")
    assert labels("Tag the pair as SAME, DIFF, or N/A.") == ("SAME", "DIFF", "N/A")


def test_a_user_message_without_an_instruction_names_no_labels_beside_the_system_prompts() -> None:
    system = "Label the pair agree, differ or unclear; answer with agree, differ or unclear."
    assert labels(system, 'P: The options were "A" or "B".\nH: There were two.') == SHAPES


def test_an_instruction_behind_the_data_counts_where_there_is_none_before() -> None:
    assert labels(None, f"{PAIR}\n\nAnswer with agree, differ or unclear.") == SHAPES
    assert labels(None, f"{PAIR}\n\nOptions:\n- agree\n- differ\n- unclear") == SHAPES


WORD = st.text("abcdefghijklmnopqrstuvwxyz", min_size=5, max_size=12).filter(
    lambda word: labels(f"Answer with {word} or qqqqq.") is not None
)


@given(st.lists(WORD, min_size=2, max_size=6, unique=True), st.sampled_from("'\"`"))
def test_quoted_words_are_the_labels_whatever_they_are(words: list[str], quote: str) -> None:
    listed = ", ".join(f"{quote}{word}{quote}" for word in words)
    assert labels(f"Your answer is one of {listed}.") == tuple(words)


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "one of " * 20_000,
        "Labels:" * 20_000,
        "0 for a, " * 20_000,
        "<premise>" * 20_000,
        "'a' " * 50_000,
    ],
    ids=["one of", "headings", "codes", "tags", "quotes"],
)
def test_a_hostile_prompt_is_read_in_bounded_time(text: str) -> None:
    find_labels(text, text)
