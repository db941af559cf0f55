"""Asks the teacher for one row, turn by turn, and makes its journal record.

Truncated and unreadable replies are asked for again, a bounded number of times.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Message, Row
from shared.dataset.token_estimates import TOKENS_PER_MESSAGE, TOKENS_PER_REQUEST, chat_tokens, fits
from shared.generation.record import MAX_DETAIL_CHARACTERS, Record
from shared.generation.sampling import next_batch_size, select_value
from shared.spec.models import RunSpec
from shared.tasks import TASKS, Answer, Schema, TeacherRequest, Unreadable, split_reply
from shared.teacher.completion import Completion, RowFailure
from shared.teacher.finish_reasons import Finish

# a task adds at most so much to an answer, such as "Answer: "
MAX_ANSWER_PREFIX_CHARACTERS = 40
# for one turn: the first reply, and two more if a reply is unreadable
MAX_REPLIES = 3


class AsksTeacher(Protocol):
    """The part of the teacher client that rows need."""

    def when_none_waits(self, call: Callable[[], None]) -> None:
        """Call this whenever the last waiting request is sent."""
        ...

    async def complete(
        self,
        messages: list[Message],
        *,
        max_tokens: int | None = None,
        schema: Schema | None = None,
        unformatted: list[Message] | None = None,
        seed: int | None = None,
    ) -> Completion: ...


async def ask_row(line: int, row: Row, spec: RunSpec, teacher: AsksTeacher) -> Record:
    """Ask the teacher for one row. Raises TeacherDown; every other failure is in the record."""
    requests = _RowRequests(row, spec, teacher)
    try:
        if spec.quality.select == "first":
            selection = _Selection(await requests.answer_turns())
        else:
            selection = await requests.select_answer()
    except _NoAnswer as failure:
        record = requests.record(line)
        record.reject(failure.reason, failure.detail)
        return record
    record = requests.record(line)
    record.answers = [answer.text for answer in selection.turns]
    if spec.prompt.chain_of_thought:
        record.reasoning = [answer.reasoning for answer in selection.turns]
    record.samples = selection.samples
    record.agreeing = selection.agreeing
    problem = length_problem(row, spec, selection.turns)
    if problem:
        record.reject(RejectionReason.TOO_LONG, problem)
    return record


def length_problem(row: Row, spec: RunSpec, turns: Sequence[Answer]) -> str | None:
    """Return why an example exceeds the student's context, None if it fits. It is never cut."""
    student = spec.taught
    if max_example_tokens(row, turns) <= student.context_tokens:
        return None
    example = TASKS[spec.task].student_messages(
        row, spec.prompt, turns, system_role=student.system_role
    )
    if fits(example, student.context_tokens):
        return None
    tokens = chat_tokens(example)
    return f"about {tokens:,} tokens with its answer, the student takes {student.context_tokens:,}"


def max_example_tokens(row: Row, turns: Sequence[Answer]) -> int:
    """Return an upper bound of an example's tokens, as a token has at least one character.

    Nearly all rows are short enough by this bound, and need no exact count.
    """
    tokens = TOKENS_PER_REQUEST
    for message in row.messages:
        tokens += len(message["content"]) + TOKENS_PER_MESSAGE
    for answer in turns:
        tokens += len(answer.text) + len(answer.reasoning or "")
        tokens += MAX_ANSWER_PREFIX_CHARACTERS + TOKENS_PER_MESSAGE
    return tokens


@dataclass(frozen=True, slots=True)
class _Selection:
    """The answers that a row's example is built from, and the samples that they come from."""

    turns: list[Answer]
    samples: int = 0
    agreeing: int = 0


