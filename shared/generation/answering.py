"""From one input row to one journal record: the teacher asked turn by turn, cut-off and unreadable replies asked again, bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from pydantic import TypeAdapter

from shared.dataset.rejection import Rejection, RejectionReason
from shared.dataset.rows import Message, Row
from shared.dataset.token_estimates import TOKENS_PER_MESSAGE, TOKENS_PER_REQUEST, chat_tokens, fits
from shared.generation.sampling import chosen, next_wave
from shared.spec.models import RunSpec
from shared.tasks import TASKS, Answer, Schema, Unreadable
from shared.teacher.completion import Completion, RowFailure

MAX_DETAIL_CHARACTERS = 300
ANSWER_FORM_CHARACTERS = 40  # that a task adds to an answer at most, such as "Answer: "
MAX_REPLIES = 3  # for one turn: the first, and two more when a reply cannot be read


class AsksTeacher(Protocol):
    """The part of the teacher client that rows need."""

    def when_none_waits(self, call: Callable[[], None]) -> None:
        """Call this each time that the last request which waited for its turn is sent."""
        ...

    async def complete(
        self,
        messages: list[Message],
        *,
        max_tokens: int | None = None,
        schema: Schema | None = None,
        seed: int | None = None,
    ) -> Completion: ...


@dataclass(slots=True)
class Record:
    """One line of a shard's journal: what became of one input row.

    `answers` and `reasoning` have one entry a teacher turn; the student's row is built from them and the input.
    """

    line: int  # 1-based, in the input
    status: Literal["accepted", "rejected"]
    id: str | None = None
    answers: list[str] = field(default_factory=list[str])
    reasoning: list[str | None] = field(default_factory=list[str | None])
    reason: RejectionReason | None = None
    detail: str | None = None
    model: str | None = None
    finish_reason: str | None = None
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    samples: int = (
        0  # answers asked for, where one is chosen of several; how many of them agree with it
    )
    agreeing: int = 0
    round: int = 0  # of the run: each resumption is one more
    key: str | None = (
        None  # of the request, where the teacher was asked: the same for every run that asks the same
    )
    reused: bool = False  # the answer is an earlier run's

    @property
    def was_asked_in_vain(self) -> bool:
        """In this run or the one it reuses. Such rows count against the success ratio; rows bad from the start do not."""
        return self.status == "rejected" and (
            self.requests > 0 or self.reused or self.reason == RejectionReason.SHARD_FAILED
        )

    def to_json(self) -> bytes:
        """The record as one line, without what has its default."""
        return _RECORDS.dump_json(self, exclude_defaults=True) + b"\n"

    @classmethod
    def from_json(cls, line: bytes) -> Record:
        """Raises ValueError (pydantic's) for what is no record."""
        return _RECORDS.validate_json(line)


_RECORDS = TypeAdapter(
    Record
)  # a dataclass is made in a tenth of a model's time, and every row makes one


def answers_of(record: Record) -> list[Answer]:
    """The teacher's turns, as they were read."""
    reasoning = record.reasoning or [None] * len(record.answers)
    return [Answer(text, why) for text, why in zip(record.answers, reasoning, strict=True)]


def rejected(line: int, rejection: Rejection) -> Record:
    """Record of a row that the teacher was not asked about."""
    return Record(
        line=line,
        id=rejection.id,
        status="rejected",
        reason=rejection.reason,
        detail=rejection.detail,
    )


async def answer_row(line: int, row: Row, spec: RunSpec, teacher: AsksTeacher) -> Record:
    """Ask the teacher for one row. Only TeacherDown is raised: anything else about the row is in its record."""
    asked = _Asked()
    try:
        if spec.quality.select == "first":
            answers, agreement = await _answer_turns(row, spec, teacher, asked), {}
        else:
            answers, agreement = await _choose_answer(row, spec, teacher, asked)
    except _NoAnswer as problem:
        return asked.record(
            line, row, status="rejected", reason=problem.reason, detail=problem.detail
        )
    reasoning = [answer.reasoning for answer in answers] if spec.prompt.chain_of_thought else []
    texts = [answer.text for answer in answers]
    if too_long := length_problem(
        row, spec, answers
    ):  # its answers are kept, for a run with another student
        problem = {"reason": RejectionReason.TOO_LONG, "detail": too_long}
        return asked.record(
            line, row, status="rejected", answers=texts, reasoning=reasoning, **problem
        )
    return asked.record(
        line, row, status="accepted", answers=texts, reasoning=reasoning, **agreement
    )


def length_problem(row: Row, spec: RunSpec, answers: list[Answer]) -> str | None:
    """Why an example is more than the student can take in, if it is: it is never cut."""
    student = spec.taught
    if _longest(row, answers) <= student.context_tokens:
        return None
    example = TASKS[spec.task].student_messages(
        row, spec.prompt, answers, system_role=student.system_role
    )
    if fits(example, student.context_tokens):
        return None
    return f"about {chat_tokens(example):,} tokens with its answer, the student takes {student.context_tokens:,}"


def _longest(row: Row, answers: list[Answer]) -> int:
    """Tokens that the example has at most, as each is at least one character: nearly all rows need no other count."""
    given = sum([len(message["content"]) + TOKENS_PER_MESSAGE for message in row.messages])
    added = ANSWER_FORM_CHARACTERS + TOKENS_PER_MESSAGE
    return (
        TOKENS_PER_REQUEST
        + given
        + sum([len(one.text) + len(one.reasoning or "") + added for one in answers])
    )


async def _answer_turns(
    row: Row, spec: RunSpec, teacher: AsksTeacher, asked: _Asked
) -> list[Answer]:
    answers: list[Answer] = []
    for _ in range(TASKS[spec.task].turns(row)):
        answers.append(await _answer_turn(row, spec, teacher, answers, asked))
    return answers


async def _choose_answer(
    row: Row, spec: RunSpec, teacher: AsksTeacher, asked: _Asked
) -> tuple[list[Answer], dict[str, int]]:
    """The answer that several samples, or the row's own reference, speak for; and how many do."""
    quality, drawn = spec.quality, list[Answer | _NoAnswer]()
    reference = TASKS[spec.task].reference_value(row) if quality.select == "reference" else None
    wanted = reference if isinstance(reference, str) else None
    while wave := next_wave(quality.select, quality.samples, _values(drawn), wanted):
        drawn += await _draw(wave, row, spec, teacher, asked, len(drawn))
    kept = chosen(quality.select, _values(drawn), wanted)
    if kept is None:
        raise _nothing_chosen(drawn, wanted)
    agreeing = [answer for answer in drawn if isinstance(answer, Answer) and answer.text == kept]
    # of the same value, the same one whichever reply came first
    answer = min(agreeing, key=lambda one: one.reasoning or "")
    return [answer], {"samples": len(drawn), "agreeing": len(agreeing)}


async def _draw(
    wave: int, row: Row, spec: RunSpec, teacher: AsksTeacher, asked: _Asked, first: int
) -> list[Answer | _NoAnswer]:
    """Samples that are asked for at the same time, in the order of their numbers. Raises TeacherDown, by itself."""
    try:
        async with asyncio.TaskGroup() as group:
            sampling = [
                group.create_task(_sample(row, spec, teacher, asked, first + n))
                for n in range(wave)
            ]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [sample.result() for sample in sampling]


async def _sample(
    row: Row, spec: RunSpec, teacher: AsksTeacher, asked: _Asked, number: int
) -> Answer | _NoAnswer:
    """One sample. With the user's seed, each has one of its own: the same for all would make them all alike."""
    seed = None if spec.teacher.seed is None else spec.teacher.seed + number
    try:
        return await _answer_turn(row, spec, teacher, [], asked, seed)
    except _NoAnswer as problem:
        return problem


def _values(drawn: Sequence[Answer | _NoAnswer]) -> list[str | None]:
    return [answer.text if isinstance(answer, Answer) else None for answer in drawn]


def _nothing_chosen(drawn: Sequence[Answer | _NoAnswer], reference: str | None) -> _NoAnswer:
    said = sorted({answer.text for answer in drawn if isinstance(answer, Answer)})
    if said:
        detail = (
            f"none of {len(drawn)} answers agrees with the reference {reference}: {', '.join(said)}"
        )
        return _NoAnswer(RejectionReason.DISAGREES, detail[:MAX_DETAIL_CHARACTERS])
    return min(
        (problem for problem in drawn if isinstance(problem, _NoAnswer)), key=lambda one: one.reason
    )


class _NoAnswer(Exception):
    def __init__(self, reason: RejectionReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(slots=True)
class _Asked:
    """What was sent and paid for one row, over all its turns and tries."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    last: Completion | None = field(default=None)

    def add(self, completion: Completion) -> None:
        self.requests += completion.requests
        self.prompt_tokens += completion.prompt_tokens
        self.completion_tokens += completion.completion_tokens
        self.last = completion

    def record(self, line: int, row: Row, **outcome: Any) -> Record:
        counts = {
            name: getattr(self, name) for name in ("requests", "prompt_tokens", "completion_tokens")
        }
        last = (
            {"model": self.last.model, "finish_reason": self.last.finish_reason}
            if self.last
            else {}
        )
        return Record(line=line, id=row.id, **counts, **last, **outcome)


async def _answer_turn(
    row: Row,
    spec: RunSpec,
    teacher: AsksTeacher,
    answers: list[Answer],
    asked: _Asked,
    seed: int | None = None,
) -> Answer:
    task = TASKS[spec.task]
    form = {"schema": task.schema(row, spec.prompt), "seed": seed}
    problem: Unreadable | None = None
    for _ in range(MAX_REPLIES):
        complaint = problem.detail if problem else None
        messages = task.teacher_messages(row, spec.prompt, answers, complaint)
        completion = await _complete(messages, spec, teacher, asked, form)
        answer = _with_reasoning(task.read(row, spec.prompt, completion.text), completion)
        if isinstance(answer, Answer):
            return answer
        problem = answer
    assert problem is not None
    raise _NoAnswer(problem.reason, f"{problem.detail} (asked {MAX_REPLIES} times)")


def _with_reasoning(answer: Answer | Unreadable, completion: Completion) -> Answer | Unreadable:
    if isinstance(answer, Answer) and answer.reasoning is None and completion.reasoning:
        return Answer(answer.text, completion.reasoning)
    return answer


async def _complete(
    messages: list[Message],
    spec: RunSpec,
    teacher: AsksTeacher,
    asked: _Asked,
    form: dict[str, Any],
) -> Completion:
    """One whole reply: a reply that was cut off is asked for once more with twice the tokens."""
    for max_tokens in (spec.teacher.max_tokens, spec.teacher.max_tokens * 2):
        try:
            completion = await teacher.complete(messages, max_tokens=max_tokens, **form)
        except RowFailure as failure:
            asked.requests += failure.requests
            raise _NoAnswer(failure.reason, failure.detail) from None
        asked.add(completion)
        if completion.finish_reason == "content_filter":
            raise _NoAnswer(
                RejectionReason.CONTENT_FILTER, "the teacher's content filter stopped the reply"
            )
        if completion.refusal:
            raise _NoAnswer(RejectionReason.REFUSED, completion.refusal[:300])
        if completion.finish_reason != "length":
            return completion
    raise _NoAnswer(
        RejectionReason.TRUNCATED,
        f"cut off after {spec.teacher.max_tokens * 2} tokens: raise teacher.max_tokens",
    )
