"""Asks the teacher for one row, all turns or samples of it, and makes its journal record."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Row
from shared.generation.ask_turn import AsksTeacher, NoAnswer, TurnRequests
from shared.generation.record import MAX_DETAIL_CHARACTERS, Record
from shared.generation.reference_agreement import compare_with_reference
from shared.generation.sampling import (
    SelectionRule,
    agreeing_samples,
    next_batch_size,
    select_sample,
)
from shared.generation.stored_reply import without_usual_model
from shared.spec.example_length import length_problem
from shared.spec.models import RunSpec
from shared.tasks import TASKS, Answer


async def ask_row(
    line: int,
    row: Row,
    spec: RunSpec,
    teacher: AsksTeacher,
    redact: Callable[[str], str] = str,
) -> Record:
    """Ask the teacher for one row. Raises TeacherDown; every other failure is in the record.

    `redact` replaces the app's secrets in what the teacher says.
    """
    record = await _answered(line, _RowRequests(row, spec, teacher, redact))
    compare_with_reference(record, row, spec)
    return record


async def _answered(line: int, requests: _RowRequests) -> Record:
    row = requests.row
    spec = requests.spec
    try:
        if spec.quality.select == "first":
            selection = _Selection(await requests.answer_turns())
        else:
            selection = await requests.select_answer()
    except NoAnswer as failure:
        return requests.rejected_record(line, failure)
    record = requests.record(line, selection.sample)
    record.samples = selection.samples
    record.agreeing = selection.agreeing
    problem = length_problem(row, spec, selection.turns)
    if problem:
        record.reject(RejectionReason.TOO_LONG, problem)
    return record


@dataclass(frozen=True, slots=True)
class _Selection:
    """The answers that a row's example is built from, and the samples that they come from."""

    turns: list[Answer]
    sample: int = 0  # the number of the selected sample
    samples: int = 0
    agreeing: int = 0


@dataclass(slots=True)
class _RowRequests:
    """The turns of a row, or its samples."""

    row: Row
    spec: RunSpec
    teacher: AsksTeacher
    redact: Callable[[str], str]
    sent: list[TurnRequests] = field(default_factory=list[TurnRequests])  # by sample

    async def answer_turns(self) -> list[Answer]:
        """Return one answer per turn, each asked for with the answers before it."""
        answers: list[Answer] = []
        turn = self._begin()
        for _ in range(TASKS[self.spec.task].turns(self.row)):
            answers.append(await turn.answer(answers))
        return answers

    async def select_answer(self) -> _Selection:
        """Return the answer that enough samples, or the row's own reference, agree with."""
        rule = selection_rule(self.spec, self.row)
        samples: list[Answer | NoAnswer] = []
        while batch := next_batch_size(rule, _values(samples)):
            samples += await self._draw_samples(batch, len(samples))
        vote = select_sample(rule, _values(samples))
        if vote is None:
            raise _nothing_selected(samples, rule)
        answer = samples[vote.sample]
        assert isinstance(answer, Answer)
        return _Selection([answer], vote.sample, len(samples), vote.agreeing)

    def record(self, line: int, sample: int | None) -> Record:
        """Return an accepted record with every reply and what the requests cost.

        Answers, model and finish reason are those of one sample.
        """
        record = Record(
            line=line,
            id=self.row.id,
            status="accepted",
            selected=sample,
            requests=sum(turn.requests for turn in self.sent),
            prompt_tokens=sum(turn.prompt_tokens for turn in self.sent),
            completion_tokens=sum(turn.completion_tokens for turn in self.sent),
        )
        replies = [reply for turn in self.sent for reply in turn.replies]
        of_sample = self.sent[-1 if sample is None else sample].replies
        if of_sample:
            record.model = of_sample[-1].model
        if replies:
            record.replies = without_usual_model(replies, record.model)
            record.read_replies()
        return record

    def rejected_record(self, line: int, failure: NoAnswer) -> Record:
        """Return the record of a row without an answer."""
        record = self.record(line, None)
        record.reject(failure.reason, failure.detail)
        return record

    async def _draw_samples(self, count: int, first_number: int) -> list[Answer | NoAnswer]:
        """Return so many samples, asked for at the same time, in the order of their numbers."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._draw_sample(self._begin(), first_number + offset))
                    for offset in range(count)
                ]
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return [task.result() for task in tasks]

    def _begin(self) -> TurnRequests:
        turn = TurnRequests(self.row, self.spec, self.teacher, self.redact, len(self.sent))
        self.sent.append(turn)
        return turn

    async def _draw_sample(self, turn: TurnRequests, number: int) -> Answer | NoAnswer:
        """Return one sample. Each has a seed of its own: with the same, all would be alike."""
        seed = self.spec.teacher.seed
        try:
            return await turn.answer([], None if seed is None else seed + number)
        except NoAnswer as failure:
            return failure


def selection_rule(spec: RunSpec, row: Row) -> SelectionRule:
    """Return how one of the row's samples is selected."""
    task = TASKS[spec.task]
    quality = spec.quality
    reference: str | None = None
    if quality.select == "reference":
        value = task.reference_value(row)
        reference = value if isinstance(value, str) else None
    return SelectionRule(
        max_samples=quality.samples,
        min_agreement=quality.min_agreement,
        reference=reference,
        tolerance=quality.tolerance,
        same=task.same_value,
        exactness=task.exactness,
    )


def _values(samples: Sequence[Answer | NoAnswer]) -> list[str | None]:
    return [sample.text if isinstance(sample, Answer) else None for sample in samples]


def _nothing_selected(samples: Sequence[Answer | NoAnswer], rule: SelectionRule) -> NoAnswer:
    """Return why no sample was selected."""
    values = [sample.text for sample in samples if isinstance(sample, Answer)]
    if not values:
        failures = [sample for sample in samples if isinstance(sample, NoAnswer)]
        return min(failures, key=lambda failure: failure.reason)
    listed = ", ".join(dict.fromkeys(values))
    count = len(samples)
    if rule.reference is not None:
        detail = f"none of {count} answers agrees with the reference {rule.reference}: {listed}"
        return NoAnswer(RejectionReason.DISAGREES, detail[:MAX_DETAIL_CHARACTERS])
    agreeing = agreeing_samples(rule, _values(samples))
    detail = (
        f"{agreeing} of {count} answers agree, but {rule.required} of {rule.max_samples} must: "
        f"{listed}"
    )
    unusable = count - len(values)
    if unusable:
        detail += f"; {unusable} could not be used"
    return NoAnswer(RejectionReason.NO_MAJORITY, detail[:MAX_DETAIL_CHARACTERS])
