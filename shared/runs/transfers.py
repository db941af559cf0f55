"""How files get to the storage account and from it, for callers without access of their own.

A route hands out URLs that work for one blob and a few minutes; the bytes don't pass through the
app. Names that come from a request are checked before a path is built of them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError
from typing_extensions import TypedDict  # pydantic requires this one before Python 3.12

from shared.core.errors import ErrorCode, InvalidInput, NotFound, PermanentError, Problem
from shared.core.ids import upload_run_id
from shared.core.paths import dataset_file, run_file
from shared.core.section import Section
from shared.runs.file_names import Role
from shared.spec.parse import problems_of
from shared.tasks import TASKS

if TYPE_CHECKING:
    from azure.storage.blob import BlobProperties

    from shared.core.signed_urls import Access
    from shared.core.storage import Storage

DatasetFile = Literal["train.jsonl", "validation.jsonl", "test.jsonl", "run.json"]
# of a run, for the app alone
INTERNAL = ("budget.json", "capabilities.json", "request.json")
# of one segment of a path: no `/`, and neither `.` nor `..`
DATASET_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9_-])?")
RequestT = TypeVar("RequestT", bound=BaseModel)
RUN_FILE = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"


class UploadRequest(Section):
    """The body of `POST /api/datasets/{task}/{name}/uploads`."""

    files: list[DatasetFile] = Field(min_length=1, max_length=4)
    overwrite: bool = Field(default=False, description="whether files that exist may be replaced")
    signed: bool = Field(
        default=True, description="false: URLs without a signature, for an identity of your own"
    )


class DownloadRequest(Section):
    """The body of `POST /api/runs/{id}/files`."""

    file: str = Field(pattern=RUN_FILE, description="a name that `GET` on this path lists")
    signed: bool = Field(
        default=True, description="false: a URL without a signature, for an identity of your own"
    )


class StoredFile(TypedDict):
    """A file in the storage account."""

    file: str
    bytes: int
    modified: str
    """ISO 8601, UTC."""


class FileUrl(TypedDict):
    """Where a file is read or written with plain HTTP, until `expires` (ISO 8601, UTC).

    Without a signature, `expires` is None: the caller's own identity decides.
    """

    file: str
    url: str
    expires: str | None


class Upload(TypedDict):
    """The answer to a request for an upload. `others` are files of the dataset that it leaves."""

    dataset: str
    uploads: list[FileUrl]
    others: list[str]


class Dataset(TypedDict):
    """What a dataset's folder holds. `run` is the run that this training set starts."""

    dataset: str
    files: list[StoredFile]
    run: str | None


class RunFiles(TypedDict):
    """The files of a run, in order of name."""

    files: list[StoredFile]


def checked_dataset(task: str, name: str) -> tuple[str, str]:
    """Return task and name of a dataset in a URL. Raises NotFound with every problem."""
    problems: list[Problem] = []
    if task not in TASKS:
        problem = f"isn't a task: use one of {', '.join(TASKS)}"
        problems.append({"where": "task", "problem": problem})
    if not DATASET_NAME.fullmatch(name):
        problem = (
            "isn't a name: use 1 to 100 letters, digits, `.`, `_` and `-`, "
            "beginning with a letter or digit and not ending in a dot"
        )
        problems.append({"where": "name", "problem": problem})
    if problems:
        raise NotFound("the path doesn't name a dataset", details=problems)
    return task, name


def parse_upload(body: object) -> UploadRequest:
    """Return the request for an upload. Raises InvalidInput."""
    return _parse(UploadRequest, body)


def parse_download(body: object) -> DownloadRequest:
    """Return the request for a download. Raises InvalidInput."""
    return _parse(DownloadRequest, body)


async def upload_urls(storage: Storage, task: str, name: str, request: UploadRequest) -> Upload:
    """Return a URL for each file of a dataset that the caller wants to write.

    Raises PermanentError (`dataset_exists`) if one exists that may not be replaced.
    """
    stored = [entry["file"] for entry in await _stored(storage, dataset_file(task, name))]
    existing = [file for file in request.files if file in stored]
    if existing and not request.overwrite:
        raise PermanentError(
            f"dataset {task}/{name} exists: choose another name, or overwrite it",
            code=ErrorCode.DATASET_EXISTS,
            details=[{"where": file, "problem": "exists"} for file in existing],
        )
    paths = {file: dataset_file(task, name, file) for file in request.files}
    return {
        "dataset": f"{task}/{name}",
        "uploads": [
            await _url(storage, path, file, "write", signed=request.signed)
            for file, path in paths.items()
        ],
        "others": [file for file in stored if file not in paths],
    }


async def dataset_of(storage: Storage, task: str, name: str) -> Dataset:
    """Return the files of a dataset and its run. Raises NotFound if there is no file."""
    files = await _stored(storage, dataset_file(task, name))
    if not files:
        raise NotFound(f"dataset {task}/{name} doesn't exist")
    train = dataset_file(task, name, Role.TRAIN)
    properties = await storage.properties(train)
    run = upload_run_id(train, properties.etag) if properties else None
    return {"dataset": f"{task}/{name}", "files": files, "run": run}


async def run_files(storage: Storage, run_id: str) -> RunFiles:
    """Return the files of a run that can be downloaded. Raises NotFound."""
    files = await _stored(storage, run_file(run_id))
    if not files:
        raise NotFound(f"run {run_id} doesn't exist")
    return {"files": [file for file in files if file["file"] not in INTERNAL]}


async def download_url(storage: Storage, run_id: str, request: DownloadRequest) -> FileUrl:
    """Return a URL by which one file of a run is read. Raises NotFound."""
    path = run_file(run_id, request.file)
    if request.file in INTERNAL or await storage.properties(path) is None:
        raise NotFound(f"run {run_id} has no file {request.file}")
    return await _url(storage, path, request.file, "read", signed=request.signed)


def _parse(kind: type[RequestT], body: object) -> RequestT:
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        raise InvalidInput("the body can't be used", details=problems_of(error)) from None


async def _url(storage: Storage, path: str, file: str, access: Access, *, signed: bool) -> FileUrl:
    if not signed:
        return {"file": file, "url": storage.plain_url(path), "expires": None}
    signed_url = await storage.signed_url(path, access)
    return {"file": file, "url": signed_url.url, "expires": signed_url.expires.isoformat()}


async def _stored(storage: Storage, folder: str) -> list[StoredFile]:
    return [_stored_file(blob) for blob in await storage.files(folder)]


def _stored_file(blob: BlobProperties) -> StoredFile:
    modified = blob.last_modified
    return {
        "file": blob.name.rpartition("/")[2],
        "bytes": blob.size,
        "modified": modified.isoformat() if modified else "",
    }
