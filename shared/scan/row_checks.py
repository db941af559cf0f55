"""What a run demands of a row before the teacher is asked: its shape, its task's, and what settings and student want."""

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
        self._spec, self._task = spec, TASKS[spec.task]
        self._student = spec.taught

    def row(self, content: bytes | None) -> Row | Rejection:
        """A line's bytes to a row that the run can use. `content` None: the line is longer than the limit."""
        checked = self.shape(content)
        if isinstance(checked, Rejection):
            return checked
        return self._reference_problem(checked) or self._length_problem(checked) or checked

    def shape(self, content: bytes | None) -> Row | Rejection:
        """A line's bytes to a row of the task, whatever the settings demand of it besides: those may change."""
        parsed = parse_row(content)
        return self._task.check(parsed) if isinstance(parsed, Row) else parsed

    def usable(self, line: Line, shard: Shard) -> Row | Rejection:
        """The row of a line, unless it is wrong or the scan excluded it."""
        row = self.row(line.content)
        if isinstance(row, Row):
            for excluded in shard.excluded:
                if excluded.line == line.number:
                    return Rejection(excluded.reason, excluded.detail, row.id)
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
        """A row whose questions alone are more than the student can take in."""
        asked = [message for message in row.messages if message["role"] != "assistant"]
        context = self._student.context_tokens
        if fits(asked, context):
            return None
        return Rejection(
            RejectionReason.TOO_LONG,
            f"about {chat_tokens(asked):,} tokens, the student takes {context:,}",
            row.id,
        )
