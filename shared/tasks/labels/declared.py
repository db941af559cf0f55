"""Labels and choices that rows declare in fields of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from shared.core.json_values import is_writable
from shared.dataset.answer_space import AnswerSpace, spelled
from shared.dataset.rows import Row

MIN_VALUES = 2
MAX_VALUES = 50
MAX_LENGTH = 500  # characters of a value


def offered(row: Row) -> AnswerSpace:
    """Return the values of a row that its task has checked."""
    return row.answers or AnswerSpace(())


def declared_values(field: object, name: str) -> AnswerSpace | str:
    """Return the values in the list or object that a row's field holds, or what is wrong with it.

    An object has the values as keys, each with its text.
    """
    values: list[object] = []
    texts: list[object] = []
    if isinstance(field, Mapping):
        pairs = cast(Mapping[str, object], field)
        values = list(pairs)
        texts = list(pairs.values())
    elif isinstance(field, list):
        values = cast(list[object], field)
    else:
        return f"`{name}` must be a list, or an object with a text for each of them"
    read = [_text(value) for value in values]
    meanings = [_text(text) for text in texts]
    clean = [text for text in (*read, *meanings) if text is not None]
    if len(clean) < len(read) + len(meanings):
        return f"`{name}` must hold texts or numbers that aren't empty"
    return _space([text or "" for text in read], [text or "" for text in meanings], name)


def _space(values: list[str], texts: list[str], name: str) -> AnswerSpace | str:
    if not MIN_VALUES <= len(values) <= MAX_VALUES:
        return f"`{name}` has {len(values)} entries: it must have {MIN_VALUES} to {MAX_VALUES}"
    if len({spelled(value) or value for value in values}) < len(values):
        return f"`{name}` names the same value twice"
    return AnswerSpace(tuple(values), tuple(texts), source="row")


def _text(value: object) -> str | None:
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_LENGTH:
        return None
    return value.strip() if is_writable(value) else None
