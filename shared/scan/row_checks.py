"""Checks a row before the teacher is paid: its shape, its task's rules, settings and student."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.dataset.rejection import Rejection, RejectionReason
from shared.dataset.rows import Row, parse_row
from shared.dataset.token_estimates import chat_tokens, fits
from shared.spec.models import RunSpec
from shared.tasks import TASKS, Unreadable

if TYPE_CHECKING:
    from shared.dataset.lines import Line
    from shared.scan.plan import Shard


class RowChecks:
    """The checks of one run."""

    def __init__(self, spec: RunSpec) -> None:
        self._spec = spec
        self._task = TASKS[spec.task]
        self._student = spec.taught

    def row(self, content: bytes | None) -> Row | Rejection:
        """Return the row of a line, or why the run can't use it.

        `content` is None if the line is longer than the limit.
        """
        checked = self.shape(content)
        if isinstance(checked, Rejection):
            return checked
        return self._reference_problem(checked) or self._length_problem(checked) or checked

    def shape(self, content: bytes | None) -> Row | Rejection:
        """Return the row of a line as its task accepts it.

        Settings that may change when a run is resumed are not checked.
        """
        parsed = parse_row(content)
        return self._task.check(parsed, self._spec.answers) if isinstance(parsed, Row) else parsed

    def usable(self, line: Line, shard: Shard) -> Row | Rejection:
        """Return the row of a line, or why it is rejected: by the checks or as a duplicate."""
        row = self.row(line.content)
        if isinstance(row, Row):
            for exclusion in shard.excluded:
                if exclusion.line == line.number:
                    return Rejection(exclusion.reason, exclusion.detail, row.id)
        return row

    def _reference_problem(self, row: Row) -> Rejection | None:
        if self._spec.quality.select != "reference":
            return None
        reference = self._task.reference_value(row)
        if reference is None:
            return Rejection(
                RejectionReason.NO_REFERENCE,
                "there is no reference answer, and quality.select is reference",
                row.id,
            )
        if isinstance(reference, Unreadable):
            return Rejection(
                RejectionReason.INVALID_REFERENCE,
                f"the reference answer cannot be read: {reference.detail}",
                row.id,
            )
        return None

    def _length_problem(self, row: Row) -> Rejection | None:
        """Reject a row whose questions alone exceed the student's context."""
        questions = [message for message in row.turns if message["role"] == "user"]
        system = self._spec.prompt.student_prompt(row.system)
        if system:
            questions.append({"role": "system", "content": system})
        context = self._student.context_tokens
        if fits(questions, context):
            return None
        return Rejection(
            RejectionReason.TOO_LONG,
            f"about {chat_tokens(questions):,} tokens, the student takes {context:,}",
            row.id,
        )
