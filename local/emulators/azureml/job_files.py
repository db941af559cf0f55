"""Brings a job's inputs from the storage account into its folder, and its outputs back, as an AzureML node does."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from azure.core.exceptions import AzureError
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from local.emulators.azureml.environment import CONTAINER
from local.emulators.azureml.training_data import BadTrainingData, locate


class JobFilesFailed(Exception):
    """An input cannot be had, or an output not be kept. The message names it."""


class JobFiles:
    """Of one storage account, given by its connection string; None when the emulator was given none."""

    def __init__(self, connection_string: str | None) -> None:
        self._connection_string = connection_string

    async def download_file(self, uri: str, folder: Path) -> Path:
        """The local copy of a file. Raises JobFilesFailed."""
        try:
            async with self._service() as service:
                container, name = locate(uri, service.url)
                target = folder / PurePosixPath(name).name
                await _download(service.get_container_client(container), name, target)
        except (AzureError, BadTrainingData) as error:
            raise JobFilesFailed(f"input {uri}: {_first_line(error)}") from error
        return target

    async def download_folder(self, uri: str, folder: Path) -> None:
        """Everything under a URI that ends in `/` or not. Raises JobFilesFailed."""
        try:
            async with self._service() as service:
                container, path = locate(uri, service.url)
                prefix = path.rstrip("/") + "/"
                client = service.get_container_client(container)
                names = [blob.name async for blob in client.list_blobs(name_starts_with=prefix)]
                if not names:
                    raise JobFilesFailed(f"input {uri}: there is no such folder")
                for name in names:
                    await _download(client, name, folder / _inside(name.removeprefix(prefix)))
        except (AzureError, BadTrainingData) as error:
            raise JobFilesFailed(f"input {uri}: {_first_line(error)}") from error

    async def upload_folder(self, folder: Path, prefix: str) -> None:
        """Every file of a folder, as `<prefix>/<path in it>` in container `runs`. Raises JobFilesFailed."""
        try:
            async with self._service() as service:
                client = service.get_container_client(CONTAINER)
                for path in _files(folder):
                    with path.open("rb") as data:
                        name = f"{prefix}/{path.relative_to(folder).as_posix()}"
                        await client.get_blob_client(name).upload_blob(data, overwrite=True)
        except AzureError as error:
            raise JobFilesFailed(f"output {prefix}: {_first_line(error)}") from error

    def _service(self) -> BlobServiceClient:
        if not self._connection_string:
            raise JobFilesFailed(
                "there is no storage: start the emulator with DISTILLATION_STORAGE set"
            )
        return BlobServiceClient.from_connection_string(self._connection_string)


async def _download(container: ContainerClient, name: str, target: Path) -> None:
    """Whole or not at all: a job that was cut off begins by fetching its inputs again."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f"{target.name}.draft")
    stream = await container.get_blob_client(name).download_blob()
    with draft.open("wb") as file:
        async for chunk in stream.chunks():
            file.write(chunk)
    draft.replace(target)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _inside(name: str) -> Path:
    """A blob's name as a relative path. Raises JobFilesFailed for one that would lead out of the folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name:
        raise JobFilesFailed(f"blob {name!r} cannot be a file")
    return Path(*path.parts)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
