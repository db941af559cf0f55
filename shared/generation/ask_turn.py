"""Asks the teacher for one turn of a row until a reply can be used, and counts what that costs.

Truncated, unfinished and unreadable replies are asked for again, a bounded number of times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Message, Row
from shared.generation.record import MAX_DETAIL_CHARACTERS
from shared.spec.models import RunSpec
from shared.tasks import TASKS, Answer, Schema, TeacherRequest, Unreadable, split_reply
from shared.tasks.checked_answers import checked_answer
from shared.teacher.completion import Completion, RowFailure
from shared.teacher.finish_reasons import Finish
from shared.teacher.message_content import valid_text

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


class NoAnswer(Exception):
    """A turn has no usable answer."""

    def __init__(self, reason: RejectionReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(slots=True)
class TurnRequests:
    """The requests for the turns of one row, or for one sample of it, and what they cost."""

    row: Row
    spec: RunSpec
    teacher: AsksTeacher
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    last_completion: Completion | None = None
    last_reply: str | None = None  # to the last turn, as it came

    async def answer(self, answers: list[Answer], seed: int | None = None) -> Answer:
        """Return the answer of the turn that follows these answers. Raises NoAnswer."""
        task = TASKS[self.spec.task]
        prompt = self.spec.prompt
        unreadable: Unreadable | None = None
        self.last_reply = None
        for number in range(1, MAX_REPLIES + 1):
            complaint = unreadable.detail if unreadable else None
            if complaint and number == MAX_REPLIES:
                request = task.last_request(self.row, prompt, answers, complaint)
            else:
                messages = task.teacher_messages(self.row, prompt, answers, complaint)
                request = TeacherRequest(messages, task.schema(self.row, prompt))
            completion = await self._complete(request, seed)
            reply = split_reply(completion.text, completion.reasoning)
            skip_checks = self.spec.quality.skip_checks
            answer = checked_answer(task, self.row, prompt, answers, reply, skip_checks)
            if isinstance(answer, Answer):
                return answer
            unreadable = answer
        assert unreadable is not None
        detail = f"{unreadable.detail} (asked {MAX_REPLIES} times)"
        raise NoAnswer(unreadable.reason, detail)

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
                raise NoAnswer(failure.reason, failure.detail) from None
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
        reply = completion.text or completion.refusal or completion.reasoning
        self.last_reply = valid_text(reply) if reply else None


def _unfinished(completion: Completion, finish: Finish, limit: int) -> NoAnswer:
    """Return why a reply that isn't whole is not an answer."""
    reason = completion.finish_reason or completion.native_finish_reason or "none"
    if finish is Finish.FILTERED:
        detail = f"the teacher's content filter stopped the reply (finish reason {reason})"
        return NoAnswer(RejectionReason.CONTENT_FILTER, detail)
    if completion.refusal or finish is Finish.REFUSED:
        words = completion.refusal or completion.text or f"finish reason {reason}"
        return NoAnswer(RejectionReason.REFUSED, words[:MAX_DETAIL_CHARACTERS])
    if finish is Finish.TRUNCATED:
        detail = f"cut off after {limit} tokens (finish reason {reason}): raise teacher.max_tokens"
        return NoAnswer(RejectionReason.TRUNCATED, detail)
    detail = f"the reply is not finished: its finish reason is {reason}"
    return NoAnswer(RejectionReason.UNFINISHED, detail[:MAX_DETAIL_CHARACTERS])
