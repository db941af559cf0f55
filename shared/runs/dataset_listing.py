"""`GET /api/datasets`: a page of datasets, with their files, runs and problems as they are now.

A dataset is a folder `<task>/<name>` with a file that means something to a run, or nearly. Folders
are run_ids by listing one level at a time. A page costs one listing of the container's first level,
one of each task's, 5,000 folders a request, and for each folder shown: one listing, one of its
runs, and the status of at most MAX_RUNS of them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict  # pydantic requires this one before Python 3.12

from shared.core.blob_facts import BlobFacts, Blobs
from shared.core.errors import Problem
from shared.core.ids import HASH_CHARACTERS, slug, upload_run_id
from shared.core.paths import DATASETS, PROBLEM_SUFFIX
from shared.runs.file_names import Role
from shared.runs.http import parsed_query
from shared.runs.listing import MAX_PAGE
from shared.runs.near_misses import BlobName, MissCode, check_name
from shared.runs.problem_files import RunCopies, problem_of
from shared.runs.view import RunView
from shared.tasks import TASKS

MAX_FILES = 200  # of a folder and the folders in it that are looked at
MAX_SHOWN = 50  # files and problems of a dataset
MAX_RUNS = 10  # of a dataset whose status is read
MAX_CANDIDATES = 30  # of them the newest: the run of the present training set, and any others
MAX_COUNTED = 1_000  # run ids of a dataset
MAX_FOLDERS = 200  # that are read for a page, whatever they hold
AT_ONCE = 8  # folders that are read at a time

RunsOf = Callable[[str], AsyncIterator[str]]
ViewOf = Callable[[str], Awaitable[RunView | None]]


class DatasetFilter(BaseModel):
    """The query of a listing. `after` is `next` in the answer before."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str | None = Field(
        default=None, description="of the datasets", json_schema_extra={"enum": list(TASKS)}
    )
    prefix: str = Field(
        default="", max_length=1024, description="with which paths `<task>/<name>` begin"
    )
    limit: int = Field(default=20, ge=1, le=MAX_PAGE, description="most datasets of a page")
    after: str = Field(default="", max_length=1025, description="`next` of the page before")

    def admits(self, folder: str) -> bool:
        """Return whether a folder, `<task>/<name>`, is in the listing."""
        is_of_task = self.task is None or folder.partition("/")[0] == self.task
        is_after = not self.after or _order(folder) > _order(self.after.removesuffix("/"))
        return is_of_task and folder.startswith(self.prefix) and is_after

    def may_hold(self, folder: str) -> bool:
        """Return whether a folder, or one in it, may be in the listing."""
        is_of_task = self.task is None or folder.partition("/")[0] == self.task
        agrees = folder.startswith(self.prefix) or self.prefix.startswith(f"{folder}/")
        after = self.after.removesuffix("/")
        is_before = bool(after) and _order(folder) < _order(after)
        return is_of_task and agrees and (not is_before or after.startswith(f"{folder}/"))


class DatasetState:
    """Whether a dataset can be used."""

    USABLE = "usable"
    NO_TRAINING_SET = "no_training_set_yet"
    UNUSABLE = "unusable"


class FileView(TypedDict):
    """One file. `size` is in bytes; `modified` is ISO 8601, UTC."""

    name: str
    size: int
    etag: str
    modified: str


class ProblemView(TypedDict):
    """Why a file isn't used. `use` is the path to upload it to, `run` the run that came first."""

    file: str
    code: str
    problem: str
    remedy: str
    use: str | None
    run: str | None


class DatasetRun(TypedDict):
    """A run of a dataset. `is_current` says whether it is of the training set as it is now."""

    id: str
    status: str
    created: str | None
    is_current: bool


class DatasetView(TypedDict):
    """A dataset. `more_files` and `runs_left_out` say what isn't shown."""

    path: str
    task: str
    name: str
    state: str
    validation: bool
    files: list[FileView]
    more_files: bool
    runs: list[DatasetRun]
    runs_left_out: int
    problems: list[ProblemView]


class DatasetPage(TypedDict):
    """A page of datasets, in order of path. `next` is None on the last page only.

    A page may have fewer datasets than its limit, or none, if many folders hold none.
    """

    datasets: list[DatasetView]
    next: str | None


@dataclass
class _Folder:
    path: str
    blobs: list[BlobFacts] = field(default_factory=list[BlobFacts])
    is_cut: bool = False
    """Whether it has more blobs than were looked at."""
    is_read: bool = True


