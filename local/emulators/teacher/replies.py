"""From a worked answer to the texts and the body of a chat completion, faults of the answer included."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from local.emulators.teacher import tokens
from local.emulators.teacher.answers.prompt import Form, Prompt
from local.emulators.teacher.answers.solution import DensityStep, Solution
from local.emulators.teacher.schemas import fill

REFUSAL = "I'm sorry, but I can't help with that."


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer as it is sent. `content` is None where `refusal` is given."""

    content: str | None
    finish_reason: str = "stop"
    refusal: str | None = None

    @property
    def tokens(self) -> int:
        return tokens.count(self.content or self.refusal or "")


def render(prompt: Prompt, solution: Solution, *, wrong: str | None = None) -> str:
    """The answer, or the wrong one given, in the form that the request asks for."""
    answer = solution.answer if wrong is None else wrong
    if prompt.form is Form.TEXT:
        return answer
    if prompt.form is Form.REASONED:
        reasoning = "\n".join(
            f"Step {number}: {step}" for number, step in enumerate(solution.reasoning, 1)
        )
        return _json({"reasoning": reasoning, "answer": answer})
    if prompt.form is Form.DENSENED:
        steps = (
            (*solution.steps[:-1], DensityStep((), answer))
            if wrong is not None or not solution.steps
            else solution.steps
        )
        return _json({"steps": [asdict(step) for step in steps]})
    if prompt.form is Form.SCHEMA:
        return _json(fill(json.loads(prompt.schema), answer))
    return _json({"answer": answer})


def malformed(prompt: Prompt, solution: Solution, drawn: float) -> str:
    """One of four answers that were not asked for; the fenced one can still be read by a tolerant reader."""
    kinds = (
        "That is an interesting question, and there is a good deal to be said for either side.",
        '{"reasoning": "Let us look at it closely, because',
        "It is what one might call a borderline case: perhaps.",
        f"Here you are:\n\n```json\n{render(prompt, solution)}\n```\n",
    )
    return kinds[int(drawn * len(kinds))]


def faulty(prompt: Prompt, solution: Solution, fault: str, drawn: float) -> Choice:
    """A choice with one of the answer faults. `drawn` in [0, 1) picks among the kinds of a fault."""
    if fault == "wrong":
        return Choice(render(prompt, solution, wrong=solution.mistake(drawn)))
    if fault == "malformed":
        return Choice(malformed(prompt, solution, drawn))
    if fault == "empty":
        return Choice("")
    if fault == "refused":
        return Choice(None, refusal=REFUSAL) if drawn < 0.5 else Choice(REFUSAL)
    if fault == "content_filter":
        return Choice("", "content_filter")
    text = render(prompt, solution)
    return Choice(
        tokens.cut(text, max(1, tokens.count(text) // 2)) if len(text) > 1 else "", "length"
    )


def cut(choice: Choice, stops: Sequence[str], limit: int | None) -> Choice:
    """The choice ended before the first stop sequence, then at the token limit."""
    if choice.content is None:
        return choice
    ends = [place for stop in stops if stop and (place := choice.content.find(stop)) >= 0]
    content = choice.content[: min(ends)] if ends else choice.content
    if limit is not None and tokens.count(content) > limit:
        return Choice(tokens.cut(content, limit), "length")
    return Choice(content, "stop" if ends else choice.finish_reason)


def completion(
    request_id: str, model: str, seed: int, choices: Sequence[Choice], prompt_tokens: int
) -> dict[str, Any]:
    """The body of a successful answer."""
    completion_tokens = sum(choice.tokens for choice in choices)
    return {
        "id": f"chatcmpl-{request_id}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "system_fingerprint": f"fp_local_{seed}",
        "choices": [_choice(index, choice) for index, choice in enumerate(choices)],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    }


def _choice(index: int, choice: Choice) -> dict[str, Any]:
    message = {"role": "assistant", "content": choice.content, "refusal": choice.refusal}
    return {
        "index": index,
        "message": message,
        "logprobs": None,
        "finish_reason": choice.finish_reason,
    }


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