class _NoAnswer(Exception):
    """A turn has no usable answer."""

    def __init__(self, reason: RejectionReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(slots=True)
class _RowRequests:
    """The requests for one row, over all turns and samples, and what they cost."""

    row: Row
    spec: RunSpec
    teacher: AsksTeacher
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    last_completion: Completion | None = field(default=None)

    async def answer_turns(self) -> list[Answer]:
        """Return one answer per turn, each asked for with the answers before it."""
        answers: list[Answer] = []
        for _ in range(TASKS[self.spec.task].turns(self.row)):
            answers.append(await self._answer_turn(answers))
        return answers

    async def select_answer(self) -> _Selection:
        """Return the answer that most samples, or the row's own reference, agree with."""
        quality = self.spec.quality
        reference: str | None = None
        if quality.select == "reference":
            value = TASKS[self.spec.task].reference_value(self.row)
            reference = value if isinstance(value, str) else None
        samples: list[Answer | _NoAnswer] = []
        while batch := next_batch_size(
            quality.select, quality.samples, _values(samples), reference
        ):
            samples += await self._draw_samples(batch, len(samples))
        value = select_value(quality.select, _values(samples), reference)
        if value is None:
            raise _nothing_selected(samples, reference)
        agreeing = [
            sample for sample in samples if isinstance(sample, Answer) and sample.text == value
        ]
        # of equal values always the same sample, whichever reply came first
        answer = min(agreeing, key=lambda sample: sample.reasoning or "")
        return _Selection([answer], len(samples), len(agreeing))

    def record(self, line: int) -> Record:
        """Return an accepted record without answers, with what the requests cost."""
        record = Record(
            line=line,
            id=self.row.id,
            status="accepted",
            requests=self.requests,
            prompt_tokens=self.prompt_tokens,
            completion_tokens=self.completion_tokens,
        )
        if self.last_completion:
            record.model = self.last_completion.model
            record.finish_reason = self.last_completion.finish_reason
        return record

    async def _draw_samples(self, count: int, first_number: int) -> list[Answer | _NoAnswer]:
        """Return so many samples, asked for at the same time, in the order of their numbers."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._draw_sample(first_number + offset))
                    for offset in range(count)
                ]
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return [task.result() for task in tasks]

    async def _draw_sample(self, number: int) -> Answer | _NoAnswer:
        """Return one sample. Each has a seed of its own: with the same, all would be alike."""
        seed = self.spec.teacher.seed
        try:
            return await self._answer_turn([], None if seed is None else seed + number)
        except _NoAnswer as failure:
            return failure

    async def _answer_turn(self, answers: list[Answer], seed: int | None = None) -> Answer:
        """Return the answer of the turn that follows these answers. Raises _NoAnswer."""
        task = TASKS[self.spec.task]
        prompt = self.spec.prompt
        unreadable: Unreadable | None = None
        for number in range(1, MAX_REPLIES + 1):
            complaint = unreadable.detail if unreadable else None
            if complaint and number == MAX_REPLIES:
                request = task.last_request(self.row, prompt, answers, complaint)
            else:
                messages = task.teacher_messages(self.row, prompt, answers, complaint)
                request = TeacherRequest(messages, task.schema(self.row, prompt))
            completion = await self._complete(request, seed)
            reply = split_reply(completion.text, completion.reasoning)
            answer = task.read(self.row, prompt, reply)
            if isinstance(answer, Answer):
                if answer.reasoning is None and reply.reasoning:
                    return Answer(answer.text, reply.reasoning)
                return answer
            unreadable = answer
        assert unreadable is not None
        detail = f"{unreadable.detail} (asked {MAX_REPLIES} times)"
        raise _NoAnswer(unreadable.reason, detail)

    async def _complete(self, request: TeacherRequest, seed: int | None) -> Completion:
        """Return one whole reply. Any other is asked for once more, if cut off with more tokens."""
        max_tokens = self.spec.teacher.max_tokens
        limit = max_tokens
        for is_last in (False, True):
            try:
                completion = await self.teacher.complete(
                    request.messages,
                    max_tokens=limit,
                    schema=request.schema,
                    unformatted=request.unformatted,
                    seed=seed,
                )
            except RowFailure as failure:
                self.requests += failure.requests
                raise _NoAnswer(failure.reason, failure.detail) from None
            self._count(completion)
            finish = completion.finish(limit)
            if finish is Finish.FINISHED and not completion.refusal:
                break
            may_be_whole_later = finish in (Finish.TRUNCATED, Finish.INTERRUPTED)
            if is_last or completion.refusal or not may_be_whole_later:
                raise _unfinished(completion, finish, limit)
            if finish is Finish.TRUNCATED:
                limit = max_tokens * 2
        return completion

    def _count(self, completion: Completion) -> None:
        self.requests += completion.requests
        self.prompt_tokens += completion.prompt_tokens
        self.completion_tokens += completion.completion_tokens
        self.last_completion = completion


def _unfinished(completion: Completion, finish: Finish, limit: int) -> _NoAnswer:
    """Return why a reply that isn't whole is not an answer."""
    reason = completion.finish_reason or completion.native_finish_reason or "none"
    if finish is Finish.FILTERED:
        detail = f"the teacher's content filter stopped the reply (finish reason {reason})"
        return _NoAnswer(RejectionReason.CONTENT_FILTER, detail)
    if completion.refusal or finish is Finish.REFUSED:
        words = completion.refusal or completion.text or f"finish reason {reason}"
        return _NoAnswer(RejectionReason.REFUSED, words[:MAX_DETAIL_CHARACTERS])
    if finish is Finish.TRUNCATED:
        detail = f"cut off after {limit} tokens (finish reason {reason}): raise teacher.max_tokens"
        return _NoAnswer(RejectionReason.TRUNCATED, detail)
    detail = f"the reply is not finished: its finish reason is {reason}"
    return _NoAnswer(RejectionReason.UNFINISHED, detail[:MAX_DETAIL_CHARACTERS])


def _values(samples: Sequence[Answer | _NoAnswer]) -> list[str | None]:
    return [sample.text if isinstance(sample, Answer) else None for sample in samples]


def _nothing_selected(samples: Sequence[Answer | _NoAnswer], reference: str | None) -> _NoAnswer:
    """Return why no sample was selected."""
    values = {sample.text for sample in samples if isinstance(sample, Answer)}
    if values:
        listed = ", ".join(sorted(values))
        detail = f"none of {len(samples)} answers agrees with the reference {reference}: {listed}"
        return _NoAnswer(RejectionReason.DISAGREES, detail[:MAX_DETAIL_CHARACTERS])
    failures = [sample for sample in samples if isinstance(sample, _NoAnswer)]
    return min(failures, key=lambda failure: failure.reason)
