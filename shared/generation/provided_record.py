"""The journal record of a row that brings its own answer. No request is sent for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from shared.dataset.rows import Row
from shared.generation.record import Record
from shared.generation.reference_agreement import compare_with_reference
from shared.spec.models import RunSpec
from shared.tasks import TASKS, Unreadable
from shared.tasks.checked_answers import provided_answers

PROVIDED = "provided"  # instead of the name of a teacher


class NoTeacher:
    """Stands for the teacher of a run that asks none."""

    def when_none_waits(self, call: Callable[[], None]) -> None:
        """Do nothing: no request ever waits."""

    def stop(self) -> None:
        """Do nothing: no request is ever sent."""

    async def complete(self, *arguments: object, **options: object) -> NoReturn:
        raise AssertionError("a run with provided answers asks no teacher")


def provided_record(line: int, row: Row, spec: RunSpec) -> Record:
    """Return the record of a usable row."""
    task = TASKS[spec.task]
    answers = provided_answers(task, row, spec.prompt, spec.quality.skip_checks)
    assert not isinstance(answers, Unreadable), "the row's checks have read it"
    texts = [answer.text for answer in answers]
    record = Record(line=line, id=row.id, status="accepted", answers=texts, model=PROVIDED)
    if spec.prompt.chain_of_thought:
        record.reasoning = [answer.reasoning for answer in answers]
    compare_with_reference(record, row, spec)
    return record
