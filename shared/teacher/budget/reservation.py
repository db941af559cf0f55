"""What one request may use at most, what it has used, and who keeps account of both.

Before a request is sent, one request and the most tokens that it can use are reserved. Once its
outcome is known, the reservation is settled:

- a reply: the tokens that it reports, and an estimate of those that it doesn't
- refused before it was processed (429, a rejected parameter or key), or no connection: no tokens
- any other error: the prompt. Azure OpenAI charges for what it has processed, such as a prompt that
  its content filter stops (400).
- no reply (time-out, broken connection, cancelled), or one that isn't a completion: everything that
  was reserved, because the answer may have been written and charged
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from pydantic_core import to_json

from shared.core.errors import ErrorCode, PermanentError
from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Message
from shared.dataset.token_estimates import TOLERANCE, chat_tokens, text_tokens
from shared.teacher.completion import Completion
from shared.teacher.finish_reasons import Finish
from shared.teacher.outcome import Failed, Outcome

# failures of requests that the teacher may have answered all the same
PERHAPS_ANSWERED = frozenset(
    {RejectionReason.TIMEOUT, RejectionReason.CONNECTION, RejectionReason.BAD_RESPONSE}
)


class Tokens(NamedTuple):
    """The tokens of one request."""

    prompt: int = 0
    completion: int = 0


NO_TOKENS = Tokens()


class OverBudget(PermanentError):
    """The next request could exceed the budget, and none in flight can free enough of it."""

    code = ErrorCode.BUDGET

    @property
    def with_details(self) -> str:
        """The message with the limits and their numbers."""
        listed = "; ".join(problem["problem"] for problem in self.details)
        return f"{self}: {listed}"


class Budget(Protocol):
    """Keeps account of the requests of a run."""

    counts_tokens: bool
    """Whether reservations need the most tokens of a request, which takes time to estimate."""

    def try_reserve(self, most: Tokens) -> bool:
        """Reserve one request and so many tokens, unless that has to wait."""
        ...

    async def reserve(self, most: Tokens, *, is_further: bool = False) -> None:
        """Wait until one request and so many tokens are reserved. Raises OverBudget.

        Further requests of a row go before the first ones of others.
        """
        ...

    def release(self, most: Tokens) -> None:
        """Give back a reservation whose request wasn't sent."""
        ...

    def settle(self, most: Tokens, used: Tokens) -> None:
        """Replace the reservation of a request that was sent by what it has used."""
        ...


class NoBudget:
    """Limits and counts nothing: for probes, which belong to no run."""

    counts_tokens = False

    def try_reserve(self, most: Tokens) -> bool:
        return True

    async def reserve(self, most: Tokens, *, is_further: bool = False) -> None: ...

    def release(self, most: Tokens) -> None: ...

    def settle(self, most: Tokens, used: Tokens) -> None: ...


def most_prompt_tokens(messages: Sequence[Message], schema: Mapping[str, Any] | None) -> int:
    """Return an upper bound of a prompt's tokens, by the least favourable tokenizer.

    Services count the schema of the reply as part of the prompt: a token a byte at most.
    """
    tokens = math.ceil(chat_tokens(messages) * (1 + TOLERANCE))
    return tokens if schema is None else tokens + len(to_json(schema))


def used_tokens(
    outcome: Outcome, messages: Sequence[Message], schema: Mapping[str, Any] | None, limit: int
) -> Tokens:
    """Return what a request with this outcome has used, or may have used, of at most `limit`."""
    if isinstance(outcome, Completion):
        prompt = outcome.prompt_tokens or chat_tokens(messages)
        return Tokens(prompt, outcome.completion_tokens or _answer_tokens(outcome, limit))
    if not isinstance(outcome, Failed) or not outcome.is_sent:
        return NO_TOKENS
    if outcome.reason in PERHAPS_ANSWERED:
        return Tokens(most_prompt_tokens(messages, schema), limit)
    return Tokens(prompt=chat_tokens(messages))


def _answer_tokens(reply: Completion, limit: int) -> int:
    """Return about how many tokens a reply has that doesn't report them."""
    if reply.finish(limit) is Finish.TRUNCATED:
        return limit
    return text_tokens(reply.text) + text_tokens(reply.reasoning or "")
