"""`GET /api/runs`: a page of runs, the newest first.

The order is that of the index (run_index.py); Durable is asked for the runs of the page only, some
at a time. Its own list of instances has no order by age, and sub-orchestrations between the runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, NotRequired

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator
from pydantic.config import JsonDict
from typing_extensions import TypedDict  # pydantic requires this one before Python 3.12

from shared.core.errors import Problem
from shared.core.paths import DATASETS
from shared.runs import run_index
from shared.runs.http import ErrorBody, parsed_query
from shared.runs.run_index import IndexedRun
from shared.runs.status import RunState
from shared.runs.view import RunView
from shared.tasks import TASKS
from shared.teacher.budget import MonthlySpend

if TYPE_CHECKING:
    from shared.core.storage import Storage

MAX_PAGE = 100
ID_CHARACTERS = "^[A-Za-z0-9_-]{0,100}$"
MAX_DATASET_CHARACTERS = 1024
# Durable's Python client opens 30 connections to the host
PARALLEL_LOOKS = 30
# Durable is asked for at most so many runs for a page: some seconds in Azure
MAX_LOOKS = 1000


def _one_of(values: Iterable[str]) -> JsonDict:
    """Return the part of a parameter's schema that names its values."""
    return {"anyOf": [{"type": "string", "enum": list(values)}, {"type": "null"}]}


class RunFilter(BaseModel):
    """The query of a listing. `after` is `next` of the page before."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: str | None = Field(
        default=None, description="of the runs", json_schema_extra=_one_of(RunState)
    )
    task: str | None = Field(
        default=None, description="of the runs", json_schema_extra=_one_of(TASKS)
    )
    dataset: str | None = Field(
        default=None,
        max_length=MAX_DATASET_CHARACTERS,
        description="path of the training set, or of a folder it is in, such as `nli/my-set`",
    )
    prefix: str = Field(default="", pattern=ID_CHARACTERS, description="with which run ids begin")
    since: AwareDatetime | None = Field(default=None, description="created at or after this moment")
    limit: int = Field(default=20, ge=1, le=MAX_PAGE, description="most runs of a page")
    after: str = Field(default="", description="`next` of the page before")

    @field_validator("dataset")
    @classmethod
    def _dataset_path(cls, text: str | None) -> str | None:
        return None if text is None else dataset_path(text)

    @field_validator("after")
    @classmethod
    def _key(cls, text: str) -> str:
        if text and run_index.entry_of(text) is None:
            raise ValueError("must be `next` of an earlier page")
        return text

    def admits_entry(self, run: IndexedRun) -> bool:
        """Return whether the index allows the run to match."""
        if run.key <= self.after or not run.run_id.startswith(self.prefix):
            return False
        if self.task and not run.run_id.startswith(f"{self.task}-"):
            return False
        return self.dataset is None or is_below(run.dataset, self.dataset)

    def admits(self, view: RunView) -> bool:
        """Return whether the run matches status and task."""
        return view.status == (self.status or view.status) and view.task == (self.task or view.task)

    @property
    def page(self) -> int | None:
        """Return how many names to request at a time, None for as many as fit."""
        is_narrow = self.status or self.task or self.prefix or self.after
        return None if is_narrow else self.limit + 2


class RunPage(TypedDict):
    """A page of runs, the newest first. `next` is None on the last page."""

    runs: list[RunView]
    next: str | None


class ListedRuns(RunPage):
    """The answer to `GET /api/runs`."""

    monthly_budget: NotRequired[MonthlySpend | ErrorBody]
    """If the app has one: how much of it is used, or why its ledger can't be read."""


def dataset_path(text: str) -> str:
    """Return the path of a training set, or of a folder, without a slash at its ends.

    `nli/mine`, `datasets/nli/mine/` and `nli/mine/train.jsonl` are ways to name one. Raises
    ValueError.
    """
    path = text.strip("/")
    if not path:
        raise ValueError("must be a path, such as nli/my-set")
    if "://" in text or "?" in text or "\\" in text:
        raise ValueError("must be a path in container datasets, such as nli/my-set, not a URL")
    if {"", ".", ".."} & set(path.split("/")):
        raise ValueError("must be a path without empty parts, `.` and `..`")
    is_whole = path == DATASETS or path.startswith(f"{DATASETS}/")
    return path if is_whole else f"{DATASETS}/{path}"


def is_below(path: str, folder: str) -> bool:
    """Return whether a path is this one, or in this folder."""
    return path == folder or path.startswith(f"{folder}/")


def parse_filter(query: Mapping[str, str]) -> RunFilter:
    """Return the filter in a query. Raises InvalidInput with every wrong parameter."""
    problems: list[Problem] = []
    if (status := query.get("status")) is not None and status not in list(RunState):
        problem = f"must be one of {', '.join(sorted(RunState))}"
        problems.append({"where": "status", "problem": problem})
    if (task := query.get("task")) is not None and task not in TASKS:
        problems.append({"where": "task", "problem": f"must be one of {', '.join(TASKS)}"})
    not_an_id = "isn't part of a run id: use letters, digits, - and _"
    return parsed_query(RunFilter, query, problems, not_an_id)


async def list_runs(
    storage: Storage,
    run_filter: RunFilter,
    view_of: Callable[[str], Awaitable[RunView | None]],
) -> RunPage:
    """Return one page of the runs that match. `view_of` returns None for an unknown run.

    A page may have fewer runs than `limit`, even none, and be followed by others: after MAX_LOOKS
    runs that don't match.
    """
    runs: list[RunView] = []
    looks = 0
    size = min(run_filter.limit, PARALLEL_LOOKS)
    async for batch, has_more in _batches(_candidates(storage, run_filter), size):
        views = await asyncio.gather(*(view_of(run.run_id) for run in batch))
        looks += len(batch)
        for number, (run, view) in enumerate(zip(batch, views, strict=True), 1):
            if view is not None and run_filter.admits(view):
                runs.append(view)
            if len(runs) == run_filter.limit:
                is_last = number == len(batch) and not has_more
                return {"runs": runs, "next": None if is_last else run.key}
        if looks >= MAX_LOOKS and has_more:
            return {"runs": runs, "next": batch[-1].key}
    return {"runs": runs, "next": None}


async def _candidates(storage: Storage, run_filter: RunFilter) -> AsyncIterator[IndexedRun]:
    """Yield the runs that may match, by what the index knows of them."""
    with_datasets = run_filter.dataset is not None
    async for run in run_index.indexed_runs(
        storage, with_datasets=with_datasets, page=run_filter.page
    ):
        if run_filter.since and run.created < run_filter.since:
            return
        if run_filter.admits_entry(run):
            yield run


async def _batches(
    runs: AsyncIterator[IndexedRun], size: int
) -> AsyncIterator[tuple[list[IndexedRun], bool]]:
    """Yield the runs in lists of this size, and whether there are more."""
    batch: list[IndexedRun] = []
    async for run in runs:
        if len(batch) == size:
            yield batch, True
            batch = []
        batch.append(run)
    if batch:
        yield batch, False
