"""What a teacher accepts, learned from the requests that it rejects, once a process.

Shards run side by side, so when the first rejection teaches us something, more requests of the
rejected kind are in flight. Each request therefore carries the dialect it was written in: a
rejection of a dialect that is no longer used sends the request again and changes nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from shared.teacher.response_format import ResponseFormat

MAX_TOKENS = "max_tokens"
MAX_COMPLETION_TOKENS = "max_completion_tokens"  # what OpenAI's newer models accept instead

# how endpoints reject a response_format; other rejections are about the request itself
REJECTED_FORMAT = re.compile(
    r"response[_ ]?format|json[_ ]?schema|json[_ ]?object|structured[_ ]?output|extra inputs",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a request is written: the parts that differ from endpoint to endpoint."""

    token_parameter: str = MAX_TOKENS
    response_format: ResponseFormat = ResponseFormat.JSON_SCHEMA


@dataclass(slots=True)
class Capabilities:
    """The dialect of one teacher, as far as it is known."""

    dialect: Dialect = Dialect()

    def learn(self, sent: Dialect, status: int, message: str, *, has_schema: bool) -> bool:
        """Learn from a rejected request. Return whether it should be sent again.

        `sent` is the dialect that the request was written in, `message` the teacher's error.
        """
        if status not in (400, 422):
            return False
        if (
            status == 400
            and sent.token_parameter == MAX_TOKENS
            and MAX_COMPLETION_TOKENS in message
        ):
            self.dialect = replace(self.dialect, token_parameter=MAX_COMPLETION_TOKENS)
            return True
        if has_schema and REJECTED_FORMAT.search(message):
            return self._learn_response_format(sent.response_format)
        return False

    def _learn_response_format(self, rejected: ResponseFormat) -> bool:
        if rejected is ResponseFormat.TEXT:
            return False
        # otherwise another request has been rejected for the same reason before
        if self.dialect.response_format is rejected:
            self.dialect = replace(self.dialect, response_format=rejected.fallback)
        return True


class LearnedCapabilities:
    """The capabilities of every teacher that this process has asked."""

    def __init__(self) -> None:
        self._capabilities: dict[tuple[str, str], Capabilities] = {}

    def of(self, base_url: str, model: str) -> Capabilities:
        """Return the capabilities of a model at an endpoint."""
        return self._capabilities.setdefault((base_url, model), Capabilities())
