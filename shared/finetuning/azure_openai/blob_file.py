"""A blob as a file: read range by range, so that a dataset of any size is passed on without being held in memory."""

from __future__ import annotations

import io
import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, ResourceNotFoundError

from shared.core.errors import NotFound, PermanentError, TransientError
from shared.core.paths import RUNS
from shared.core.settings import Settings
from shared.core.storage_account import open_blocking

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient

CHUNK_BYTES = (
    1024 * 1024
)  # of a read from storage; the SDK takes ten times as much memory meanwhile


class _BlobRanges(io.RawIOBase):
    """Every read is a request for a range of the version that was there at the start. `size` is known without reading."""

    def __init__(self, client: BlobClient) -> None:
        super().__init__()
        with _storage_errors(client.blob_name):
            properties = client.get_blob_properties()
        self._client, self._etag, self._position = client, properties.etag, 0
        self.size: int = properties.size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self.size - self._position)
        if wanted <= 0:
            return 0
        condition: dict[str, Any] = {
            "etag": self._etag,
            "match_condition": MatchConditions.IfNotModified,
        }
        with _storage_errors(self._client.blob_name):
            data = cast(
                bytes,
                cast(Any, self._client)
                .download_blob(self._position, wanted, **condition)
                .readall(),
            )
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


@contextmanager
def open_blob(settings: Settings, name: str, size: int) -> Generator[BinaryIO]:
    """The blob of this name in container `runs`, which must have `size` bytes. Raises NotFound, PermanentError, TransientError."""
    with open_blocking(settings) as service:
        ranges = _BlobRanges(service.get_blob_client(RUNS, name))
        if ranges.size != size:
            raise PermanentError(
                f"dataset {name} has {ranges.size} bytes instead of {size}: it was changed"
            )
        with io.BufferedReader(ranges, CHUNK_BYTES) as file:
            yield file


@contextmanager
def _storage_errors(name: str) -> Generator[None]:
    try:
        yield
    except ResourceNotFoundError as error:
        raise NotFound(f"dataset {name} is not in container {RUNS}") from error
    except AzureError as error:
        raise TransientError(
            f"dataset {name} could not be read: {str(error).partition(chr(10))[0]}"
        ) from error
