"""What comes back from the teacher: a completion, a failure of one row, or a failure that ends the run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast

from shared.core.errors import DistillationError, PermanentError
from shared.dataset.rows import decoded

MAX_MESSAGE_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Completion:
    """One reply. Tokens as the teacher counted them; `finish_reason` as it named it."""

    text: str
    finish_reason: str
    refusal: str | None
    reasoning: str | None  # `reasoning_content` of models that send it apart
    prompt_tokens: int
    completion_tokens: int
    model: str
    requests: int = 1


class RowFailure(DistillationError):
    """This row gets no answer, whatever the others get. `requests` were sent for it."""

    def __init__(self, reason: str, detail: str, requests: int) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.requests = requests


class TeacherDown(PermanentError):
    """No row can be answered: credentials, address, model or quota. Carries the teacher's own message."""

    code = "teacher"


def parse_completion(body: bytes) -> Completion | None:
    """A chat completion from a response body, None when it is not one."""
    try:
        data = decoded(body)
        choice = data["choices"][0]
        message = cast(dict[str, Any], choice["message"])
        usage = cast(dict[str, Any], data.get("usage") or {})
        return Completion(
            text=_text(message.get("content")),
            finish_reason=_text(choice.get("finish_reason")),
            refusal=_text(message.get("refusal")) or None,
            reasoning=_text(message.get("reasoning_content")) or None,
            prompt_tokens=int(usage.get("prompt_tokens") or 0),
            completion_tokens=int(usage.get("completion_tokens") or 0),
            model=_text(data.get("model")),
        )
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return None


def error_of(body: bytes) -> tuple[str, str]:
    """(code, message) of an error response, whatever its form."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return "", body[:MAX_MESSAGE_CHARACTERS].decode("utf-8", "replace").strip()
    error = cast(dict[str, Any], data).get("error", data) if isinstance(data, dict) else data
    if not isinstance(error, dict):
        return "", _text(cast(object, error))[:MAX_MESSAGE_CHARACTERS]
    fields = cast(dict[str, Any], error)
    code = fields.get("code") or fields.get("type") or ""
    message = fields.get("message") or fields.get("detail") or json.dumps(fields)
    return _text(code), _text(message)[:MAX_MESSAGE_CHARACTERS]


def _text(value: object) -> str:
    """The value as text that a file can hold: JSON may have escapes of half a surrogate pair."""
    text = str(value or "")
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
