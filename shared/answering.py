"""From one input row to one journal record: the teacher asked turn by turn, cut-off and unreadable replies asked again, bounded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

from pydantic import BaseModel, Field

from shared.rows import Message, Rejection, Row
from shared.spec import RunSpec
from shared.tasks import TASKS, Answer, Unreadable
from shared.teacher.completion import Completion, RowFailure

MAX_REPLIES = 3  # for one turn: the first, and two more when a reply cannot be read


class AsksTeacher(Protocol):
    """The part of the teacher client that rows need."""

    async def complete(self, messages: list[Message], *, max_tokens: int | None = None) -> Completion: ...


class Record(BaseModel):
    """One line of a shard's journal: what became of one input row.

    `answers` and `reasoning` have one entry a teacher turn; the student's row is built from them and the input.
    """

    line: int  # 1-based, in the input
    id: str | None = None
    status: Literal["accepted", "rejected"]
    answers: list[str] = Field(default_factory=list[str])
    reasoning: list[str | None] = Field(default_factory=list[str | None])
    reason: str | None = None
    detail: str | None = None
    model: str | None = None
    finish_reason: str | None = None
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0


def rejected(line: int, rejection: Rejection) -> Record:
    """Record of a row that the teacher was not asked about."""
    return Record(line=line, id=rejection.id, status="rejected", reason=rejection.reason, detail=rejection.detail)


async def answer_row(line: int, row: Row, spec: RunSpec, teacher: AsksTeacher) -> Record:
    """Ask the teacher for one row. Only TeacherDown is raised: anything else about the row is in its record."""
    task = TASKS[spec.task]
    asked = _Asked()
    answers: list[Answer] = []
    try:
        for _ in range(task.turns(row)):
            answers.append(await _answer_turn(row, spec, teacher, answers, asked))
    except _NoAnswer as problem:
        return asked.record(line, row, status="rejected", reason=problem.reason, detail=problem.detail)
    return asked.record(
        line,
        row,
        status="accepted",
        answers=[answer.text for answer in answers],
        reasoning=[answer.reasoning for answer in answers] if spec.prompt.chain_of_thought else [],
    )


class _NoAnswer(Exception):
    def __init__(self, reason: str, detail: str) -> None:
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

    def record(self, line: int, row: Row, **outcome: object) -> Record:
        counts = {name: getattr(self, name) for name in ("requests", "prompt_tokens", "completion_tokens")}
        last = {"model": self.last.model, "finish_reason": self.last.finish_reason} if self.last else {}
        return Record.model_validate({"line": line, "id": row.id, **counts, **last, **outcome})


async def _answer_turn(row: Row, spec: RunSpec, teacher: AsksTeacher, answers: list[Answer], asked: _Asked) -> Answer:
    task = TASKS[spec.task]
    problem: Unreadable | None = None
    for _ in range(MAX_REPLIES):
        complaint = problem.detail if problem else None
        completion = await _complete(task.teacher_messages(row, spec.prompt, answers, complaint), spec, teacher, asked)
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


async def _complete(messages: list[Message], spec: RunSpec, teacher: AsksTeacher, asked: _Asked) -> Completion:
    """One whole reply: a reply that was cut off is asked for once more with twice the tokens."""
    for max_tokens in (spec.teacher.max_tokens, spec.teacher.max_tokens * 2):
        try:
            completion = await teacher.complete(messages, max_tokens=max_tokens)
        except RowFailure as failure:
            asked.requests += failure.requests
            raise _NoAnswer(failure.reason, failure.detail) from None
        asked.add(completion)
        if completion.finish_reason == "content_filter":
            raise _NoAnswer("content_filter", "the teacher's content filter stopped the reply")
        if completion.refusal:
            raise _NoAnswer("refused", completion.refusal[:300])
        if completion.finish_reason != "length":
            return completion
    raise _NoAnswer("truncated", f"cut off after {spec.teacher.max_tokens * 2} tokens: raise teacher.max_tokens")
