"""The reply in a logged chat completion, if it is one whole text; otherwise why it can't be taught.

It is read by the teacher client's own code, so a log is held to the rules for a teacher's replies.
"""

from __future__ import annotations

import json
from typing import Any, cast

from local.conversion.source import JsonObject
from shared.teacher.completion import TOOL_CALLS, Completion, ServiceError, parse_completion
from shared.teacher.finish_reasons import NO_REASON, Finish, finish_of
from shared.teacher.message_content import UnusableReply

MAX_WORDS_SHOWN = 200  # characters of what a service said
NO_FINISH_REASON = (
    "has no finish reason, so its reply may be cut off: add --assume-finished to take such replies"
)


class Unconvertible(Exception):
    """The row can't be converted; the message says why."""


def reply_text(body: object, *, assume_finished: bool) -> str:
    """Return the text of a completion's only reply, with its reasoning in tags before it.

    Raises Unconvertible.
    """
    completion = _completion(body)
    if completion.refusal:
        raise Unconvertible("the model declined to answer")
    if completion.finish_reason == TOOL_CALLS:
        raise Unconvertible("its reply calls a tool")
    reason = completion.finish_reason or completion.native_finish_reason
    if reason not in ("", NO_REASON):
        if finish_of(reason, completion.native_finish_reason) is not Finish.FINISHED:
            raise Unconvertible(f"its reply isn't whole: finish reason {reason}")
    elif not assume_finished:
        raise Unconvertible(NO_FINISH_REASON)
    if not completion.text.strip():
        raise Unconvertible("its reply is empty")
    if completion.reasoning:
        return f"<think>\n{completion.reasoning.strip()}\n</think>\n\n{completion.text}"
    return completion.text


def failure_text(error: object) -> str:
    """Return what an error of a service says, in a few words."""
    if isinstance(error, dict):
        fields = cast(JsonObject, error)
        inner = fields.get("error")
        if isinstance(inner, dict):
            return failure_text(cast(object, inner))
        words = [fields.get(name) for name in ("code", "message")]
        text = ": ".join(str(word) for word in words if word)
    else:
        text = str(error)
    return text[:MAX_WORDS_SHOWN]


def _completion(body: object) -> Completion:
    fields = cast(JsonObject, body) if isinstance(body, dict) else {}
    choices = fields.get("choices")
    if not isinstance(choices, list):
        raise Unconvertible("its response isn't a chat completion")
    entries = cast(list[Any], choices)
    if len(entries) != 1:
        raise Unconvertible(f"has {len(entries)} choices instead of one")
    if isinstance(entries[0], dict) and "delta" in entries[0]:
        raise Unconvertible("is a piece of a streamed reply: log whole replies")
    try:
        return parse_completion(json.dumps(fields).encode())
    except ServiceError as error:
        raise Unconvertible(f"failed: {error.error.message[:MAX_WORDS_SHOWN]}") from None
    except UnusableReply as problem:
        raise Unconvertible(str(problem)) from None
