"""The outcome of one request to the teacher, from which the client decides what to do next."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from shared.core.errors import teacher_code
from shared.core.secrets import REDACTED
from shared.dataset.rejection import RejectionReason
from shared.teacher.capabilities import Capabilities, SentRequest
from shared.teacher.completion import (
    Completion,
    ServiceError,
    TeacherDown,
    TeacherError,
    parse_completion,
    parse_error,
)
from shared.teacher.message_content import UnusableReply
from shared.teacher.parameters import ParameterRefused, refused_parameter
from shared.teacher.retry import is_retried, retry_after, throttle_seconds
from shared.teacher.transport import Reply

# no row can be answered: wrong key, no credit, no permission, unknown address or model
ENDS_RUN = frozenset({401, 402, 403, 404, 410})
REMEDIES = {
    401: ". Check the app setting {key}",
    402: ". Add credit, or raise the limit of the key",
    403: ". Check the app setting {key}, or the identity's role at the teacher",
    404: ". Check the app setting {url} and the teacher's model",
    410: ". Check the app setting {url} and the teacher's model",
}
# codes or types, whatever the status
QUOTA_CODES = frozenset(
    {
        "insufficient_quota",
        "billing_hard_limit_reached",
        "quota_exceeded",
        "insufficient_credits",
        "budget_exceeded",  # LiteLLM
    }
)
REJECTS_ROW = frozenset({400, 403, 422})
# How content filters say that this row's text is at fault, in code, type or message.
FILTERED = re.compile(
    r"content[ _]?(?:filter|policy)|responsible ?ai ?policy|data_inspection_failed|usage policy"
    r"|safety system|inappropriate content|(?:input|prompt)s? (?:was|were) flagged|flagged_input",
    re.IGNORECASE,
)
# 403 is about the account, unless it says that the input was flagged
FLAGGED = re.compile(
    r"content_filter|(?:input|prompt)s? (?:was|were) flagged|flagged_input", re.IGNORECASE
)
MAX_SEARCHED_BYTES = 4096
# OpenAI's and Azure's answer where reasoning has used up all tokens: 400 instead of a completion
# that ends with `length`
OUTPUT_LIMIT = re.compile(r"output limit was reached", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Throttled:
    """The teacher is asked too fast (429). Waiting costs the row no attempt."""

    detail: str
    retry_after: float | None  # seconds, where the teacher gives them


@dataclass(frozen=True, slots=True)
class SendAgain:
    """The teacher rejects the request's dialect. Sending it in another costs no attempt."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt failed, for the reason that `rejected.jsonl` gives if no attempt is left."""

    reason: RejectionReason
    detail: str
    is_retried: bool = True
    retry_after: float | None = None  # seconds, where the teacher gives them
    is_sent: bool = True  # False: there was no connection
    status: int = 0  # the HTTP status of a rejection


Outcome = Completion | Throttled | SendAgain | Failed


def read_reply(reply: Reply, capabilities: Capabilities, sent: SentRequest) -> Outcome:
    """Return the outcome of a request from its reply, and learn from a rejected dialect.

    Raises TeacherDown, and ParameterRefused, which is one.
    """
    if not reply.is_success:
        error = parse_error(reply.body, sent.url_setting)
        read = _Error(reply.status, error, f"HTTP {reply.status}: {error.message or 'no message'}")
        return _read_error(reply, read, capabilities, sent)
    try:
        return _without_secrets(parse_completion(reply.body, sent.url_setting), reply)
    except ServiceError as failure:
        detail = f"an error under HTTP 200 ({failure.status}): {failure.error.message}"
        read = _Error(failure.status, failure.error, detail)
        return _read_error(reply, read, capabilities, sent)
    except UnusableReply as error:
        return Failed(RejectionReason.BAD_RESPONSE, str(error))


def _without_secrets(completion: Completion, reply: Reply) -> Completion:
    """Return a completion without secrets that were spread over several parts of its content."""
    redacted = replace(
        completion,
        text=reply.redact(completion.text),
        reasoning=completion.reasoning and reply.redact(completion.reasoning),
        refusal=completion.refusal and reply.redact(completion.refusal),
    )
    is_redacted = redacted != completion or (reply.is_redacted and _has_mark(completion))
    return replace(redacted, is_redacted=True) if is_redacted else completion


def _has_mark(completion: Completion) -> bool:
    """Return whether what the teacher says, not another field of its reply, held a secret.

    The key of a server of one's own may be the model's name.
    """
    return REDACTED in completion.text or REDACTED in (completion.reasoning or "")


@dataclass(frozen=True, slots=True)
class _Error:
    """An error of the teacher. `status` is the HTTP status that it came with or stands for."""

    status: int
    error: TeacherError
    detail: str


def _read_error(
    reply: Reply, read: _Error, capabilities: Capabilities, sent: SentRequest
) -> Outcome:
    status = read.status
    error = read.error
    detail = read.detail
    if 300 <= status < 400:
        raise _redirected(reply, sent)
    if status == 400 and OUTPUT_LIMIT.search(error.message):
        return _cut_off(sent)
    if _is_filtered(reply, read):
        return Failed(RejectionReason.CONTENT_FILTER, detail, is_retried=False)
    used_up = QUOTA_CODES.intersection((error.code, error.type))
    if status in ENDS_RUN or used_up:
        remedy = REMEDIES.get(status, "").format(key=sent.key_setting, url=sent.url_setting)
        message = f"the teacher refuses every request. {detail.rstrip('.')}{remedy}"
        raise TeacherDown(message, code=teacher_code(min(used_up, default=error.code) or status))
    if status == 429:
        return Throttled(detail, throttle_seconds(reply.headers))
    name = refused_parameter(status, error, sent.parameters)
    if name is not None:
        raise ParameterRefused(name, detail)
    if capabilities.learn(sent, status, f"{error.message} {error.param}"):
        return SendAgain()
    if is_retried(status):
        return Failed(RejectionReason.TEACHER_ERROR, detail, retry_after=retry_after(reply.headers))
    return Failed(RejectionReason.TEACHER_REJECTED, detail, is_retried=False, status=status)


def _cut_off(sent: SentRequest) -> Completion:
    """Return a reply without text. The error has no usage: all tokens that it might have count."""
    return Completion(
        text="",
        finish_reason="length",
        refusal=None,
        reasoning=None,
        prompt_tokens=0,
        completion_tokens=sent.max_tokens,
        model="",
    )


def _is_filtered(reply: Reply, read: _Error) -> bool:
    """Return whether a content filter rejects this row's text."""
    if read.status not in REJECTS_ROW:
        return False
    words = [read.error.code, read.error.type, read.error.message]
    body = reply.body[:MAX_SEARCHED_BYTES].decode("utf-8", "replace")
    pattern = FLAGGED if read.status == 403 else FILTERED
    return any(pattern.search(text) for text in [*words, body])


def _redirected(reply: Reply, sent: SentRequest) -> TeacherDown:
    """Return the error of a teacher that is elsewhere. Keys and rows are sent nowhere else."""
    target = reply.headers.get("Location", "").partition("?")[0] or "nowhere"
    detail = f"the teacher's address redirects to {target} (HTTP {reply.status})"
    remedy = f"set the app setting {sent.url_setting} to the address that answers"
    return TeacherDown(f"{detail}: {remedy}", code=teacher_code(reply.status))
