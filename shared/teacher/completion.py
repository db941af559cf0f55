"""A reply of the teacher, the failure of one row, and the failure that ends a run."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from shared.core.errors import DistillationError, ErrorCode, PermanentError
from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import decoded
from shared.teacher.message_content import (
    UnusableReply,
    parse_content,
    parse_reasoning,
    valid_text,
)

MAX_MESSAGE_CHARACTERS = 500
MAX_PAGE_CHARACTERS = 100  # of a web page where JSON was expected
TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True)
class Completion:
    """One reply. Tokens as the teacher counted them; `finish_reason` as it named it."""

    text: str
    finish_reason: str
    refusal: str | None
    reasoning: str | None  # from `reasoning_content`, or from the content's reasoning parts
    prompt_tokens: int
    completion_tokens: int
    model: str
    requests: int = 1


class RowFailure(DistillationError):
    """This row gets no answer, whatever the others get. `requests` were sent for it."""

    def __init__(self, reason: RejectionReason, detail: str, requests: int) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.requests = requests


class TeacherDown(PermanentError):
    """No row can be answered: wrong credentials, address or model, or no quota left."""

    code = ErrorCode.TEACHER


class TeacherError(NamedTuple):
    """An error response; both are empty where the teacher gives none."""

    code: str
    message: str  # at most MAX_MESSAGE_CHARACTERS


def parse_completion(body: bytes) -> Completion:
    """Return the chat completion in a response body. Raises UnusableReply."""
    try:
        data = decoded(body)
        choice = data["choices"][0]
        message = cast(dict[str, Any], choice["message"])
        usage = cast(dict[str, Any], data.get("usage") or {})
        content = parse_content(message.get("content"))
        refusal = parse_content(message.get("refusal"))
        return Completion(
            text=content.text,
            finish_reason=_string(choice.get("finish_reason")),
            refusal=refusal.text or content.refusal or None,
            reasoning=parse_reasoning(message.get("reasoning_content"))
            or content.reasoning
            or None,
            prompt_tokens=int(usage.get("prompt_tokens") or 0),
            completion_tokens=int(usage.get("completion_tokens") or 0),
            model=_string(data.get("model")),
        )
    except UnusableReply:
        raise
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        raise UnusableReply("the reply is not a chat completion") from None


def parse_error(body: bytes) -> TeacherError:
    """Return code and message of an error response, whatever its shape."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        text = body[:MAX_MESSAGE_CHARACTERS].decode("utf-8", "replace").strip()
        if text.startswith("<"):
            words = " ".join(TAG.sub(" ", text).split())[:MAX_PAGE_CHARACTERS]
            text = f"{words} (a web page instead of JSON: if it stays, check TEACHER_BASE_URL)"
        return TeacherError("", text)
    error = cast(dict[str, Any], data).get("error", data) if isinstance(data, dict) else data
    if not isinstance(error, dict):
        return TeacherError("", _json_or_string(error)[:MAX_MESSAGE_CHARACTERS])
    fields = cast(dict[str, Any], error)
    code = fields.get("code") or fields.get("type")
    message = fields.get("message") or fields.get("detail") or fields
    return TeacherError(_json_or_string(code), _json_or_string(message)[:MAX_MESSAGE_CHARACTERS])


def _string(value: object) -> str:
    return valid_text(value) if isinstance(value, str) else ""


def _json_or_string(value: object) -> str:
    """Return a string as it is, anything else as JSON; nothing for null."""
    if value is None:
        return ""
    if isinstance(value, str):
        return valid_text(value)
    return json.dumps(value)
