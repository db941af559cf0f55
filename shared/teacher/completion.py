"""A reply of the teacher, the failure of one row, and the failure that ends a run.

Some gateways send errors under HTTP 200: `{"error": {"code": 402, "message": "…"}}`, or an `error`
beside the message of a choice. Such an error is read as if its code had been the HTTP status.
"""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from shared.core.errors import DistillationError, ErrorCode, PermanentError
from shared.core.teacher_endpoints import TEACHER_BASE_URL
from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import decoded
from shared.teacher.finish_reasons import NO_REASON, Finish, finish_of
from shared.teacher.message_content import (
    UnusableReply,
    message_reasoning,
    parse_content,
    valid_text,
)

MAX_MESSAGE_CHARACTERS = 500
# Names that services give instead of an HTTP status, as `code`, `type` or `status` of an error, up
# to a full stop. Case and signs don't matter.
STATUS_OF_NAME = {
    "invalid_request_error": 400,
    "invalid_argument": 400,
    "badrequesterror": 400,
    "content_filter": 400,
    "context_length_exceeded": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "unauthenticated": 401,
    "billing_error": 402,
    "insufficient_credits": 402,
    "budget_exceeded": 402,
    "permission_error": 403,
    "permission_denied": 403,
    "not_found": 404,
    "deployment_not_found": 404,
    "not_found_error": 404,
    "model_not_found": 404,
    "timeout_error": 408,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "resource_exhausted": 429,
    "throttling": 429,
    "service_unavailable": 503,
    "overloaded_error": 529,
}
MESSAGE_FIELDS = ("message", "detail", "error_description", "msg")
MAX_TOKENS = 1_000_000_000  # of one reply: more is no count, and would make up a run's cost
TOOL_CALLS = "tool_calls"
UNNAMED_ERROR_STATUS = 500  # retried: nothing says that the error is final
JsonObject = dict[str, Any]  # of a service: whatever isn't as expected raises
MAX_EXCERPT_CHARACTERS = 200  # of a reply that isn't a completion
MAX_PAGE_CHARACTERS = 100  # of a web page where JSON was expected
TAG = re.compile(r"<[^>]*>")


def _letters(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.partition(".")[0].lower())


_STATUS_OF_LETTERS = {_letters(name): status for name, status in STATUS_OF_NAME.items()}


@dataclass(frozen=True, slots=True)
class Completion:
    """One reply. Tokens as the teacher counted them; `finish_reason` as it named it.

    `finish_reason` is empty where the reply has no such field.
    """

    text: str
    finish_reason: str
    refusal: str | None
    reasoning: str | None  # from a field of its own, or from the content's reasoning parts
    prompt_tokens: int
    completion_tokens: int
    model: str
    requests: int = 1
    native_finish_reason: str = ""  # as the upstream of a gateway named it
    is_redacted: bool = False  # it held a secret of the app

    def finish(self, max_tokens: int) -> Finish:
        """Return how the reply ended. Without a finish reason, its tokens show whether it is whole.

        `max_tokens` is the number that the request allowed.
        """
        if self.finish_reason or self.native_finish_reason:
            return finish_of(
                self.finish_reason or self.native_finish_reason, self.native_finish_reason
            )
        is_below_limit = 0 < self.completion_tokens < max_tokens
        return Finish.FINISHED if is_below_limit else Finish.INTERRUPTED


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
    """An error response; a field is empty where the teacher gives none."""

    code: str
    message: str  # at most MAX_MESSAGE_CHARACTERS
    param: str = ""  # the parameter at fault, as the teacher names it
    type: str = ""


class ServiceError(UnusableReply):
    """An error that came under HTTP 200, with the status that it stands for."""

    def __init__(self, status: int, error: TeacherError) -> None:
        super().__init__(error.message)
        self.status = status
        self.error = error


def parse_completion(body: bytes, url_setting: str = TEACHER_BASE_URL) -> Completion:
    """Return the chat completion in a response body. Raises UnusableReply.

    `url_setting` is the place of the teacher's address, for messages.
    """
    try:
        data = decoded(body.removeprefix(codecs.BOM_UTF8))
        _raise_service_error(data)
        choice = cast(JsonObject, data["choices"][0])
        _raise_service_error(choice)
        message = cast(JsonObject, choice["message"])
        usage = data.get("usage")
        content = parse_content(message.get("content"))
        refusal = parse_content(message.get("refusal"))
        return Completion(
            text=content.text,
            finish_reason=_finish_reason(choice, message),
            refusal=refusal.text or content.refusal or None,
            reasoning=message_reasoning(message) or content.reasoning or None,
            prompt_tokens=_tokens(usage, "prompt_tokens"),
            completion_tokens=_tokens(usage, "completion_tokens"),
            model=_string(data.get("model")),
            native_finish_reason=_string(choice.get("native_finish_reason")),
        )
    except UnusableReply:
        raise
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        raise UnusableReply(
            f"the reply is not a chat completion: {_excerpt(body, url_setting)}"
        ) from None


