"""The files of a run's dataset, and which other runs use them: for deleting them with the run."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from shared.core.errors import ErrorCode, NotFound, PermanentError, Problem
from shared.core.json_values import json_object
from shared.core.paths import PROBLEM_SUFFIX, RUNS, SPLITS, RunPaths, Split, beside
from shared.runs.file_names import SPECIFICATION_FILE, SPLIT_FILES
from shared.runs.requests import RunRequest, read_request

if TYPE_CHECKING:
    from shared.core.storage import Storage

RUNS_AT_ONCE = 16
MAX_NAMED_RUNS = 20


async def deletable_files(storage: Storage, run_id: str) -> dict[str, str]:
    """Return the files in container `datasets` that only this run uses: versions by path.

    Raises PermanentError (`dataset_in_use`) if another run uses one, or if one was overwritten
    since this run read it.
    """
    try:
        request = await read_request(storage, run_id)
    except PermanentError:
        message = f"run {run_id} has no request.json that names its dataset: leave out `dataset`"
        raise PermanentError(message, code=ErrorCode.DATASET_IN_USE) from None
    inputs = await _inputs(storage, request)
    uploaded = list(inputs.values())
    if request.source == "upload":
        uploaded.append(beside(request.train, SPECIFICATION_FILE))
    uploaded += [path + PROBLEM_SUFFIX for path in uploaded]
    files: dict[str, str] = {}
    for path in uploaded:
        properties = await storage.properties(path)
        if properties is not None:
            files[path] = properties.etag
    problems = await _changed(storage, request, inputs)
    problems += await _users(storage, run_id, set(files))
    if problems:
        message = f"the dataset of run {run_id} can't be deleted with it: nothing was deleted"
        raise PermanentError(message, code=ErrorCode.DATASET_IN_USE, details=problems)
    return files


async def _inputs(storage: Storage, request: RunRequest) -> dict[Split, str]:
    """Return the path of each split, also of a run that ended before it was prepared."""
    try:
        document = await storage.read_json(RunPaths(request.run_id).specification)
    except NotFound:
        document = request.body
    spec = json_object(document) or {}
    inputs: dict[Split, str] = {"train": request.train}
    for split in SPLITS:
        path = spec.get(split)
        if isinstance(path, str):
            inputs[split] = path
        elif document is None and split in SPLIT_FILES:
            inputs[split] = beside(request.train, SPLIT_FILES[split])
    return inputs


async def _changed(
    storage: Storage, request: RunRequest, inputs: dict[Split, str]
) -> list[Problem]:
    """Return the files that are no longer those that the run has read."""
    problems: list[Problem] = []
    for split, path in inputs.items():
        source = await storage.properties(path)
        copy = await storage.properties(f"{RUNS}/{RunPaths(request.run_id).input(split)}")
        if source is None:
            continue
        copied = copy.copy.completion_time if copy else None
        is_other = copied is not None and source.last_modified > copied
        if is_other or (split == "train" and source.etag != request.etag):
            problem = "was overwritten since the run read it: delete the run without `dataset`"
            problems.append({"where": path, "problem": problem})
    return problems


async def _users(storage: Storage, run_id: str, files: set[str]) -> list[Problem]:
    """Return the files that other runs use, each with these runs."""
    others = [other async for other in storage.run_ids("", "") if other != run_id]
    users: dict[str, list[str]] = {}
    for first in range(0, len(others), RUNS_AT_ONCE):
        batch = others[first : first + RUNS_AT_ONCE]
        for other, inputs in zip(
            batch, await asyncio.gather(*(_inputs_of(storage, each) for each in batch)), strict=True
        ):
            for path in inputs & files:
                users.setdefault(path, []).append(other)
    return [
        {"where": path, "problem": f"is used by {_listed(runs)}: delete these first"}
        for path, runs in sorted(users.items())
    ]


async def _inputs_of(storage: Storage, run_id: str) -> set[str]:
    # A folder that isn't a run's, or is being deleted, or that no run could go on in.
    with contextlib.suppress(PermanentError):
        request = await read_request(storage, run_id)
        return set((await _inputs(storage, request)).values())
    return set()


def _listed(runs: list[str]) -> str:
    more = f" and {len(runs) - MAX_NAMED_RUNS} more" if len(runs) > MAX_NAMED_RUNS else ""
    return f"{', '.join(runs[:MAX_NAMED_RUNS])}{more}"
