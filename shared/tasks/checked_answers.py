"""Answers as their tasks accept them: of one reply, or all that a row brings."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from shared.dataset.rows import Row
from shared.tasks.base import Answer, Task, Unreadable
from shared.tasks.replies.reply import Reply, split_reply

if TYPE_CHECKING:
    from shared.tasks.prompt_spec import PromptSpec


def checked_answer(
    task: Task,
    row: Row,
    prompt: PromptSpec,
    answers: Sequence[Answer],
    reply: Reply,
    skip_checks: Collection[str],
) -> Answer | Unreadable:
    """Return the answer in a reply, or why it can't be used. `answers` are the turns before."""
    answer = task.read(row, prompt, reply)
    if isinstance(answer, Answer):
        answer = task.checked(row, prompt, answers, answer, skip_checks)
    if isinstance(answer, Answer) and answer.reasoning is None and reply.reasoning:
        return replace(answer, reasoning=reply.reasoning)
    return answer


def provided_answers(
    task: Task, row: Row, prompt: PromptSpec, skip_checks: Collection[str]
) -> list[Answer] | Unreadable:
    """Return the answers that a row brings, one a turn, read and checked as a teacher's replies.

    The student learns every assistant turn of a conversation, so the earlier ones are checked too.
    """
    texts = [turn["content"] for turn in row.turns if turn["role"] == "assistant"]
    texts.append(row.provided_answer or "")
    answers: list[Answer] = []
    for number, text in enumerate(texts, 1):
        answer = checked_answer(task, row, prompt, answers, split_reply(text), skip_checks)
        if isinstance(answer, Unreadable):
            place = f"assistant turn {number} of {len(texts)}: " if len(texts) > 1 else ""
            return replace(answer, detail=f"{place}{answer.detail}", reply=text)
        answers.append(answer)
    return answers
