"""Reads the answer, and the reasoning, of a reply that holds JSON.

A value counts only under a key of `json_replies.toml`, in an object that can be read in one way;
two objects that differ in it give no answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from shared.core.tables import Table, read_table
from shared.dataset.rejection import RejectionReason
from shared.tasks.base import Unreadable
from shared.tasks.replies.lenient_json import JsonObject, objects_in, plain_json
from shared.tasks.replies.reply import whole_characters

FENCE = re.compile(r"```(?:json)?")
MAX_WRAPPERS = 3  # objects around the one with the answer
WORD_GAP = re.compile(r"[ -]+|(?<=[a-z])(?=[A-Z])")


class _Keys(Table):
    answer_keys: frozenset[str]
    value_keys: frozenset[str]
    unit_keys: frozenset[str]
    reasoning_keys: frozenset[str]
    step_keys: frozenset[str]


_KEYS = read_table(_Keys, __file__)
_ALL_KEYS = _KEYS.answer_keys | _KEYS.value_keys | _KEYS.reasoning_keys

AMBIGUOUS = Unreadable(
    RejectionReason.UNREADABLE,
    "its JSON gives several answers, or cannot be read in one way; it must be one object with one"
    " answer",
)


@dataclass(frozen=True, slots=True)
class ReasonedAnswer:
    """The two texts of a chain-of-thought object."""

    reasoning: str
    answer: str


def answer_object(text: str) -> str | Unreadable | None:
    """Return the answer of the text's JSON objects, None if none has one."""
    return _sole_answer(_readable_objects(text))


def reasoned_object(text: str) -> ReasonedAnswer | None:
    """Return reasoning and answer of the text's one object that has both."""
    objects = _readable_objects(text)
    answer = _sole_answer(objects)
    if answer is None or isinstance(answer, Unreadable):
        return None
    for data in objects:
        reasoning = None if data is None else _reasoning(data)
        if data is not None and reasoning and _answer(data):
            return ReasonedAnswer(reasoning, answer)
    return None


def value_of(text: str, keys: Iterable[str]) -> str | Unreadable | None:
    """Return the one text under these keys in the text's JSON objects, None if there is none."""
    values: set[str] = set()
    for part in objects_in(text):
        data = {} if part.value is None else _unwrapped(part.value, frozenset(keys))
        values |= _values(data, frozenset(keys))
    return AMBIGUOUS if len(values) > 1 else next(iter(values), None)


def is_other_object(text: str) -> bool:
    """Return whether a text without an answer's key is one JSON object of several keys."""
    text = FENCE.sub("", text).strip()
    if not (text.startswith("{") and text.endswith("}")):
        return False
    objects = objects_in(text)
    return len(objects) == 1 and len(objects[0].value or {}) > 1


def behind_objects(text: str) -> str:
    """Return the text behind its last JSON object, "" without one."""
    objects = objects_in(text)
    return plain_json(text)[objects[-1].end :] if objects else ""


def other_texts(text: str) -> set[str]:
    """Return the plain values of the text's JSON objects that are no reasoning."""
    texts: set[str] = set()
    for data in filter(None, _readable_objects(text)):
        keys = {plain_key(key) for key in data} - _KEYS.reasoning_keys
        texts |= _values(data, frozenset(keys))
    return texts


def beside_objects(text: str) -> str:
    """Return the text without its JSON objects."""
    objects = objects_in(text)
    text = plain_json(text) if objects else text
    position = 0
    parts: list[str] = []
    for part in objects:
        parts.append(text[position : part.start])
        position = part.end
    return "\n".join([*parts, text[position:]])


def _sole_answer(objects: Iterable[JsonObject | None]) -> str | Unreadable | None:
    answers: set[str] = set()
    for data in objects:
        answer = None if data is None else _answer(data)
        if data is None or isinstance(answer, Unreadable):
            return AMBIGUOUS
        if answer:
            answers.add(answer)
    return AMBIGUOUS if len(answers) > 1 else next(iter(answers), None)


def _readable_objects(text: str) -> list[JsonObject | None]:
    """Return the objects of a text; None stands for one that has known keys and isn't readable."""
    objects: list[JsonObject | None] = []
    for part in objects_in(text):
        if part.value is not None:
            objects.append(_unwrapped(part.value, _ALL_KEYS))
        elif plain_key(part.key) in _ALL_KEYS:
            objects.append(None)
    return objects


def _unwrapped(data: JsonObject, keys: frozenset[str]) -> JsonObject:
    """Return the object within an object that has none of the keys as a plain value."""
    for _ in range(MAX_WRAPPERS):
        values = map(_sole_item, data.values())
        inner = [cast(JsonObject, value) for value in values if isinstance(value, dict)]
        if len(inner) != 1 or _values(data, keys):
            break
        data = inner[0]
    return data


def _answer(data: JsonObject) -> str | Unreadable | None:
    for keys in (_KEYS.answer_keys, _KEYS.value_keys):
        values = _values(data, keys)
        if len(values) > 1 or (not values and _has_several(data, keys)):
            return AMBIGUOUS
        if values:
            return values.pop()
    return None


def _reasoning(data: JsonObject) -> str:
    texts: list[str] = []
    for key, value in data.items():
        if plain_key(key) not in _KEYS.reasoning_keys:
            continue
        texts += _steps(value)
    return "\n".join(texts)


def _steps(value: object) -> list[str]:
    """Return the texts of a reasoning, which may be a list or an object of steps."""
    if isinstance(value, dict):
        entries = cast(JsonObject, value).items()
        steps = [step for key, step in entries if plain_key(key) not in _KEYS.step_keys]
    elif isinstance(value, list):
        steps = cast(list[object], value)
    else:
        text = _scalar(value)
        return [text] if text else []
    return [text for step in steps for text in _steps(step)]


def _values(data: JsonObject, keys: frozenset[str]) -> set[str]:
    """Return the different values under these keys; `{"value": 7, "unit": "kg"}` is `7 kg`."""
    values: set[str] = set()
    unit = " ".join(_scalar(data[key]) or "" for key in data if plain_key(key) in _KEYS.unit_keys)
    for key, value in data.items():
        item = _sole_item(value)
        if plain_key(key) not in keys:
            continue
        if isinstance(item, dict):
            values |= _values(cast(JsonObject, item), _KEYS.value_keys)
        elif text := _scalar(item):
            values.add(text if unit.lower() in text.lower() else f"{text} {unit}")
    return values


def _has_several(data: JsonObject, keys: frozenset[str]) -> bool:
    """Return whether one of these keys holds a list of several values."""
    lists = (value for key, value in data.items() if plain_key(key) in keys)
    return any(isinstance(value, list) and len(cast(list[object], value)) > 1 for value in lists)


def _sole_item(value: object) -> object:
    items = cast(list[object], value) if isinstance(value, list) else [value]
    return items[0] if len(items) == 1 else None


def plain_key(key: str) -> str:
    """Return a key as the table spells it."""
    return WORD_GAP.sub("_", key.strip()).lower()


def _scalar(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return whole_characters(value).strip() if isinstance(value, str) else None
