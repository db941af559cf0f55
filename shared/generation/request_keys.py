"""What identifies a request: everything that decides what the teacher is asked for a row, and how its answer is chosen and read.

The same key in another run, whatever line, split or student it has there, stands for the same answer: it is not bought again.
"""

from __future__ import annotations

import hashlib

from pydantic_core import to_json

from shared.dataset.rows import Row
from shared.spec.models import RunSpec
from shared.tasks import PROMPT_VERSION, TASKS

KEY_CHARACTERS = 32  # of a SHA-256, in hex: 128 bits
# settings of the client, which no request carries
CLIENTS_OWN = {"concurrency", "timeout_seconds", "max_attempts", "row_deadline_seconds"}
STUDENTS_OWN = {"student_learns"}  # of section prompt: the teacher never hears of it


class RequestKeys:
    """Keys of one run's requests. What all of them share is hashed once: a key takes about 5 µs, as every row has one."""

    def __init__(self, spec: RunSpec) -> None:
        self._task, self._prompt = TASKS[spec.task], spec.prompt
        self._chooses_by_reference = spec.quality.select == "reference"
        shared = [
            spec.task,
            PROMPT_VERSION,
            spec.teacher.model_dump(exclude=CLIENTS_OWN, exclude_none=True),
            spec.prompt.model_dump(exclude=STUDENTS_OWN, exclude_defaults=True),
            [spec.quality.select, spec.quality.samples],
        ]
        self._shared = hashlib.sha256(to_json(shared))

    def of(self, row: Row) -> str:
        """Key of what the teacher is asked for this row."""
        asked = [
            self._task.teacher_messages(row, self._prompt, []),
            [message["content"] for message in row.turns[1:] if message["role"] == "user"],
            self._task.schema(row, self._prompt),
            self._task.reference_value(row) if self._chooses_by_reference else None,
        ]
        digest = self._shared.copy()
        digest.update(to_json(asked))
        return digest.hexdigest()[:KEY_CHARACTERS]
