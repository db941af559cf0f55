"""The teacher's replies as they came, so that they can be read again without a request.

What was read from a reply is nearly always a part of it. A journal has the place of that part
instead of a second copy, also where the reply is JSON and the part a string of it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Literal

from shared.tasks import Answer
from shared.teacher.completion import Completion
from shared.teacher.finish_reasons import Finish
from shared.teacher.message_content import valid_text

USUAL_FINISH_REASON = "stop"
MIN_EXCERPT_CHARACTERS = 40  # a shorter text takes no more bytes than its place


@dataclass(slots=True)
class Excerpt:
    """A text that was read from a reply. Without values: all of the reply's text."""

    literal: str | None = None  # the text itself, where it is short or no part of the reply
    source: Literal["text", "json", "reasoning"] = "text"  # `json`: a string within the text
    start: int = 0
    end: int | None = None

    @classmethod
    def of(cls, part: str, text: str, reasoning: str | None = None) -> Excerpt:
        """Return the place of a part in a reply's text or its separate reasoning."""
        if part == text:
            return cls()
        if part == reasoning:
            return cls(source="reasoning")
        if len(part) < MIN_EXCERPT_CHARACTERS:
            return cls(literal=part)
        return _place(part, text, "text") or _json_place(part, text) or cls(literal=part)

    def read(self, text: str, reasoning: str | None) -> str:
        """Return the text at this place."""
        if self.literal is not None:
            return self.literal
        whole = (reasoning or "") if self.source == "reasoning" else text
        part = whole[self.start : self.end]
        return json.loads(f'"{part}"') if self.source == "json" else part


def _place(part: str, text: str, source: Literal["text", "json"]) -> Excerpt | None:
    start = text.find(part)
    return Excerpt(source=source, start=start, end=start + len(part)) if start >= 0 else None


def _json_place(part: str, text: str) -> Excerpt | None:
    """Return the place of a JSON string, with its characters as they are or escaped."""
    if not text.lstrip().startswith(("{", "```")):
        return None
    as_they_are = json.dumps(part, ensure_ascii=False)[1:-1]
    return _place(as_they_are, text, "json") or _place(json.dumps(part)[1:-1], text, "json")


@dataclass(slots=True)
class StoredReply:
    """One reply, without the app's secrets. `answer` is None if it could not be used."""

    text: str = ""
    reasoning: str | None = None  # as the endpoint gave it beside the text
    refusal: str | None = None
    finish_reason: str = USUAL_FINISH_REASON
    native_finish_reason: str = ""
    model: str | None = None  # None: the record's
    sample: int = 0
    turn: int = 0
    saw_reference: bool = False  # the teacher was shown it, and asked for the reasoning
    answer: Excerpt | None = None
    thoughts: Excerpt | None = None  # the reasoning that the student may learn
    is_redacted: bool = False  # a reply that isn't whole any more is never used
    # of a reply that may not be whole: what it took, and what the request allowed
    completion_tokens: int = 0
    max_tokens: int = 0

    @classmethod
    def of(cls, completion: Completion, max_tokens: int) -> StoredReply:
        """Return a completion as it is stored."""
        reply = cls(
            text=valid_text(completion.text),  # as a journal can hold it
            reasoning=completion.reasoning or None,
            refusal=completion.refusal or None,
            finish_reason=completion.finish_reason,
            native_finish_reason=completion.native_finish_reason,
            model=completion.model or None,
            is_redacted=completion.is_redacted,
        )
        is_finished = completion.finish(max_tokens) is Finish.FINISHED
        if not is_finished or not completion.finish_reason:
            reply.completion_tokens = completion.completion_tokens
            reply.max_tokens = max_tokens
        return reply

    @property
    def said(self) -> str | None:
        """Return what people want to see of the reply."""
        return self.text or self.refusal or self.reasoning

    def completion(self) -> Completion:
        """Return the completion that is stored, without its usage."""
        return Completion(
            text=self.text,
            finish_reason=self.finish_reason,
            refusal=self.refusal,
            reasoning=self.reasoning,
            prompt_tokens=0,
            completion_tokens=self.completion_tokens,
            model=self.model or "",
            requests=0,
            native_finish_reason=self.native_finish_reason,
        )

    def forget_answer(self) -> None:
        """Drop what was read from the reply, before it is read again."""
        self.answer = None
        self.thoughts = None

    def keep_answer(self, answer: Answer, *, with_reasoning: bool) -> None:
        """Store what was read from the reply."""
        self.answer = Excerpt.of(answer.text, self.text)
        if with_reasoning and answer.reasoning is not None:
            self.thoughts = Excerpt.of(answer.reasoning, self.text, self.reasoning)

    def read_answer(self) -> Answer | None:
        """Return what was read from the reply when it came."""
        if self.answer is None:
            return None
        text = self.answer.read(self.text, self.reasoning)
        if self.thoughts is None:
            return Answer(text)
        return Answer(text, self.thoughts.read(self.text, self.reasoning))


def without_usual_model(replies: list[StoredReply], model: str | None) -> list[StoredReply]:
    """Return replies that name their model only where it isn't that of the record."""
    return [replace(reply, model=None) if reply.model == model else reply for reply in replies]
