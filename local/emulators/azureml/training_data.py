"""Reads the data that a job is pointed at, from the storage account of the app, and judges it as a fine-tuning service would."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from urllib.parse import unquote

from azure.core.exceptions import AzureError
from azure.storage.blob.aio import BlobServiceClient

from local.emulators.azureml.environment import CONTAINER, DATASTORE
from local.emulators.chat_dataset import line_problem

MIN_TRAINING_ROWS = 10
DATASTORE_URI = re.compile(
    r"azureml://(?:subscriptions/[^/]+/resourcegroups/[^/]+/(?:providers/[^/]+/)?workspaces/[^/]+/)?"
    r"datastores/(?P<datastore>[^/]+)/paths/(?P<path>.+)",
    re.IGNORECASE,
)


class BadTrainingData(Exception):
    """The data cannot be trained on. The message names the file, and the line where there is one."""


class TrainingData:
    """Files of one storage account, given by its connection string; None when the emulator was given none."""

    def __init__(self, connection_string: str | None) -> None:
        self._connection_string = connection_string

    async def check(self, uri: str, min_rows: int) -> int:
        """Number of rows in a JSON Lines file. Raises BadTrainingData for the first thing wrong."""
        if not self._connection_string:
            raise BadTrainingData(
                f"{uri} cannot be read: start the emulator with DISTILLATION_STORAGE set"
            )
        rows = 0
        try:
            async with BlobServiceClient.from_connection_string(
                self._connection_string, retry_total=1
            ) as service:
                container, name = locate(uri, service.url)
                async for line in _lines(service, container, name):
                    rows += 1
                    problem = line_problem(line)
                    if problem:
                        raise BadTrainingData(f"{uri}, line {rows}: {problem}")
        except AzureError as error:
            raise BadTrainingData(
                f"{uri} cannot be read: {str(error).partition(chr(10))[0]}"
            ) from error
        if rows < min_rows:
            raise BadTrainingData(f"{uri} has {rows} rows: at least {min_rows} are needed")
        return rows


def locate(uri: str, service_url: str) -> tuple[str, str]:
    """Container and blob name that a URI points at: through the datastore, or the account's own https address."""
    match = DATASTORE_URI.fullmatch(uri)
    if match:
        if match["datastore"] != DATASTORE:
            raise BadTrainingData(
                f"{uri} cannot be read: the workspace has no datastore {match['datastore']}"
            )
        return CONTAINER, match["path"]
    base = service_url.rstrip("/") + "/"
    container, _, name = uri.removeprefix(base).partition("/")
    if not uri.startswith(base) or not container or not name:
        raise BadTrainingData(
            f"{uri} cannot be read: it lies neither in a datastore nor in the workspace's storage"
        )
    return container, unquote(name)


async def _lines(service: BlobServiceClient, container: str, name: str) -> AsyncGenerator[bytes]:
    """Lines without their newline; the last one counts when it has none."""
    stream = await service.get_blob_client(container, name).download_blob()
    rest = b""
    async for chunk in stream.chunks():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line
    if rest:
        yield rest
