"""Asks the teacher for one turn of a row until a reply can be used, and counts what that costs.

Truncated, unfinished and unreadable replies are asked for again, a bounded number of times. A reply
that is cut off without content is asked for with more tokens as long as there are any: a model that
reasons has said nothing yet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Message, Row
from shared.generation.answer_size import AcceptedLimits, AnswerSize
from shared.generation.record import MAX_DETAIL_CHARACTERS
from shared.generation.stored_reply import StoredReply
from shared.spec.models import RunSpec, TeacherSpec
from shared.tasks import TASKS, Answer, Schema, TeacherRequest, Unreadable, split_reply
from shared.tasks.checked_answers import checked_answer
from shared.tasks.hints import without_hint
from shared.tasks.prompts import rationalise
from shared.teacher.completion import Completion, RowFailure
from shared.teacher.finish_reasons import Finish

# for one turn: the first reply, and two more if a reply is unreadable
MAX_REPLIES = 3


class AsksTeacher(Protocol):
    """The part of the teacher client that rows need."""

    def when_none_waits(self, call: Callable[[], None]) -> None:
        """Call this whenever the last waiting request is sent."""
        ...

    def stop(self) -> None:
        """Send nothing more: requests that aren't in flight raise NotSent."""
        ...

    async def complete(
        self,
        messages: list[Message],
        *,
        max_tokens: int | None = None,
        schema: Schema | None = None,
        unformatted: list[Message] | None = None,
        seed: int | None = None,
        is_further: bool = False,
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
    sample: int = 0
    reference: str | None = None  # what the teacher is shown, to find the reasoning for it
    size: AnswerSize = field(default_factory=AnswerSize)
    is_further: bool = False  # whether its row has been asked before
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    replies: list[StoredReply] = field(default_factory=list[StoredReply])

    async def answer(self, answers: list[Answer], seed: int | None = None) -> Answer:
        """Return the answer of the turn that follows these answers. Raises NoAnswer."""
        task = TASKS[self.spec.task]
        prompt = self.spec.prompt
        if self.reference is not None:
            prompt = prompt.with_hint(rationalise(self.reference))
        unreadable: Unreadable | None = None
        for number in range(1, MAX_REPLIES + 1):
            complaint = unreadable.detail if unreadable else None
            if complaint and number == MAX_REPLIES:
                request = task.last_request(self.row, prompt, answers, complaint)
            else:
                messages = task.teacher_messages(self.row, prompt, answers, complaint)
                request = TeacherRequest(messages, task.schema(self.row, prompt))
            reply = await self._complete(request, len(answers), seed)
            answer = read_reply(self.row, self.spec, answers, reply)
            if isinstance(answer, Answer):
                reply.keep_answer(answer, with_reasoning=prompt.chain_of_thought)
                return answer
            unreadable = answer
        assert unreadable is not None
        detail = f"{unreadable.detail} (asked {MAX_REPLIES} times)"
        raise NoAnswer(unreadable.reason, detail)

    async def _complete(self, request: TeacherRequest, turn: int, seed: int | None) -> StoredReply:
        """Return one whole reply. Raises NoAnswer.

        Any other is asked for once more, and one that is cut off without content as long as it can
        be given more tokens. A limit that was raised further than the teacher accepts is lowered.
        """
        first = self.size.first_limit(self.spec.teacher)
        limit = first
        limits = AcceptedLimits(self.spec.teacher.max_tokens)
        repeats = 0
        failure: NoAnswer | None = None
        while True:
            try:
                completion = await self._ask(request, limit, seed)
            except NoAnswer as rejection:
                limit = self._lower_limit(limits, limit, rejection, failure)
                continue
            limits.accepted = limit
            reply = self._store(completion, turn, limit)
            finish = completion.finish(limit)
            if finish is Finish.FINISHED and not completion.refusal:
                self.size.record(first, limit)
                return reply
            failure = unfinished(reply, finish, limit)
            if completion.refusal or finish not in (Finish.TRUNCATED, Finish.INTERRUPTED):
                raise failure
            lacks_tokens = finish is Finish.TRUNCATED and is_without_content(reply)
            repeats += int(not lacks_tokens)
            larger = self.size.next_limit(limit, self.spec.teacher)
            if larger >= limits.refused:
                larger = 2 * limit if 2 * limit < limits.refused else limit
            if lacks_tokens and larger == limit:
                self.size.record(first, limit)
            if repeats > 1 or (finish is Finish.TRUNCATED and larger == limit):
                raise failure
            limit = larger if finish is Finish.TRUNCATED else limit

    def _lower_limit(
        self, limits: AcceptedLimits, limit: int, rejection: NoAnswer, before: NoAnswer | None
    ) -> int:
        """Return the limit to ask with instead of a rejected one. Raises NoAnswer if there is none.

        If the teacher rejects a raised limit, the row stays cut off as it was `before`.
        """
        if rejection.reason != RejectionReason.TEACHER_REJECTED:
            raise rejection
        lower = limits.below(limit, rejection.detail)
        if lower is not None:
            return lower
        if before is None or before.reason != RejectionReason.TRUNCATED:
            raise rejection
        detail = f"{before.detail}; {limit} tokens are rejected: {rejection.detail}"
        raise NoAnswer(before.reason, detail[:MAX_DETAIL_CHARACTERS])

    async def _ask(self, request: TeacherRequest, limit: int, seed: int | None) -> Completion:
        """Return one reply. Raises NoAnswer."""
        try:
            return await self.teacher.complete(
                request.messages,
                max_tokens=limit,
                schema=request.schema,
                unformatted=request.unformatted,
                seed=seed,
                is_further=self.is_further or self.requests > 0,
            )
        except RowFailure as failure:
            self.requests += failure.requests
            raise NoAnswer(failure.reason, failure.detail) from None

    def _store(self, completion: Completion, turn: int, limit: int) -> StoredReply:
        """Count what a completion took, and keep it."""
        self.requests += completion.requests
        self.prompt_tokens += completion.prompt_tokens
        self.completion_tokens += completion.completion_tokens
        reply = StoredReply.of(completion, limit)
        reply.sample = self.sample
        reply.turn = turn
        reply.saw_reference = self.reference is not None
        self.replies.append(reply)
        return reply


def read_reply(
    row: Row, spec: RunSpec, answers: Sequence[Answer], stored: StoredReply
) -> Answer | Unreadable:
    """Return the answer in a whole reply to the turn that follows these answers."""
    reply = split_reply(stored.text, stored.reasoning)
    skip_checks = spec.quality.skip_checks
    answer = checked_answer(TASKS[spec.task], row, spec.prompt, answers, reply, skip_checks)
    if isinstance(answer, Answer) and stored.is_redacted:
        return Unreadable(RejectionReason.SECRET, "the reply holds a secret of the app")
    if isinstance(answer, Answer) and stored.saw_reference:
        return without_hint(answer)
    return answer


def is_without_content(reply: StoredReply) -> bool:
    """Return whether a reply that is cut off has reasoning at most, so that more tokens help."""
    return not split_reply(reply.text, reply.reasoning).text


def may_be_longer_now(reply: StoredReply, teacher: TeacherSpec) -> bool:
    """Return whether a stored reply was cut off by fewer tokens than an answer is given now."""
    if reply.completion().finish(reply.max_tokens) is not Finish.TRUNCATED:
        return False
    if is_without_content(reply):
        return reply.max_tokens < teacher.most_tokens
    return reply.max_tokens < teacher.max_tokens


def unfinished(reply: StoredReply, finish: Finish, limit: int) -> NoAnswer:
    """Return why a reply that isn't whole is not an answer."""
    reason = reply.finish_reason or reply.native_finish_reason or "none"
    if finish is Finish.FILTERED:
        detail = f"the teacher's content filter stopped the reply (finish reason {reason})"
        return NoAnswer(RejectionReason.CONTENT_FILTER, detail)
    if reply.refusal or finish is Finish.REFUSED:
        words = reply.refusal or reply.text or f"finish reason {reason}"
        return NoAnswer(RejectionReason.REFUSED, words[:MAX_DETAIL_CHARACTERS])
    if finish is Finish.TRUNCATED:
        detail = f"cut off after {limit} tokens (finish reason {reason}): raise teacher.max_tokens"
        if is_without_content(reply):
            detail += " and teacher.max_tokens_ceiling, if it is set: reasoning used all of them"
        return NoAnswer(RejectionReason.TRUNCATED, detail)
    detail = f"the reply is not finished: its finish reason is {reason}"
    return NoAnswer(RejectionReason.UNFINISHED, detail[:MAX_DETAIL_CHARACTERS])
