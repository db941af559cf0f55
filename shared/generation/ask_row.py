"""Asks the teacher for one row, all turns or samples of it, and makes its journal record."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Row
from shared.generation.answer_size import AnswerSize
from shared.generation.ask_turn import AsksTeacher, NoAnswer, TurnRequests, may_be_longer_now
from shared.generation.record import MAX_DETAIL_CHARACTERS, OtherReasoning, Record
from shared.generation.reference_agreement import compare_with_reference
from shared.generation.sampling import SelectionRule, next_batch_size
from shared.generation.selection import Selection, examples_in, select, selection_rule, values_of
from shared.generation.stored_reply import without_usual_model
from shared.generation.stored_samples import StoredSamples, read_samples
from shared.spec.example_length import length_problem
from shared.spec.models import RunSpec
from shared.tasks import TASKS, Answer


async def ask_row(
    line: int,
    row: Row,
    spec: RunSpec,
    teacher: AsksTeacher,
    earlier: StoredSamples | None = None,
    size: AnswerSize | None = None,
) -> Record:
    """Ask the teacher for one row. Raises TeacherDown; every other failure is in the record.

    Further samples follow those of `earlier` where both together can decide; otherwise the row is
    asked anew. Rows that share `size` learn from each other how many tokens an answer needs.
    """
    requests = _RowRequests(row, spec, teacher, size or AnswerSize())
    if earlier is not None:
        requests.continue_after(earlier)
    record = await _answered(line, requests)
    compare_with_reference(record, row, spec)
    return record


async def _answered(line: int, requests: _RowRequests) -> Record:
    row = requests.row
    spec = requests.spec
    try:
        if spec.quality.select == "first":
            selection = Selection(await requests.answer_turns())
        else:
            selection = await requests.select_answer()
    except NoAnswer as failure:
        return requests.rejected_record(line, failure)
    record = requests.record(line, selection)
    problem = length_problem(row, spec, selection.turns)
    if problem:
        record.reject(RejectionReason.TOO_LONG, problem)
    return record


@dataclass(slots=True)
class _RowRequests:
    """The turns of a row, or its samples."""

    row: Row
    spec: RunSpec
    teacher: AsksTeacher
    size: AnswerSize
    sent: list[TurnRequests] = field(default_factory=list[TurnRequests])  # by sample
    samples: list[Answer | NoAnswer] = field(default_factory=list[Answer | NoAnswer])
    earlier: int = 0  # samples of another round, which come first

    def continue_after(self, stored: StoredSamples) -> None:
        """Begin with the samples that are stored, unless further ones can't decide with them."""
        if any(reply.saw_reference for reply in stored.replies):
            return
        if any(may_be_longer_now(reply, self.spec.teacher) for reply in stored.replies):
            return
        samples = [sample.value for sample in read_samples(self.row, self.spec, stored)]
        rule = selection_rule(self.spec, self.row)
        examples = examples_in(samples, rule, self._fits)
        batch = next_batch_size(rule, values_of(samples), len(examples))
        can_decide = batch > 0 or self.spec.quality.rationalise
        if not can_decide or not any(isinstance(sample, Answer) for sample in samples):
            return
        self.samples = samples
        self.earlier = len(samples)
        for number in range(self.earlier):
            self._begin().replies = stored.of_sample(number)

    async def answer_turns(self) -> list[Answer]:
        """Return one answer per turn, each asked for with the answers before it."""
        answers: list[Answer] = []
        turn = self._begin()
        for _ in range(TASKS[self.spec.task].turns(self.row)):
            answers.append(await turn.answer(answers))
        return answers

    async def select_answer(self) -> Selection:
        """Return the answer that enough samples, or the row's own reference, agree with."""
        rule = selection_rule(self.spec, self.row)
        samples = self.samples
        examples = examples_in(samples, rule, self._fits)
        while batch := next_batch_size(rule, values_of(samples), len(examples)):
            samples += await self._draw_samples(batch, len(samples))
            examples = examples_in(samples, rule, self._fits)
        try:
            return select(samples, rule, self._fits)
        except NoAnswer as failure:
            can_be_shown = failure.reason == RejectionReason.DISAGREES
            if not self.spec.quality.rationalise or not can_be_shown or rule.reference is None:
                raise
            answer = await self._rationalise(rule, rule.reference, failure)
            return Selection([answer], len(samples), samples=len(samples), is_rationalised=True)

    async def _rationalise(self, rule: SelectionRule, reference: str, failure: NoAnswer) -> Answer:
        """Return the answer of a teacher that is shown the reference, with its reasoning.

        `failure` is why none of the samples is selected. Raises NoAnswer.
        """
        number = len(self.sent)
        turn = self._begin(reference)
        answer = await self._draw_sample(turn, number)
        if isinstance(answer, Answer) and rule.same(answer.text, reference, None):
            return answer
        problem = answer.detail if isinstance(answer, NoAnswer) else f"it answers {answer.text}"
        detail = f"{failure.detail}; a teacher that is shown it: {problem}"
        raise NoAnswer(RejectionReason.DISAGREES, detail[:MAX_DETAIL_CHARACTERS])

    def _fits(self, answer: Answer) -> bool:
        return length_problem(self.row, self.spec, [answer]) is None

    def record(self, line: int, selection: Selection) -> Record:
        """Return an accepted record with every new reply and what the requests cost.

        Model and finish reason are those of the selected sample.
        """
        record = self._record(line, selection.sample)
        record.selected = selection.sample
        record.kept = selection.others
        record.samples = selection.samples
        record.agreeing = selection.agreeing
        record.rationalised = selection.is_rationalised
        if record.has_answers_in_replies:
            record.read_replies()
        else:
            self._set_answers(record, selection)
        return record

    def rejected_record(self, line: int, failure: NoAnswer) -> Record:
        """Return the record of a row without an answer."""
        record = self._record(line, -1)
        record.selected = None
        if record.replies:
            record.read_replies()
        record.reject(failure.reason, failure.detail)
        return record

    def _record(self, line: int, sample: int) -> Record:
        record = Record(
            line=line,
            id=self.row.id,
            status="accepted",
            requests=sum(turn.requests for turn in self.sent),
            prompt_tokens=sum(turn.prompt_tokens for turn in self.sent),
            completion_tokens=sum(turn.completion_tokens for turn in self.sent),
            continued=self.earlier > 0,
        )
        if self.sent[sample].replies:
            record.model = self.sent[sample].replies[-1].model
        replies = [reply for turn in self.sent[self.earlier :] for reply in turn.replies]
        record.replies = without_usual_model(replies, record.model)
        return record

    def _set_answers(self, record: Record, selection: Selection) -> None:
        """Set answers that were selected from the samples of another round."""
        last_replies = [turn.replies[-1:] for turn in self.sent]
        record.answers = [answer.text for answer in selection.turns]
        record.finish_reason = last_replies[selection.sample][0].finish_reason
        if not self.spec.prompt.chain_of_thought:
            return
        record.reasoning = [answer.reasoning for answer in selection.turns]
        for number in selection.others:
            answer = self.samples[number]
            reply = last_replies[number][0]
            assert isinstance(answer, Answer), "only a usable answer is kept"
            other = OtherReasoning(answer.reasoning or "", number, reply.model, reply.finish_reason)
            record.others.append(other)

    async def _draw_samples(self, count: int, first_number: int) -> list[Answer | NoAnswer]:
        """Return so many samples, asked for at the same time, in the order of their numbers."""
        draws = [self._draw_sample(self._begin(), first_number + offset) for offset in range(count)]
        # what is in flight is paid for, so none ends because another has failed
        samples: list[Answer | NoAnswer] = []
        for outcome in await asyncio.gather(*draws, return_exceptions=True):
            if isinstance(outcome, BaseException) and not isinstance(outcome, NoAnswer):
                raise outcome
            samples.append(outcome)
        return samples

    def _begin(self, reference: str | None = None) -> TurnRequests:
        """Return the next sample's requests, in which the teacher may be shown the reference."""
        turn = TurnRequests(
            self.row,
            self.spec,
            self.teacher,
            sample=len(self.sent),
            reference=reference,
            size=self.size,
            is_further=any(turn.requests for turn in self.sent),
        )
        self.sent.append(turn)
        return turn

    async def _draw_sample(self, turn: TurnRequests, number: int) -> Answer | NoAnswer:
        """Return one sample. Each has a seed of its own: with the same, all would be alike."""
        seed = self.spec.teacher.seed
        try:
            return await turn.answer([], None if seed is None else seed + number)
        except NoAnswer as failure:
            return failure
