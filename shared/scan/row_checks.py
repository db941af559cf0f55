"""Checks a row before the teacher is paid: its shape, its task's rules, settings and student."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.dataset.rejection import MAX_REPLY_CHARACTERS, Rejection, RejectionReason
from shared.dataset.rows import Row, parse_row
from shared.dataset.token_estimates import chat_tokens, fits
from shared.spec.example_length import length_problem
from shared.spec.models import RunSpec
from shared.tasks import TASKS, Answer, Unreadable
from shared.tasks.checked_answers import provided_answers

if TYPE_CHECKING:
    from shared.dataset.lines import Line
    from shared.scan.plan import Shard


class RowChecks:
    """The checks of one run.

    Rows that aren't asked need neither a reference to select an answer by nor a provided answer: an
    answer that they have is their reference.
    """

    def __init__(self, spec: RunSpec, *, are_asked: bool = True) -> None:
        self._spec = spec
        self._are_asked = are_asked
        self._task = TASKS[spec.task]
        self._student = spec.taught

    def row(self, content: bytes | None) -> Row | Rejection:
        """Return the row of a line, or why the run can't use it.

        `content` is None if the line is longer than the limit.
        """
        row = self.shape(content)
        if isinstance(row, Rejection):
            return row
        problem = self._reference_problem(row) or self._length_problem(row)
        if problem is None and row.provided_answer is not None:
            problem = self._answer_problem(row)
        return problem or row

    def shape(self, content: bytes | None) -> Row | Rejection:
        """Return the row of a line as its task accepts it.

        Settings that may change when a run is resumed are not checked.
        """
        row = parse_row(content)
        are_provided = self._are_asked and self._spec.answers.are_provided
        if isinstance(row, Row) and are_provided:
            row = row.with_provided_answer()
        return self._task.check(row, self._spec.answers) if isinstance(row, Row) else row

    def usable(self, line: Line, shard: Shard) -> Row | Rejection:
        """Return the row of a line, or why it is rejected: by the checks or as a duplicate."""
        row = self.row(line.content)
        if isinstance(row, Row):
            for exclusion in shard.excluded:
                if exclusion.line == line.number:
                    return Rejection(exclusion.reason, exclusion.detail, row.id)
        return row

    def _reference_problem(self, row: Row) -> Rejection | None:
        if self._spec.quality.select != "reference" or not self._are_asked:
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

    def _answer_problem(self, row: Row) -> Rejection | None:
        """Reject a row whose provided answers can't be used: they are known before the run."""
        prompt = self._spec.prompt
        answers = provided_answers(self._task, row, prompt, self._spec.quality.skip_checks)
        if isinstance(answers, Unreadable):
            return _rejected_answer(row, answers.reason, answers.detail, answers.reply)
        return self._disagreement(row, answers[-1]) or self._excess_length(row, answers)

    def _disagreement(self, row: Row, answer: Answer) -> Rejection | None:
        if self._spec.quality.select != "reference":
            return None
        reference = self._task.reference_value(row)
        tolerance = self._spec.quality.tolerance
        assert isinstance(reference, str), "the row's reference has been checked"
        if self._task.same_value(answer.text, reference, tolerance):
            return None
        detail = f"the answer {answer.text} doesn't agree with the reference {reference}"
        return _rejected_answer(row, RejectionReason.DISAGREES, detail, row.provided_answer)

    def _excess_length(self, row: Row, answers: list[Answer]) -> Rejection | None:
        problem = length_problem(row, self._spec, answers)
        return Rejection(RejectionReason.TOO_LONG, problem, row.id) if problem else None

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


def _rejected_answer(
    row: Row, reason: RejectionReason, detail: str, reply: str | None
) -> Rejection:
    return Rejection(reason, detail, row.id, (reply or "")[:MAX_REPLY_CHARACTERS])