def _excerpt(body: bytes, url_setting: str) -> str:
    """Return how a reply begins that can't be read, and what is likely wrong."""
    if not body.strip():
        return "it is empty"
    excerpt = " ".join(parse_error(body, url_setting).message.split())[:MAX_EXCERPT_CHARACTERS]
    if body.lstrip().startswith((b"data:", b"event:", b":")):
        return f"it is a stream, which was not asked for: {excerpt}"
    return excerpt


def _tokens(usage: object, name: str) -> int:
    """Return a number of tokens, 0 if the usage isn't of the form that is documented."""
    value = cast(JsonObject, usage).get(name) if isinstance(usage, dict) else 0
    if isinstance(value, str) and value.isdecimal() and len(value) <= len(str(MAX_TOKENS)):
        value = int(value)
    if not isinstance(value, int | float) or not 0 <= value <= MAX_TOKENS:
        return 0
    return int(value) if value == int(value) else 0


def _finish_reason(choice: JsonObject, message: JsonObject) -> str:
    if message.get("tool_calls") or message.get("function_call"):
        return TOOL_CALLS  # whatever the server says: the text isn't an answer
    for name in ("finish_reason", "stop_reason"):  # gateways to Anthropic keep its name
        if name in choice:
            value = choice[name]
            return _string(value) or NO_REASON if name == "finish_reason" else _string(value)
    return ""


def _raise_service_error(value: object) -> None:
    """Raise ServiceError if an object is or holds an error."""
    if not isinstance(value, dict):
        return
    data = cast(JsonObject, value)
    is_error = bool(data.get("error")) or data.get("object") == "error"
    has_only_message = "choices" not in data and ("detail" in data or "message" in data)
    if is_error or (has_only_message and not isinstance(data.get("message"), dict)):
        error = _error_of(data)
        raise ServiceError(_status_of(data, error), error)


def _status_of(data: JsonObject, error: TeacherError) -> int:
    """Return the HTTP status that an error stands for, by its numbers or else by its names."""
    details = data.get("error")
    sources = [cast(JsonObject, details)] if isinstance(details, dict) else []
    sources.append(data)
    named: int | None = None
    for source in sources:
        for name in ("code", "status", "status_code", "statusCode", "type"):
            value = source.get(name)
            status = _status_number(value)
            if status is not None:
                return status
            if isinstance(value, str) and named is None:
                named = _STATUS_OF_LETTERS.get(_letters(value))
    return named if named is not None else UNNAMED_ERROR_STATUS


def _status_number(value: object) -> int | None:
    """Return a status given as a number or its digits; 40101 (FastChat) stands for 401."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if re.fullmatch(r"[45][0-9]{2}(?:[0-9]{2})?", text):
        return int(text[:3])
    return None


def parse_error(body: bytes, url_setting: str = TEACHER_BASE_URL) -> TeacherError:
    """Return code and message of an error response, whatever its shape.

    `url_setting` as for `parse_completion`.
    """
    try:
        data = json.loads(body.removeprefix(codecs.BOM_UTF8))
    except (ValueError, RecursionError):
        text = body[:MAX_MESSAGE_CHARACTERS].decode("utf-8", "replace").strip()
        if text.startswith("<"):
            words = " ".join(TAG.sub(" ", text).split())[:MAX_PAGE_CHARACTERS]
            text = f"{words} (a web page instead of JSON: if it stays, check {url_setting})"
        return TeacherError("", text)
    return _error_of(data)


def _error_of(data: object) -> TeacherError:
    outer = _unwrapped(data)
    if outer is None:
        return TeacherError("", _json_or_string(data)[:MAX_MESSAGE_CHARACTERS])
    error = outer.get("error")
    fields = cast(JsonObject, error) if isinstance(error, dict) and error else outer
    code = fields.get("code") or fields.get("type")
    return TeacherError(
        code=_json_or_string(code),
        message=_message_of(fields)[:MAX_MESSAGE_CHARACTERS],
        param=_string(fields.get("param")),
        type=_string(fields.get("type")),
    )


def _unwrapped(data: object) -> JsonObject | None:
    """Return the object in an error response. Google's servers put it into a list."""
    entries = cast(list[object], data)[:1] if isinstance(data, list) else [data]
    for entry in entries:
        if isinstance(entry, dict):
            return cast(JsonObject, entry)
    return None


def _message_of(fields: JsonObject) -> str:
    """Return the words of an error: also a name beside them, as OAuth servers give."""
    words = [_json_or_string(fields[name]) for name in MESSAGE_FIELDS if fields.get(name)]
    error = fields.get("error")
    name = _json_or_string(error) if error else ""
    if not words:
        return name or _json_or_string(fields)
    return f"{name}: {words[0]}" if name and name != words[0] else words[0]


def _string(value: object) -> str:
    return valid_text(value) if isinstance(value, str) else ""


def _json_or_string(value: object) -> str:
    """Return a string as it is, anything else as JSON; nothing for null."""
    if value is None:
        return ""
    if isinstance(value, str):
        return valid_text(value)
    return json.dumps(value)
