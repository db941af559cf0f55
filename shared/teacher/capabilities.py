"""What a teacher accepts, learned from the requests that it rejects: once a run, in preflight.

Preflight keeps it with the run (shared/teacher/learned.py), and other workers begin with it.
Requests run side by side: when a rejection teaches us something, more requests of the rejected kind
are in flight. Each request therefore carries the dialect it was written in: a rejection of a
dialect that is no longer used sends the request again and changes nothing.

Of its own accord, the app sends no optional parameter but `response_format`. Parameters that the
specification sets are never dropped: a teacher that refuses one ends the run
(shared/teacher/parameters.py).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum

from shared.teacher.response_format import ResponseFormat


class TokenParameter(StrEnum):
    """Names of the parameter that limits an answer's tokens."""

    MAX_TOKENS = "max_tokens"
    MAX_COMPLETION_TOKENS = "max_completion_tokens"  # what OpenAI's newer models accept instead


# how endpoints reject a response_format; other rejections are about the request itself
REJECTED_FORMAT = re.compile(
    r"response[_ ]?format|json[_ ]?schema|json[_ ]?object|json[_ ]?mode|structured[_ ]?output"
    r"|extra inputs",
    re.IGNORECASE,
)
# How endpoints reject a name. vLLM mentions both names where their number is too large.
REJECTED_NAME = re.compile(
    r"un(?:supported|recogni[sz]ed|known|expected)|not (?:supported|allowed|permitted|implemented)"
    r"|deprecated|instead|(?:does not|doesn't|do not|cannot|can't) support",
    re.IGNORECASE,
)
# With these, some servers say that they don't know what a request asks for. They say as well that
# something else is wrong: only words of refusal tell it apart.
OTHER_REJECTIONS = frozenset({405, 500, 501})
FORMAT_WARNINGS = {
    ResponseFormat.JSON_OBJECT: (
        "the teacher rejects JSON schemas: replies are held to JSON, and only the prompt says "
        "which fields they have"
    ),
    ResponseFormat.TEXT: (
        "the teacher rejects response_format: only the prompt says which form replies have, so "
        "more of them may be unreadable"
    ),
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a request is written: the parts that differ from endpoint to endpoint."""

    token_parameter: TokenParameter = TokenParameter.MAX_TOKENS
    response_format: ResponseFormat = ResponseFormat.JSON_SCHEMA

    def restricted_by(self, other: Dialect) -> Dialect:
        """Return a dialect that a teacher of either accepts."""
        is_newer = TokenParameter.MAX_COMPLETION_TOKENS in (
            self.token_parameter,
            other.token_parameter,
        )
        return Dialect(
            token_parameter=(
                TokenParameter.MAX_COMPLETION_TOKENS if is_newer else TokenParameter.MAX_TOKENS
            ),
            response_format=self.response_format.laxer(other.response_format),
        )


@dataclass(frozen=True, slots=True)
class SentRequest:
    """What a rejection may be about: how the request was written, and what it carried."""

    dialect: Dialect = Dialect()
    has_schema: bool = False
    parameters: Collection[str] = ()  # the optional ones that the specification sets
    max_tokens: int = 0
    # what to check if the deployment refuses every request
    url_setting: str = "TEACHER_BASE_URL"
    key_setting: str = "TEACHER_API_KEY"


@dataclass(slots=True)
class Capabilities:
    """The dialect of one teacher, as far as it is known."""

    dialect: Dialect = Dialect()

    def learn(self, sent: SentRequest, status: int, message: str) -> bool:
        """Learn from a rejected request. Return whether it should be sent again.

        `message` is the teacher's error, with the parameter that it names.
        """
        if status in OTHER_REJECTIONS and not REJECTED_NAME.search(message):
            return False
        if status not in (400, 422, *OTHER_REJECTIONS):
            return False
        if self._learn_token_parameter(sent.dialect, message):
            return True
        if sent.has_schema and REJECTED_FORMAT.search(message):
            return self._learn_response_format(sent.dialect.response_format)
        return False

    def _learn_token_parameter(self, sent: Dialect, message: str) -> bool:
        other = TokenParameter.MAX_COMPLETION_TOKENS
        if sent.token_parameter is other or other not in message:
            return False
        if not REJECTED_NAME.search(message):
            return False
        self.dialect = replace(self.dialect, token_parameter=other)
        return True

    def _learn_response_format(self, rejected: ResponseFormat) -> bool:
        if rejected is ResponseFormat.TEXT:
            return False
        # otherwise another request has been rejected for the same reason before
        if self.dialect.response_format is rejected:
            self.dialect = replace(self.dialect, response_format=rejected.fallback)
        return True

    @property
    def warnings(self) -> list[str]:
        """Return what users should know of a teacher that doesn't accept what the app sends."""
        warning = FORMAT_WARNINGS.get(self.dialect.response_format)
        return [warning] if warning else []
