"""Opens the storage account of the app settings.

Kept apart from the operations on it (shared/core/storage.py) because importing the Azure SDKs takes
0.3 s: functions are indexed without them, and the first activity or request pays.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies

from shared.core.errors import SettingsError, TransientError
from shared.core.settings import BLOB_SERVICE_URI, STORAGE, StorageSettings
from shared.core.shared_resources import shared

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient
    from azure.storage.blob.aio import BlobServiceClient as AsyncBlobServiceClient

    from shared.core.storage import Storage

# of a download; a few copies of a chunk are in memory at a time
CHUNK_BYTES = 1024 * 1024
# of the service's own error message
MAX_ERROR_CHARACTERS = 300


@asynccontextmanager
async def open_storage(settings: StorageSettings) -> AsyncGenerator[Storage]:
    """Open the storage account for one activity or request; concurrent ones share connections.

    Errors of the service that no operation translates are raised as TransientError.
    """
    from azure.core.exceptions import AzureError

    from shared.core.storage import Storage

    try:
        key = (settings.storage_connection_string, settings.blob_service_uri)
        async with shared(key, lambda: _async_client(settings)) as client:
            yield Storage(client)
    except AzureError as error:
        message = " ".join(str(error).split())[:MAX_ERROR_CHARACTERS]
        raise TransientError(f"the storage account could not be used: {message}") from error


def open_blocking(settings: StorageSettings, **options: Any) -> BlobServiceClient:
    """Return a blocking client of the account, for SDKs that read files. `options` are its own."""
    from azure.storage.blob import BlobServiceClient

    credential = None
    if not settings.storage_connection_string:
        from azure.identity import DefaultAzureCredential

        credential = DefaultAzureCredential()
    return _make_client(BlobServiceClient, settings, credential, **options)


@asynccontextmanager
async def _async_client(settings: StorageSettings) -> AsyncGenerator[AsyncBlobServiceClient]:
    from azure.storage.blob.aio import BlobServiceClient

    options: dict[str, Any] = {
        "max_chunk_get_size": CHUNK_BYTES,
        "max_single_get_size": CHUNK_BYTES,
        "use_env_settings": _environment_names_proxy(),
    }
    async with AsyncExitStack() as stack:
        credential = None
        if not settings.storage_connection_string:
            from azure.identity.aio import DefaultAzureCredential

            credential = await stack.enter_async_context(DefaultAzureCredential())
        client = _make_client(BlobServiceClient, settings, credential, **options)
        yield await stack.enter_async_context(client)


def _environment_names_proxy() -> bool:
    """Return whether aiohttp has to look for a proxy.

    It would for every request, in a thread: two fifths of the time that a small request takes us.
    """
    return any(scheme != "no" for scheme in getproxies())


def _make_client(kind: Any, settings: StorageSettings, credential: Any, **options: Any) -> Any:
    """Make a client by connection string or by identity. Raises SettingsError."""
    if settings.storage_connection_string:
        connection_string = settings.storage_connection_string.get_secret_value()
        try:
            return kind.from_connection_string(connection_string, **options)
        except ValueError as error:
            raise SettingsError(f"{STORAGE} isn't a connection string: {error}") from None
    if not settings.blob_service_uri:
        raise SettingsError(f"neither {STORAGE} nor {BLOB_SERVICE_URI} is set: set one of them")
    return kind(settings.blob_service_uri, credential=credential, **options)
