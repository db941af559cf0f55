"""Reads the answer, and the reasoning, of a reply that holds JSON.

A value counts only under a key of `json_replies.toml`, in an object that can be read in one way;
two objects that differ in it give no answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
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
    objects = _readable_objects(text)
    if None in objects:
        return AMBIGUOUS
    return _sole(set[str]().union(*map(_answers, filter(None, objects))))


def reasoned_object(text: str) -> ReasonedAnswer | None:
    """Return reasoning and answer of the text's one object that has both."""
    answer = answer_object(text)
    if not isinstance(answer, str):
        return None
    for data in filter(None, _readable_objects(text)):
        reasoning = _reasoning(data)
        if reasoning and _answers(data):
            return ReasonedAnswer(reasoning, answer)
    return None


def value_of(text: str, keys: Iterable[str]) -> str | Unreadable | None:
    """Return the one text under these keys in the text's JSON objects, None if there is none."""
    values: set[str] = set()
    for part in objects_in(text):
        values |= _values(_unwrapped(part.value or {}, frozenset(keys)), frozenset(keys))
    return _sole(values)


def is_other_object(text: str) -> bool:
    """Return whether a text without an answer's key is one JSON object of several keys."""
    objects = objects_in(text)
    is_alone = len(objects) == 1 and not FENCE.sub("", beside_objects(text)).strip()
    return is_alone and len(objects[0].value or {}) > 1


def behind_objects(text: str) -> str:
    """Return the text behind its last JSON object, "" without one."""
    objects = objects_in(text)
    return plain_json(text)[objects[-1].end :] if objects else ""


def other_texts(text: str) -> set[str]:
    """Return the plain values of the text's JSON objects that are no reasoning."""
    texts: set[str] = set()
    for data in filter(None, _readable_objects(text)):
        keys = {plain_key(key) for key, value in data.items() if not isinstance(value, list)}
        texts |= _values(data, keys - _KEYS.reasoning_keys)
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


def plain_key(key: str) -> str:
    """Return a key as the table spells it."""
    return WORD_GAP.sub("_", key.strip()).lower()


def _sole(values: set[str]) -> str | Unreadable | None:
    return AMBIGUOUS if len(values) > 1 else next(iter(values), None)


def _readable_objects(text: str) -> list[JsonObject | None]:
    """Return the objects of a text; None stands for one that has known keys and isn't readable."""
    objects: list[JsonObject | None] = []
    for part in objects_in(text):
        if part.value is not None:
            objects.append(_unwrapped(part.value, _ALL_KEYS))
        elif plain_key(part.key) in _ALL_KEYS:
            objects.append(None)
    return objects


def _unwrapped(data: JsonObject, keys: Set[str]) -> JsonObject:
    """Return the object within an object that has none of the keys as a plain value."""
    for _ in range(MAX_WRAPPERS):
        items = [item for value in data.values() for item in _items(value)]
        inner = [cast(JsonObject, item) for item in items if isinstance(item, dict)]
        if len(inner) != 1 or _values(data, keys):
            break
        data = inner[0]
    return data


def _answers(data: JsonObject) -> set[str]:
    """Return the different answers that an object gives."""
    return _values(data, _KEYS.answer_keys) or _values(data, _KEYS.value_keys)


def _values(data: JsonObject, keys: Set[str]) -> set[str]:
    """Return the different values under these keys; `{"value": 7, "unit": "kg"}` is `7 kg`."""
    values: set[str] = set()
    unit = " ".join(_scalar(data[key]) for key in data if plain_key(key) in _KEYS.unit_keys)
    for key, value in data.items():
        for item in _items(value) if plain_key(key) in keys else ():
            if isinstance(item, dict):
                values |= _values(cast(JsonObject, item), _KEYS.value_keys)
            elif text := _scalar(item):
                values.add(text if unit.lower() in text.lower() else f"{text} {unit}")
    return values


def _reasoning(data: JsonObject) -> str:
    texts: list[str] = []
    for key, value in data.items():
        if plain_key(key) in _KEYS.reasoning_keys:
            texts += _steps(value)
    return "\n".join(texts)


def _steps(value: object) -> list[str]:
    """Return the texts of a reasoning, which may be a list or an object of steps."""
    if isinstance(value, dict):
        entries = cast(JsonObject, value).items()
        value = [step for key, step in entries if plain_key(key) not in _KEYS.step_keys]
    if isinstance(value, list):
        return [text for step in cast(list[object], value) for text in _steps(step)]
    text = _scalar(value)
    return [text] if text else []


def _items(value: object) -> list[object]:
    return cast(list[object], value) if isinstance(value, list) else [value]


def _scalar(value: object) -> str:
    """Return a text or a boolean as text, "" for anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return whole_characters(value).strip() if isinstance(value, str) else ""
