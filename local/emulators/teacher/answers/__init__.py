"""What the teacher says: it reads the prompt, knows which of the five tasks it is, and works the answer out by rules."""

from __future__ import annotations

from functools import lru_cache

from local.emulators.teacher.answers import conversation, math, nli, nlu_qa, summarization
from local.emulators.teacher.answers.prompt import Prompt
from local.emulators.teacher.answers.solution import Solution

# the first task that recognises the prompt answers it; a conversation is whatever no other task claims
_TASKS = (nli, nlu_qa, summarization, math)


@lru_cache(maxsize=2048)
def solve(prompt: Prompt) -> Solution:
    """The answer to the last user message, with its reasoning and a wrong answer of the same form."""
    for task in _TASKS:
        if task.recognises(prompt):
            return task.solve(prompt)
    return conversation.solve(prompt)
