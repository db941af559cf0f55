"""The body of a new run: from a specification file, a dataset's name and `--set` overrides."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

from .errors import UsageError
from .json_data import JsonObject

TRAIN = "train.jsonl"
SPECIFICATION = "run.json"
SPLIT_FILES = {"train": TRAIN, "validation": "validation.jsonl", "test": "test.jsonl"}
MAX_BYTES = 256 * 1024  # of a body, by the app


def read_specification(path: Path) -> JsonObject:
    """Return the specification in a file. Raises UsageError."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UsageError(f"{path} is larger than a specification may be ({MAX_BYTES:,} bytes)")
        data: object = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} isn't JSON: {error}") from None
    if not isinstance(data, dict):
        raise UsageError(f'{path} must hold a JSON object, such as {{"prompt": {{…}}}}')
    return cast(JsonObject, data)


def dataset_of(text: str, task: str | None = None) -> tuple[str, str]:
    """Return task and name of a dataset: `math/mine`, or `mine` with a task. Raises UsageError."""
    path = text.removeprefix("datasets/").strip("/").removesuffix(f"/{TRAIN}")
    first, _, rest = path.partition("/")
    if rest and "/" not in rest and task in (None, first):
        return first, rest
    if first and not rest and task:
        return task, first
    raise UsageError(
        f"{text} doesn't name a dataset: write TASK/NAME, such as math/mine. "
        "A specification is a file that ends in .json"
    )


def dataset_inputs(task: str, name: str, files: Iterable[str]) -> JsonObject:
    """Return the part of a specification that names a dataset's files."""
    stored = set(files)
    inputs = {
        split: f"datasets/{task}/{name}/{file}"
        for split, file in SPLIT_FILES.items()
        if file in stored
    }
    return {"task": task, **inputs}


def apply_settings(body: JsonObject, settings: Sequence[str]) -> JsonObject:
    """Return a body with `key=value` settings in it: `teacher.max_tokens=200`, `student=null`.

    A value is JSON, or text if it isn't. Raises UsageError.
    """
    changed: JsonObject = json.loads(json.dumps(body))
    for setting in settings:
        key, equals, value = setting.partition("=")
        names = key.strip().split(".")
        if not equals or not all(names):
            raise UsageError(f"--set {setting}: write it as key=value, such as quality.min_rows=10")
        section: Any = changed
        for name in names[:-1]:
            inner = section.setdefault(name, {})
            if not isinstance(inner, dict):
                problem = f"{name} isn't a section with settings of its own"
                raise UsageError(f"--set {setting}: {problem}")
            section = cast(JsonObject, inner)
        section[names[-1]] = _value(value)
    return changed


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
