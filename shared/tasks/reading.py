"""Tolerant reading of teacher replies, shared by the tasks: think blocks, code fences, JSON in prose, "Answer: …" lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, cast

from shared.tasks.base import Answer, Unreadable

THINK = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
OPEN_THINK = re.compile(r"<think(?:ing)?>.*\Z", re.DOTALL | re.IGNORECASE)
FENCE = re.compile(r"\A\s*```[\w-]*[ \t]*\n?(.*?)\n?```\s*\Z", re.DOTALL)
TRAILING_COMMA = re.compile(r",(\s*[}\]])")
ANSWER_LINE = re.compile(
    r"(?:^|[\n.!?*_ ])(?:the\s+)?(?:final\s+|correct\s+)?(?:answer|label|result|choice|option)"
    r"(?:\s+is|\s*[:=])+[\s*_:]*([^\n]+)",
    re.IGNORECASE,
)
REFUSAL = re.compile(
    r"\A\W*(?:i['’]?m (?:very |really )?sorry|sorry|i apologi[sz]e|unfortunately)?\W*(?:but )?(?:as an ai[^,.]*,\s*)?"
    r"(?:i (?:can(?:no|['’])t|am (?:not able|unable)|won['’]t|will not|must decline)|i['’]m (?:not able|unable))\b",
    re.IGNORECASE,
)
MAX_JSON_STARTS = 50  # a reply that opens more braces than this is not an answer in prose


def plain_text(reply: str) -> str:
    """The reply without think blocks, an enclosing code fence, and space around it."""
    text = OPEN_THINK.sub("", THINK.sub("", reply)).strip()
    fenced = FENCE.match(text)
    return (fenced.group(1) if fenced else text).strip()


def json_objects(text: str) -> Iterator[dict[str, Any]]:
    """Every JSON object that stands in the text, trailing commas forgiven."""
    decoder = json.JSONDecoder(strict=False)
    for candidate in dict.fromkeys((text, TRAILING_COMMA.sub(r"\1", text))):
        position, starts = candidate.find("{"), 0
        while position >= 0 and starts < MAX_JSON_STARTS:
            starts += 1
            try:
                value, end = decoder.raw_decode(candidate, position)
            except (ValueError, RecursionError):
                position = candidate.find("{", position + 1)
                continue
            if isinstance(value, dict):
                yield cast(dict[str, Any], value)
            position = candidate.find("{", end)


def reasoned_answer(reply: str) -> Answer | Unreadable:
    """The `{"reasoning", "answer"}` object of a chain-of-thought reply, the last one that is complete."""
    found: Answer | None = None
    for data in json_objects(plain_text(reply)):
        answer, reasoning = _scalar(data.get("answer")), _prose(data.get("reasoning"))
        if answer and reasoning:
            found = Answer(answer, reasoning)
    if found is None:
        return Unreadable("unreadable", "the reply holds no JSON object with the texts `reasoning` and `answer`")
    return found


def answer_candidates(text: str) -> list[str]:
    """Where the answer may stand, the likeliest first: the last "Answer: …" line, then the whole text."""
    lines = [match.group(1).strip() for match in ANSWER_LINE.finditer(text)]
    return [*reversed(lines), text]


def is_refusal(text: str) -> bool:
    """Whether the reply declines to answer at its very beginning."""
    return REFUSAL.match(text) is not None


def _scalar(value: Any) -> str | None:
    if isinstance(value, bool) or value is None:
        return None
    return str(value).strip() if isinstance(value, str | int | float) else None


def _prose(value: Any) -> str | None:
    """Reasoning as text; some models send its steps as a list."""
    if isinstance(value, list):
        steps = [step for step in cast(list[Any], value) if isinstance(step, str)]
        return "\n".join(steps).strip()
    return value.strip() if isinstance(value, str) else None
