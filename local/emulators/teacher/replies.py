"""From an answer to the body of a chat completion, faults of the answer included."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from local.emulators.teacher import tokens
from local.emulators.teacher.answers import Answer

REFUSAL = "I'm sorry, but I can't help with that."


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer as it is sent. `content` is None if there is a `refusal`."""

    content: str | None
    finish_reason: str = "stop"
    refusal: str | None = None

    @property
    def tokens(self) -> int:
        return tokens.count(self.content or self.refusal or "")


def faulty(answer: Answer, fault: str, drawn: float) -> Choice:
    """Return a choice with one of the answer faults. `drawn` in [0, 1) picks its kind."""
    if fault == "wrong":
        return Choice(answer.mistaken(drawn).render())
    if fault == "malformed":
        return Choice(_malformed(answer, drawn))
    if fault == "empty":
        return Choice("")
    if fault == "refused":
        return Choice(None, refusal=REFUSAL) if drawn < 0.5 else Choice(REFUSAL)
    if fault == "content_filter":
        return Choice("", "content_filter")
    text = answer.render()
    half = tokens.cut(text, max(1, tokens.count(text) // 2)) if len(text) > 1 else ""
    return Choice(half, "length")


def _malformed(answer: Answer, drawn: float) -> str:
    """Return one of four replies in the wrong form; a tolerant reader can read the fenced one."""
    kinds = (
        "That is an interesting question, and there is a good deal to be said for either side.",
        '{"reasoning": "Let us look at it closely, because',
        "It is what one might call a borderline case: perhaps.",
        f"Here you are:\n\n```json\n{answer.render()}\n```\n",
    )
    return kinds[int(drawn * len(kinds))]


def cut(choice: Choice, stops: Sequence[str], limit: int | None) -> Choice:
    """Return the choice ended before the first stop sequence, then at the token limit."""
    content = choice.content
    if content is None:
        return choice
    finish_reason = choice.finish_reason
    ends = [content.find(stop) for stop in stops if stop and stop in content]
    if ends:
        content = content[: min(ends)]
        finish_reason = "stop"
    if limit is not None and tokens.count(content) > limit:
        return Choice(tokens.cut(content, limit), "length")
    return Choice(content, finish_reason)


def completion(
    request_id: str, model: str, seed: int, choice: Choice, prompt_tokens: int
) -> dict[str, Any]:
    """Return the body of a successful answer."""
    message = {"role": "assistant", "content": choice.content, "refusal": choice.refusal}
    return {
        "id": f"chatcmpl-{request_id}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "system_fingerprint": f"fp_local_{seed}",
        "choices": [
            {
                "index": 0,
                "message": message,
                "logprobs": None,
                "finish_reason": choice.finish_reason,
            }
        ],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": choice.tokens,
            "total_tokens": prompt_tokens + choice.tokens,
        },
    }
