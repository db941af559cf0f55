"""Opens the storage account of the app's settings.

Apart from what is done with it (shared/storage.py), as importing the Azure SDKs takes 0.3 s: the app's functions are indexed
without them, and the first activity or request pays.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from shared.errors import PermanentError, TransientError
from shared.settings import BLOB_SERVICE_URI, STORAGE, Settings
from shared.sharing import shared

if TYPE_CHECKING:
    from azure.storage.blob.aio import BlobServiceClient

    from shared.storage import Storage

CHUNK_BYTES = 1024 * 1024  # of a download held in memory at a time, with some copies of it on its way
MAX_ERROR_CHARACTERS = 300  # of what the service says


@asynccontextmanager
async def open_storage(settings: Settings) -> AsyncGenerator[Storage]:
    """The storage account of these settings, for one activity or request; those at the same time share connections.

    What the service answers with an error that this module knows no better name for is raised as TransientError.
    """
    from azure.core.exceptions import AzureError

    from shared.storage import Storage

    try:
        key = (settings.storage_connection_string, settings.blob_service_uri)
        async with shared(key, lambda: _client(settings)) as client:
            yield Storage(client)
    except AzureError as error:
        said = " ".join(str(error).split())[:MAX_ERROR_CHARACTERS]
        raise TransientError(f"the storage account could not be used: {said}") from error


@asynccontextmanager
async def _client(settings: Settings) -> AsyncGenerator[BlobServiceClient]:
    from azure.storage.blob.aio import BlobServiceClient

    limits: dict[str, Any] = {"max_chunk_get_size": CHUNK_BYTES, "max_single_get_size": CHUNK_BYTES}
    if settings.storage_connection_string:
        try:
            client = BlobServiceClient.from_connection_string(
                settings.storage_connection_string.get_secret_value(), **limits
            )
        except ValueError as error:
            raise PermanentError(f"{STORAGE} is not a connection string: {error}", code="settings") from None
        async with client:
            yield client
        return
    if not settings.blob_service_uri:
        raise PermanentError(f"neither {STORAGE} nor {BLOB_SERVICE_URI} is set", code="settings")
    from azure.identity.aio import DefaultAzureCredential

    async with (
        DefaultAzureCredential() as credential,
        BlobServiceClient(settings.blob_service_uri, credential=credential, **limits) as client,
    ):
        yield client
