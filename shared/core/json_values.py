"""JSON from outside, before anything is known of its shape."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn, cast

from pydantic import JsonValue

JsonObject = dict[str, JsonValue]
# what JSON readers in other languages, such as Durable's, hold a whole number in
MAX_INTEGER = 2**63 - 1
MAX_KEY_CHARACTERS = 100  # that a message repeats


def json_object(value: object) -> JsonObject | None:
    """Return decoded JSON if it is an object, None for any other value."""
    return cast(JsonObject, value) if isinstance(value, dict) else None


def decode_json(text: str | bytes) -> Any:
    """Return decoded JSON, by the letter of its standard.

    Raises ValueError, also for NaN and for a key that occurs twice in an object: readers disagree
    on which of its values counts. Raises RecursionError for deep nesting.
    """
    return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_distinct)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} isn't a number in JSON")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    decoded: dict[str, Any] = {}
    for key, value in pairs:
        if key in decoded:
            raise ValueError(f"the key {key[:MAX_KEY_CHARACTERS]!r} occurs twice: remove one")
        decoded[key] = value
    return decoded


def values_of(data: object) -> Iterator[tuple[tuple[str, ...], object]]:
    """Yield decoded JSON and each value within it, with the keys and positions that lead there.

    Without recursion: nothing bounds the depth of what users send.
    """
    pending: list[tuple[tuple[str, ...], object]] = [((), data)]
    while pending:
        place, value = pending.pop()
        yield place, value
        if isinstance(value, Mapping):
            entries = cast(Mapping[str, object], value)
            pending += [((*place, key), entries[key]) for key in reversed(list(entries))]
        elif isinstance(value, list):
            elements = list(enumerate(cast(list[object], value)))
            pending += [((*place, str(index)), element) for index, element in reversed(elements)]


def unwritable_values(data: object) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the place of each value that couldn't be written as JSON again, and why."""
    for place, value in values_of(data):
        problem = _unwritable(value)
        if problem:
            yield place, problem
        if place and not is_writable(place[-1]):
            yield place[:-1], f"has a key that {HALF_CHARACTER}"


def is_writable(text: str) -> bool:
    """Return whether UTF-8 can hold the text: JSON can name half of a surrogate pair."""
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


HALF_CHARACTER = r"holds half of a surrogate pair, such as \ud800, which UTF-8 can't hold"


def _unwritable(value: object) -> str | None:
    if isinstance(value, str):
        return None if is_writable(value) else HALF_CHARACTER
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return None if math.isfinite(value) else "must be a finite number"
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        return f"must be a whole number of at most {MAX_INTEGER:,}"
    return None
