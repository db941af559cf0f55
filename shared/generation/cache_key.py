"""The key of a request: all that decides what the teacher answers, if its answer is whole.

The same key in another run or round, whatever the line, split or student there, stands for the same
question, whose replies need not be bought again. They are read and checked by the settings that the
run has now.
"""

from __future__ import annotations

import hashlib
import json

from pydantic_core import to_json

from shared.dataset.rows import Row
from shared.spec.models import RunSpec, TeacherSpec
from shared.tasks import PROMPT_VERSION, TASKS

# characters of a SHA-256 in hex: 128 bits
KEY_CHARACTERS = 32
# settings of section `teacher` that no request carries
CLIENT_SETTINGS = {
    "concurrency",
    "timeout_seconds",
    "max_attempts",
    "row_deadline_seconds",
    "stop_seconds",
}
# Those that decide whether an answer is whole: a whole one is the same under any of them.
SIZE_SETTINGS = {"max_tokens", "max_tokens_ceiling"}
# settings of section `prompt` that the teacher never sees, or only in the messages
OTHER_PROMPT_SETTINGS = {
    "student_learns",
    "student_system",
    "student_system_mode",
    "teacher_system",
    "teacher_system_mode",
    "max_summary_words",
}


class CacheKeys:
    """The keys of one run's requests.

    The part that is common to all is hashed once: every row has a key, which takes about 5 µs.
    """

    def __init__(self, spec: RunSpec) -> None:
        self._task = TASKS[spec.task]
        self._prompt = spec.prompt
        common = [
            spec.task,
            PROMPT_VERSION,
            _teacher(spec.teacher),
            spec.prompt.model_dump(exclude=OTHER_PROMPT_SETTINGS, exclude_defaults=True),
        ]
        self._common = hashlib.sha256(to_json(common))

    def of(self, row: Row) -> str:
        """Return the key of the request for this row."""
        later_questions = [
            message["content"] for message in row.turns[1:] if message["role"] == "user"
        ]
        request: list[object] = [
            self._task.teacher_messages(row, self._prompt, []),
            later_questions,
            self._task.schema(row, self._prompt),
            self._task.answer_schema(row) if self._task.has_values else None,
        ]
        digest = self._common.copy()
        digest.update(to_json(request))
        return digest.hexdigest()[:KEY_CHARACTERS]


def _teacher(spec: TeacherSpec) -> str:
    """Return the settings that change an answer, in an order of their own."""
    settings = spec.model_dump(exclude=CLIENT_SETTINGS | SIZE_SETTINGS, exclude_none=True)
    if not spec.extra_body:
        settings.pop("extra_body", None)  # an empty one adds nothing to a request
    return json.dumps(settings, sort_keys=True)