def parse_dataset_filter(query: Mapping[str, str]) -> DatasetFilter:
    """Return the filter in a query. Raises InvalidInput with every wrong parameter."""
    problems: list[Problem] = []
    if (task := query.get("task")) is not None and task not in TASKS:
        problem = f"must be one of {', '.join(TASKS)}; ?prefix= finds folders that aren't tasks"
        problems.append({"where": "task", "problem": problem})
    return parsed_query(DatasetFilter, query, problems)


class DatasetListing:
    """Lists datasets. `runs_of` yields run ids by prefix; `view_of` returns None for no run."""

    def __init__(self, blobs: Blobs, copies: RunCopies, runs_of: RunsOf, view_of: ViewOf) -> None:
        self._blobs = blobs
        self._copies = copies
        self._runs_of = runs_of
        self._view_of = view_of

    async def page(self, query: DatasetFilter) -> DatasetPage:
        """Return one page of the datasets that match."""
        shown: list[DatasetView] = []
        looked_at = 0
        position = ""
        async for tops in _batches(self._top_folders(query), AT_ONCE):
            looked_at += len(tops)
            folders = [
                folder
                for datasets in await asyncio.gather(*[self._folders(top) for top in tops])
                for folder in datasets
                if query.admits(folder.path)
            ]
            room = query.limit - len(shown)
            shown += await asyncio.gather(*[self._view(folder) for folder in folders[:room]])
            if len(folders) > room:
                return {
                    "datasets": shown,
                    "next": f"{folders[room - 1].path}/" if room else position,
                }
            position = f"{folders[-1].path if folders else tops[-1].path}/"
            if looked_at >= MAX_FOLDERS:
                return {"datasets": shown, "next": position}
        return {"datasets": shown, "next": None}

    async def _top_folders(self, query: DatasetFilter) -> AsyncIterator[_Folder]:
        """Yield folders in order: the container itself, its folders, and the folders in these.

        Of the last, `blobs` isn't read yet: folders in them may be datasets, too.
        """
        root, tasks = await self._level("", query)
        if query.may_hold(""):
            yield root
        for task in tasks:
            direct, names = await self._level(f"{task}/", query)
            yield direct
            for name in names:
                yield _Folder(name, is_read=False)

    async def _level(self, prefix: str, query: DatasetFilter) -> tuple[_Folder, list[str]]:
        """Return a folder with the blobs directly in it, and the folders to look at in it."""
        folder = _Folder(prefix.removesuffix("/"))
        names: list[str] = []
        async for entry in self._blobs.level(prefix):
            if isinstance(entry, str):
                if query.may_hold(name := entry.removesuffix("/")):
                    names.append(name)
            elif len(folder.blobs) < MAX_FILES:
                folder.blobs.append(entry)
            else:
                folder.is_cut = True
        return folder, sorted(names, key=_order)

    async def _folders(self, top: _Folder) -> list[_Folder]:
        """Return this folder and those in it, if they have a file that means something to a run."""
        blobs, is_cut = top.blobs, top.is_cut
        if not top.is_read:
            blobs = await self._blobs.under(f"{top.path}/", MAX_FILES + 1)
            is_cut = len(blobs) > MAX_FILES
        folders = {top.path: _Folder(top.path)}
        for blob in blobs[:MAX_FILES]:
            path = blob.name.rpartition("/")[0]
            if not blob.is_directory and not blob.name.endswith((PROBLEM_SUFFIX, "/")):
                folders.setdefault(path, _Folder(path)).blobs.append(blob)
        if is_cut:
            for folder in folders.values():
                await self._complete(folder)
        meant = [folder for folder in folders.values() if _is_meant(folder)]
        return sorted(meant, key=lambda folder: _order(folder.path))

    async def _complete(self, folder: _Folder) -> None:
        """Add the files that runs read, if they are among those that weren't looked at."""
        folder.is_cut = True
        names = {blob.name for blob in folder.blobs}
        prefix = f"{folder.path}/" if folder.path else ""
        for name in [f"{prefix}{role}" for role in Role]:
            if name not in names and (blob := await self._blobs.facts(name)):
                folder.blobs.insert(0, blob)

    async def _view(self, folder: _Folder) -> DatasetView:
        task, _, name = folder.path.partition("/")
        blobs = {blob.name: blob for blob in folder.blobs}
        train = blobs.get(f"{folder.path}/{Role.TRAIN}")
        problems = await self._problems(folder, blobs, train)
        runs, left_out = await self._runs(task, name, folder.path, train)
        return DatasetView(
            path=f"{DATASETS}/{folder.path}" if folder.path else DATASETS,
            task=task,
            name=name,
            state=_state(task, name, train, problems),
            validation=f"{folder.path}/{Role.VALIDATION}" in blobs,
            files=[_file(blob) for blob in folder.blobs[:MAX_SHOWN]],
            more_files=folder.is_cut or len(folder.blobs) > MAX_SHOWN,
            runs=runs,
            runs_left_out=left_out,
            problems=problems,
        )

    async def _problems(
        self, folder: _Folder, blobs: Mapping[str, BlobFacts], train: BlobFacts | None
    ) -> list[ProblemView]:
        problems: list[ProblemView] = []
        for blob in folder.blobs:
            checked = check_name(blob.name)
            if checked is None or len(problems) == MAX_SHOWN:
                continue
            exists = await self._with_target(checked, blobs)
            miss = await problem_of(checked, blob, exists, train, self._copies)
            if miss:
                file = blob.name.rpartition("/")[2]
                problems.append(
                    ProblemView(
                        file=file,
                        code=miss.code,
                        problem=miss.problem,
                        remedy=miss.remedy,
                        use=miss.use,
                        run=miss.run,
                    )
                )
        return problems

    async def _with_target(
        self, checked: BlobName, blobs: Mapping[str, BlobFacts]
    ) -> Collection[str]:
        """Return the names beside a blob, with that of the right place if the blob is there."""
        is_elsewhere = checked.target.rpartition("/")[0] != checked.folder
        if is_elsewhere and checked.is_target_whole and await self._blobs.facts(checked.target):
            return {*blobs, checked.target}
        return blobs.keys()

    async def _runs(
        self, task: str, name: str, path: str, train: BlobFacts | None
    ) -> tuple[list[DatasetRun], int]:
        """Return the newest runs, and how many runs there may be besides."""
        if not name:
            return [], 0
        current = upload_run_id(f"{DATASETS}/{path}/{Role.TRAIN}", train.etag) if train else None
        start = f"{task}-{slug(name)}-"
        form = re.compile(re.escape(start) + f"[0-9a-f]{{{HASH_CHARACTERS}}}")
        run_ids: list[str] = []
        async for run_id in self._runs_of(start):
            if form.fullmatch(run_id):
                run_ids.append(run_id)
            if len(run_ids) == MAX_COUNTED:
                break
        run_ids.sort(key=lambda run_id: run_id != current)
        ids = run_ids[:MAX_CANDIDATES]
        created = await asyncio.gather(*[self._created(run_id) for run_id in ids])
        newest = sorted(zip(created, ids, strict=True), reverse=True)
        ids = [run_id for _, run_id in newest]
        views = await asyncio.gather(*[self._view_of(run_id) for run_id in ids[:MAX_RUNS]])
        runs = [
            DatasetRun(
                id=view.id, status=view.status, created=view.created, is_current=view.id == current
            )
            for view in views
            if view is not None and view.name and name.startswith(view.name)
        ]
        return runs, max(0, len(run_ids) - MAX_RUNS)

    async def _created(self, run_id: str) -> str:
        modified: datetime | None = await self._copies.modified(f"runs/{run_id}/request.json")
        return modified.isoformat() if modified else ""


async def _batches(folders: AsyncIterator[_Folder], size: int) -> AsyncIterator[list[_Folder]]:
    batch: list[_Folder] = []
    async for folder in folders:
        batch.append(folder)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _order(folder: str) -> list[str]:
    """Return the key by which folders are in order: a folder comes before those in it."""
    return folder.split("/") if folder else []


def _is_meant(folder: _Folder) -> bool:
    return any(check_name(blob.name) for blob in folder.blobs)


def _state(task: str, name: str, train: BlobFacts | None, problems: Iterable[ProblemView]) -> str:
    if train is None:
        has_other = any(problem["code"] != MissCode.NO_TRAINING_SET for problem in problems)
        is_waiting = task in TASKS and bool(name) and not has_other
        return DatasetState.NO_TRAINING_SET if is_waiting else DatasetState.UNUSABLE
    is_wrong = any(problem["file"] == Role.TRAIN for problem in problems)
    return DatasetState.UNUSABLE if is_wrong or train.size == 0 else DatasetState.USABLE


def _file(blob: BlobFacts) -> FileView:
    return FileView(
        name=blob.name.rpartition("/")[2],
        size=blob.size,
        etag=blob.etag,
        modified=blob.modified.isoformat(),
    )
