"""Opens the storage account of the app's settings.

Apart from what is done with it (shared/core/storage.py), as importing the Azure SDKs takes 0.3 s: the app's functions are indexed
without them, and the first activity or request pays.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from shared.core.errors import ErrorCode, PermanentError, TransientError
from shared.core.settings import BLOB_SERVICE_URI, STORAGE, Settings
from shared.core.shared_resources import shared

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient
    from azure.storage.blob.aio import BlobServiceClient as AsyncBlobServiceClient

    from shared.core.storage import Storage

CHUNK_BYTES = (
    1024 * 1024
)  # of a download held in memory at a time, with some copies of it on its way
MAX_ERROR_CHARACTERS = 300  # of what the service says


@asynccontextmanager
async def open_storage(settings: Settings) -> AsyncGenerator[Storage]:
    """The storage account of these settings, for one activity or request; those at the same time share connections.

    What the service answers with an error that this module knows no better name for is raised as TransientError.
    """
    from azure.core.exceptions import AzureError

    from shared.core.storage import Storage

    try:
        key = (settings.storage_connection_string, settings.blob_service_uri)
        async with shared(key, lambda: _client(settings)) as client:
            yield Storage(client)
    except AzureError as error:
        said = " ".join(str(error).split())[:MAX_ERROR_CHARACTERS]
        raise TransientError(f"the storage account could not be used: {said}") from error


def open_blocking(settings: Settings, **options: Any) -> BlobServiceClient:
    """The same account for threads that block, as SDKs that read a file or take a URL need it. `options` are the client's own."""
    from azure.storage.blob import BlobServiceClient

    credential = None
    if not settings.storage_connection_string:
        from azure.identity import DefaultAzureCredential

        credential = DefaultAzureCredential()
    return _made(BlobServiceClient, settings, credential, **options)


@asynccontextmanager
async def _client(settings: Settings) -> AsyncGenerator[AsyncBlobServiceClient]:
    from azure.storage.blob.aio import BlobServiceClient

    limits: dict[str, Any] = {"max_chunk_get_size": CHUNK_BYTES, "max_single_get_size": CHUNK_BYTES}
    async with AsyncExitStack() as stack:
        credential = None
        if not settings.storage_connection_string:
            from azure.identity.aio import DefaultAzureCredential

            credential = await stack.enter_async_context(DefaultAzureCredential())
        yield await stack.enter_async_context(
            _made(BlobServiceClient, settings, credential, **limits)
        )


def _made(kind: Any, settings: Settings, credential: Any, **options: Any) -> Any:
    """A client of this kind, by connection string or by identity. Raises PermanentError for settings that are no account."""
    if settings.storage_connection_string:
        try:
            return kind.from_connection_string(
                settings.storage_connection_string.get_secret_value(), **options
            )
        except ValueError as error:
            raise PermanentError(
                f"{STORAGE} is not a connection string: {error}", code=ErrorCode.SETTINGS
            ) from None
    if not settings.blob_service_uri:
        raise PermanentError(
            f"neither {STORAGE} nor {BLOB_SERVICE_URI} is set", code=ErrorCode.SETTINGS
        )
    return kind(settings.blob_service_uri, credential=credential, **options)
