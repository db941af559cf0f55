"""`check`: what a run would find in a dataset of the user's, told offline."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys

from pydantic_core import to_jsonable_python

from local.cli.check_display import printable, report, verdict, with_convertible
from local.cli.dataset_check import (
    Checked,
    Dataset,
    Task,
    check,
    find_dataset,
    form_sentence,
    task_of,
)
from local.runtime.failures import UsageError
from shared.core.errors import ErrorCode, ErrorData, InvalidInput, Problem, SettingsError
from shared.tasks import TASKS

ANY_TASK = "TASK"
LARGE_BYTES = 8 * 1024 * 1024  # take seconds
EMPTY = 'is empty: each line must be a row, such as {"messages": [...]}'


def main(chosen: argparse.Namespace) -> int:
    """Return 0 if a run could use the dataset, 1 if something would stop it. Raises UsageError."""
    dataset = find_dataset(chosen.file, chosen.spec)
    task = Task(chosen.task, "--task") if chosen.task else task_of(dataset)
    if task is None:
        return _without_task(dataset, as_json=chosen.as_json)
    size = sum(path.stat().st_size for path in dataset.files.values())
    if size > LARGE_BYTES:
        print(f"Reading {size / 2**20:,.0f} MiB, some 4,000 rows a second.", file=sys.stderr)
    try:
        checked = asyncio.run(check(dataset, task.name))
    except OSError as error:
        raise UsageError(f"the dataset can't be read: {error}") from error
    except InvalidInput as error:
        return _unusable(dataset, task, error.as_data(), as_json=chosen.as_json)
    except SettingsError as error:
        raise UsageError(str(error)) from error
    outcome = checked.outcome
    if chosen.as_json:
        _show(as_json(dataset, task, checked))
    else:
        _announce(dataset, task)
        _show(f"\n{report(checked)}")
    return 0 if outcome["error"] is None else 1


def _without_task(dataset: Dataset, *, as_json: bool) -> int:
    """Say why the file can't be used whatever its task, if that is so. Raises UsageError."""
    train = dataset.train
    tasks = f"one of {', '.join(TASKS)}"
    details: list[Problem] = []
    if not train.stat().st_size:
        details.append({"where": str(train), "problem": EMPTY})
    elif sentence := form_sentence(train, ANY_TASK):
        sentence = with_convertible(sentence, train.name, train)
        details.append({"where": str(train), "problem": sentence})
        if ANY_TASK in sentence:
            details.append({"where": ANY_TASK, "problem": f"is {tasks}"})
    else:
        raise UsageError(
            f"The task of {train} can't be told from its path or its rows.\n"
            f"Name it with --task, {tasks}."
        )
    error: ErrorData = {
        "code": ErrorCode.DATASET,
        "message": "the dataset cannot be used",
        "details": details,
    }
    return _unusable(dataset, None, error, as_json=as_json)


def _unusable(dataset: Dataset, task: Task | None, error: ErrorData, *, as_json: bool) -> int:
    if as_json:
        _show(_json(dataset, task, {"error": error}))
        return 1
    _announce(dataset, task)
    _show(f"\n{verdict(error)}")
    return 1


def _announce(dataset: Dataset, task: Task | None) -> None:
    """Say what is checked, and as what."""
    shown = [f"Training set: {dataset.train}"]
    others = [str(path) for path in dataset.files.values() if path != dataset.train]
    if others:
        shown.append(f"With it: {', '.join(others)}")
    if task is not None:
        shown.append(f"Task: {task.name} (by {task.source})")
    _show("\n".join(map(printable, shown)))


def _show(text: str) -> None:
    """Print a text. Whoever reads it may stop early, as `head` does."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def as_json(dataset: Dataset, task: Task, checked: Checked) -> str:
    """Return what the dry run found, all rejected rows, and what was checked, as JSON text."""
    return _json(dataset, task, {**to_jsonable_python(checked.outcome), "notes": checked.notes})


def _json(dataset: Dataset, task: Task | None, outcome: dict[str, object]) -> str:
    checked = {
        "usable": outcome["error"] is None,
        "task": task.name if task else None,
        "task_from": task.source if task else None,
        "files": {name: str(path) for name, path in dataset.files.items()},
    }
    return json.dumps({**outcome, **checked}, ensure_ascii=False, indent=1)
