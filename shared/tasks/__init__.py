"""The registry of task types, by name."""

from __future__ import annotations

from shared.tasks.base import Answer, Schema, Task, TeacherRequest, Unreadable
from shared.tasks.conversation import Conversation
from shared.tasks.math import Math
from shared.tasks.nli import Nli
from shared.tasks.nlu_qa import NluQa
from shared.tasks.prompts import PROMPT_VERSION
from shared.tasks.replies.reply import Reply, split_reply
from shared.tasks.summarization import Summarization
from shared.tasks.texts.text_checks import CheckName

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Nli(),
        Conversation(),
        NluQa(),
        Math(),
        Summarization(),
    )
}


def tasks_taking(prompt_setting: str) -> str:
    """Return the names of the tasks that accept a prompt setting, for descriptions."""
    return ", ".join(name for name, task in TASKS.items() if prompt_setting in task.prompt_settings)


def tasks_declaring(answer_setting: str) -> str:
    """Return the names of the tasks that accept a setting of `answers`, for descriptions."""
    return ", ".join(name for name, task in TASKS.items() if answer_setting in task.answer_settings)


def tasks_with_values() -> str:
    """Return the names of the tasks whose answers can be compared, for descriptions."""
    return ", ".join(name for name, task in TASKS.items() if task.has_values)


def tasks_with_checks() -> str:
    """Return the names of the tasks whose texts are checked, for descriptions."""
    return ", ".join(name for name, task in TASKS.items() if task.text_checks)


__all__ = [
    "PROMPT_VERSION",
    "TASKS",
    "Answer",
    "CheckName",
    "Reply",
    "Schema",
    "Task",
    "TeacherRequest",
    "Unreadable",
    "split_reply",
    "tasks_declaring",
    "tasks_taking",
    "tasks_with_checks",
    "tasks_with_values",
]
