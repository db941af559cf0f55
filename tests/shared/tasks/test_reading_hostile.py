"""Hostile replies: each gives a value or a named reason within a fraction of a second."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.dataset.rows import as_jsonl
from shared.tasks import TASKS, Answer, split_reply
from shared.tasks.prompt_spec import PromptSpec
from tests.shared.tasks.test_reading_answers import CHOICES, NLI, PLAIN, REASONED, read
from tests.shared.tasks.test_reading_properties import SHORT

DENSE = PromptSpec(chain_of_density=True)
PROMPTS = [
    *((task, prompt) for task in SHORT for prompt in (PLAIN, REASONED)),
    *[("summarization", PLAIN), ("summarization", DENSE), ("conversation", PLAIN)],
]

BITS = [
    "<think>", "</think>", "```", "{", "}", '{"answer": ', '"', "\\boxed{", "####", "Answer: ",
    "(A)", "B", "7", "1/", ",", "neutral", " not ", "\n", "\ud800", "\\u",
    "\\", "1e9", "[", "NaN", '{"steps": [{"summary": ', "$", "=", "-", "½", "٣",
]  # fmt: skip
hostile = st.text(max_size=300) | st.lists(
    st.sampled_from(BITS) | st.text(max_size=3), max_size=60
).map("".join)


@pytest.mark.parametrize(("task", "prompt"), PROMPTS)
@settings(max_examples=150)
@given(reply=hostile)
def test_any_text_gives_a_value_that_files_can_hold_or_a_named_reason(
    task: str, prompt: PromptSpec, reply: str
) -> None:
    for row in (CHOICES, NLI):
        answer = TASKS[task].read(row, prompt, split_reply(reply))
        if isinstance(answer, Answer):
            assert answer.text.strip()
            assert as_jsonl([answer.text, answer.reasoning])
        else:
            assert answer.reason
            assert answer.detail


@pytest.mark.parametrize("task", SHORT)
@given(reply=hostile)
def test_what_is_read_is_read_again_as_itself(task: str, reply: str) -> None:
    row, _ = SHORT[task]
    answer = TASKS[task].read(row, PLAIN, split_reply(reply))
    if isinstance(answer, Answer):
        assert read(task, row, answer.text) == answer.text


CHARACTERS = 30_000
SECONDS = 20  # of processor time: far more than linear patterns take, far less than others
FLOODS = [
    "answer for ", "answer: ", "```", "`", "!", "```a", "a", " ", "\n", "<think>",
    "{", '{"a":', '{"a"', "[{", "\\boxed{", "1,", "1", "1 1/", "*1", "=1",
    "#### \n", "(A) ", "not entailment ", "neutral\n", "12\n", "\\frac{", '"', "I'm sorry ",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_of_text_is_read_in_no_time(flood: str) -> None:
    text = (flood * (CHARACTERS // len(flood) + 1))[:CHARACTERS]
    plain, reasoned = f'```{text}"', json.dumps({"answer": text, "reasoning": "x"})
    for task, prompt in PROMPTS:
        began = time.process_time()
        reply = plain if prompt is PLAIN else reasoned
        TASKS[task].read(CHOICES, prompt, split_reply(reply))
        assert time.process_time() - began < SECONDS, (task, prompt)
