"""Takes apart the JSON in what a teacher's reply shows.

Replies may be hostile: every pattern here takes time linear in the text (100 kB in a few
milliseconds).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, cast

from shared.dataset.rejection import RejectionReason
from shared.tasks.base import Answer, Unreadable
from shared.tasks.reply import whole_characters

DECODER = json.JSONDecoder(strict=False, parse_int=str, parse_float=str, parse_constant=str)
OBJECT_START = re.compile(r'\{\s*["}]')
MAX_OBJECTS = 50  # tried in one reply
TRAILING_COMMA = re.compile(r",(\s*[}\]])")
ESCAPE = re.compile(r'\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})|\\')
ANSWER_KEYS = (
    "answer",
    "final_answer",
    "correct_answer",
    "label",
    "choice",
    "prediction",
    "result",
)

JsonObject = dict[str, Any]


def json_objects(text: str) -> Iterator[JsonObject]:
    """Yield every JSON object in the text, with numbers as text.

    Trailing commas and single backslashes are repaired.
    """
    repaired = TRAILING_COMMA.sub(r"\1", ESCAPE.sub(_doubled_backslash, text))
    for candidate in dict.fromkeys((text, repaired)):
        end = 0
        tries = 0
        for start in OBJECT_START.finditer(candidate):
            if start.start() < end or tries >= MAX_OBJECTS:
                continue
            tries += 1
            try:
                value, end = DECODER.raw_decode(candidate, start.start())
            except (ValueError, RecursionError):
                continue
            yield cast(JsonObject, value)


def reasoned_answer(text: str) -> Answer | Unreadable:
    """Return the last complete `{"reasoning", "answer"}` object of a chain-of-thought reply."""
    last: Answer | None = None
    for data in json_objects(text):
        answer = _scalar(data.get("answer"))
        reasoning = _prose(data.get("reasoning"))
        if answer and reasoning:
            last = Answer(answer, reasoning)
    if last is None:
        detail = "the reply holds no JSON object with the texts `reasoning` and `answer`"
        return Unreadable(RejectionReason.UNREADABLE, detail)
    return last


def json_answer(text: str, keys: tuple[str, ...] = ANSWER_KEYS) -> str | None:
    """Return the answer of the last JSON object that has one: some teachers send JSON unasked."""
    last: str | None = None
    for data in _sole_object(text) or json_objects(text):
        values = {name.strip().lower().replace(" ", "_"): value for name, value in data.items()}
        for key in keys:
            if answer := _scalar(values.get(key)):
                last = answer
                break
    return last


def _sole_object(text: str) -> list[JsonObject] | None:
    """Return what `json_objects` finds in a text that is one plain object, as most are.

    This needs no search and no repairs. None if the text is anything else.
    """
    if text[:1] != "{" or text.count("{") != 1 or "\\" in text or TRAILING_COMMA.search(text):
        return None
    try:
        return [DECODER.decode(text)]
    except (ValueError, RecursionError):
        return None


def _doubled_backslash(escape: re.Match[str]) -> str:
    is_lone = escape[0] == "\\"
    return "\\\\" if is_lone else escape[0]


def _scalar(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return whole_characters(value).strip() if isinstance(value, str) else None


def _prose(value: object) -> str | None:
    """Return reasoning as text; some models send its steps as a list."""
    if isinstance(value, list):
        steps = [step for step in cast(list[object], value) if isinstance(step, str)]
        value = "\n".join(steps)
    return whole_characters(value).strip() if isinstance(value, str) else None
