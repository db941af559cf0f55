"""A blob as a file that is read range by range, so a dataset is never in memory as a whole."""

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

CHUNK_BYTES = 1024 * 1024  # of one read; the SDK needs ten times as much memory for it


class _BlobRanges(io.RawIOBase):
    """Reads ranges of the version that existed at the start. `size` is known without reading."""

    def __init__(self, client: BlobClient) -> None:
        super().__init__()
        with _storage_errors(client.blob_name):
            properties = client.get_blob_properties()
        self._client: Any = client  # its download_blob is not annotated
        self._etag = properties.etag
        self._position = 0
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
        length = min(len(buffer), self.size - self._position)
        if length <= 0:
            return 0
        with _storage_errors(self._client.blob_name):
            download = self._client.download_blob(
                self._position,
                length,
                etag=self._etag,
                match_condition=MatchConditions.IfNotModified,
            )
            data = cast(bytes, download.readall())
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


@contextmanager
def open_blob(settings: Settings, name: str, size: int) -> Generator[BinaryIO]:
    """Open a blob of container `runs`, which must have `size` bytes.

    Raises NotFound, PermanentError and TransientError.
    """
    with open_blocking(settings) as service:
        ranges = _BlobRanges(service.get_blob_client(RUNS, name))
        if ranges.size != size:
            raise PermanentError(
                f"dataset {name} has {ranges.size} bytes instead of {size}: it was changed; "
                "resume the run to assemble it again"
            )
        with io.BufferedReader(ranges, CHUNK_BYTES) as file:
            yield file


@contextmanager
def _storage_errors(name: str) -> Generator[None]:
    try:
        yield
    except ResourceNotFoundError as error:
        raise NotFound(
            f"dataset {name} is not in container {RUNS}: resume the run to assemble it again"
        ) from error
    except AzureError as error:
        first_line = str(error).partition("\n")[0]
        raise TransientError(f"dataset {name} could not be read: {first_line}") from error
