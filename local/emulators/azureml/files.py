"""The files of jobs in the app's storage: training data is checked, inputs and outputs copied."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from azure.core.exceptions import AzureError
from azure.storage.blob.aio import BlobClient, BlobServiceClient

from local.emulators.azureml.environment import CONTAINER, DATASTORE
from local.emulators.chat_dataset import line_problem

DATASTORE_URI = re.compile(
    r"azureml://(?:subscriptions/[^/]+/resourcegroups/[^/]+/"
    r"(?:providers/[^/]+/)?workspaces/[^/]+/)?"
    r"datastores/(?P<datastore>[^/]+)/paths/(?P<path>.+)",
    re.IGNORECASE,
)


class JobFailed(Exception):
    """A job ends as failed. The message is the reason that its run history shows."""


class JobFiles:
    """Files of one storage account, given by its connection string; None: there is none."""

    def __init__(self, connection_string: str | None) -> None:
        self._connection_string = connection_string

    async def check_rows(self, uri: str, min_rows: int) -> None:
        """Check a JSON Lines file as a fine-tuning service does. Raises JobFailed."""
        rows = 0
        async with self._service(f"{uri} cannot be read") as service:
            async for line in _lines(_blob(service, uri)):
                rows += 1
                problem = line_problem(line)
                if problem:
                    raise _bad_data(f"{uri}, line {rows}: {problem}")
        if rows < min_rows:
            raise _bad_data(f"{uri} has {rows} rows: at least {min_rows} are needed")

    async def download_file(self, uri: str, folder: Path) -> Path:
        """Return the local copy of a file. Raises JobFailed."""
        async with self._service(f"input {uri}") as service:
            blob = _blob(service, uri)
            target = folder / PurePosixPath(blob.blob_name).name
            await _download(blob, target)
        return target

    async def download_folder(self, uri: str, folder: Path) -> None:
        """Copy everything under a URI, with or without a final slash. Raises JobFailed."""
        async with self._service(f"input {uri}") as service:
            first = _blob(service, uri)
            container = service.get_container_client(first.container_name)
            prefix = first.blob_name.rstrip("/") + "/"
            names = [blob.name async for blob in container.list_blobs(name_starts_with=prefix)]
            if not names:
                raise JobFailed(f"input {uri}: there is no such folder")
            for name in names:
                target = folder / _relative(name.removeprefix(prefix))
                await _download(container.get_blob_client(name), target)

    async def upload_folder(self, folder: Path, prefix: str) -> None:
        """Copy every file to `<prefix>/<its path>` in container `runs`. Raises JobFailed."""
        async with self._service(f"output {prefix}") as service:
            container = service.get_container_client(CONTAINER)
            for path in _files(folder):
                name = f"{prefix}/{path.relative_to(folder).as_posix()}"
                with path.open("rb") as data:
                    await container.get_blob_client(name).upload_blob(data, overwrite=True)

    @asynccontextmanager
    async def _service(self, subject: str) -> AsyncGenerator[BlobServiceClient]:
        """Open the account; its errors become JobFailed about the subject."""
        if not self._connection_string:
            remedy = "start the emulator with DISTILLATION_STORAGE set"
            raise JobFailed(f"{subject}: there is no storage; {remedy}")
        client = BlobServiceClient.from_connection_string(self._connection_string, retry_total=1)
        try:
            async with client as service:
                yield service
        except AzureError as error:
            first_line = str(error).partition("\n")[0]
            raise JobFailed(f"{subject}: {first_line}") from error


def _bad_data(problem: str) -> JobFailed:
    return JobFailed(f"The training data cannot be used: {problem}")


def _blob(service: BlobServiceClient, uri: str) -> BlobClient:
    """Return the blob that a URI names: by the datastore, or by its https address."""
    match = DATASTORE_URI.fullmatch(uri)
    if match:
        datastore = match["datastore"]
        if datastore != DATASTORE:
            raise JobFailed(f"{uri} cannot be read: the workspace has no datastore {datastore}")
        return service.get_blob_client(CONTAINER, match["path"])
    base = service.url.rstrip("/") + "/"
    container, _, name = uri.removeprefix(base).partition("/")
    if not uri.startswith(base) or not container or not name:
        problem = "it is neither in a datastore nor in the workspace's storage"
        raise JobFailed(f"{uri} cannot be read: {problem}")
    return service.get_blob_client(container, unquote(name))


async def _lines(blob: BlobClient) -> AsyncGenerator[bytes]:
    """Yield the lines without their newlines; the last one needs none."""
    stream = await blob.download_blob()
    rest = b""
    async for chunk in stream.chunks():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line
    if rest:
        yield rest


async def _download(blob: BlobClient, target: Path) -> None:
    """Write the whole file or none: an interrupted job fetches its inputs again."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f"{target.name}.draft")
    stream = await blob.download_blob()
    with draft.open("wb") as file:
        async for chunk in stream.chunks():
            file.write(chunk)
    draft.replace(target)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _relative(name: str) -> Path:
    """Return a blob's name as a relative path. Raises JobFailed if it leads out of the folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name:
        raise JobFailed(f"blob {name!r} cannot be a file")
    return Path(*path.parts)
