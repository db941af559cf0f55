"""Reads the text of a teacher's reply: without think blocks and fences, and with JSON taken apart.

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

THINK_TAG = re.compile(r"<(/?)(?:think|thinking|thought)>", re.IGNORECASE)
# A fence of these kinds only wraps prose; one of a programming language is part of the answer.
PROSE_FENCE = re.compile(
    r"(`{3,}|~{3,})[ \t]*(?:(?:text|txt|plaintext|markdown|md)[ \t]*)?", re.IGNORECASE
)
SURROGATE = re.compile("[\ud800-\udfff]")

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

REFUSAL = re.compile(
    r"(?:i['’]?m (?:very |really )?sorry|sorry|i apologi[sz]e|unfortunately)?\W*"
    r"(?:but )?(?:as an ai[^,.]*,\s*)?"
    r"(?:i (?:can(?:no|['’])t|am (?:not able|unable)|won['’]t|will not|must decline)"
    r"|i['’]m (?:not able|unable))\b",
    re.IGNORECASE,
)
REFUSAL_WINDOW = 300

JsonObject = dict[str, Any]


def answering_text(reply: str) -> str | Unreadable:
    """Return the plain text of a reply, unless it is empty or declines to answer."""
    text = plain_text(reply)
    if not text:
        return Unreadable(RejectionReason.EMPTY, "the reply is empty")
    if is_refusal(text):
        return Unreadable(RejectionReason.REFUSED, "the reply declines to answer")
    return text


def plain_text(reply: str) -> str:
    """Return the reply without think blocks, a fence around prose, and outer white space.

    A reply that shows nothing gives the empty text.
    """
    text = _unfenced(_without_thinking(whole_characters(reply)).strip()).strip()
    for character in text:
        if character.isprintable() and not character.isspace():
            return text
    return ""


def whole_characters(text: str) -> str:
    """Return the text with halves of surrogate pairs replaced: no file could hold them."""
    if not SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def is_refusal(text: str) -> bool:
    """Return whether the text declines to answer at its very beginning."""
    start = re.sub(r"\A\W+", "", text[:REFUSAL_WINDOW])
    return REFUSAL.match(start) is not None


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


def reasoned_answer(reply: str) -> Answer | Unreadable:
    """Return the last complete `{"reasoning", "answer"}` object of a chain-of-thought reply."""
    last: Answer | None = None
    for data in json_objects(plain_text(reply)):
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


def _without_thinking(reply: str) -> str:
    shown: list[str] = []
    position = 0
    is_thinking = False
    has_begun = False  # whether a think block has
    for tag in THINK_TAG.finditer(reply):
        is_end = bool(tag[1])
        if is_end:
            if not has_begun:  # it began in the prompt, as with some chat templates
                shown.clear()
            is_thinking = False
            has_begun = True
        elif not is_thinking:
            shown.append(reply[position : tag.start()])
            is_thinking = True
            has_begun = True
        position = tag.end()
    if not is_thinking:
        shown.append(reply[position:])
    return "".join(shown)


def _unfenced(text: str) -> str:
    first, _, rest = text.partition("\n")
    if not rest:
        is_fenced = len(text) > 6 and text.startswith("```") and text.endswith("```")
        return text[3:-3] if is_fenced else text
    opening = PROSE_FENCE.fullmatch(first.strip())
    body, newline, last = rest.rpartition("\n")
    if opening is None or not newline:
        return text
    fence = opening[1]
    is_closed = last.strip() == fence and fence not in body
    return body if is_closed else text


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
