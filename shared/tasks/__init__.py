"""The task types, by name."""

from __future__ import annotations

from shared.tasks.base import PROMPT_VERSION, Answer, Schema, Task, Unreadable
from shared.tasks.conversation import Conversation
from shared.tasks.math import Math
from shared.tasks.nli import Nli
from shared.tasks.nlu_qa import NluQa
from shared.tasks.summarization import Summarization

TASKS: dict[str, Task] = {
    task.name: task for task in (Nli(), Conversation(), NluQa(), Math(), Summarization())
}

__all__ = ["PROMPT_VERSION", "TASKS", "Answer", "Schema", "Task", "Unreadable"]
