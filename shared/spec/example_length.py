"""Whether an example fits the context of the student that learns from it."""

from __future__ import annotations

from collections.abc import Sequence

from shared.dataset.rows import Row
from shared.dataset.token_estimates import TOKENS_PER_MESSAGE, TOKENS_PER_REQUEST, chat_tokens, fits
from shared.spec.models import RunSpec
from shared.tasks import TASKS, Answer
from shared.tasks.prompt_spec import PromptSpec

# a task adds at most so much to an answer, such as "Answer: "
MAX_ANSWER_PREFIX_CHARACTERS = 40


def length_problem(row: Row, spec: RunSpec, turns: Sequence[Answer]) -> str | None:
    """Return why an example exceeds the student's context, None if it fits. It is never cut."""
    student = spec.taught
    if max_example_tokens(row, spec.prompt, turns) <= student.context_tokens:
        return None
    example = TASKS[spec.task].student_messages(
        row, spec.prompt, turns, system_role=student.system_role
    )
    if fits(example, student.context_tokens):
        return None
    tokens = chat_tokens(example)
    return f"about {tokens:,} tokens with its answer, the student takes {student.context_tokens:,}"


def max_example_tokens(row: Row, prompt: PromptSpec, turns: Sequence[Answer]) -> int:
    """Return an upper bound of an example's tokens, as a token has at least one character.

    Nearly all rows are short enough by this bound, and need no exact count.
    """
    tokens = TOKENS_PER_REQUEST + TOKENS_PER_MESSAGE
    tokens += len(prompt.student_prompt(row.system) or "")
    for message in row.messages:
        tokens += len(message["content"]) + TOKENS_PER_MESSAGE
    for answer in turns:
        tokens += len(answer.text) + len(answer.reasoning or "")
        tokens += MAX_ANSWER_PREFIX_CHARACTERS + TOKENS_PER_MESSAGE
    return tokens
