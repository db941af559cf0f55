"""The storage account: the few operations that runs need, with this app's errors.

The SDK retries throttling and broken connections. Anything that still fails is raised, and Durable
retries the activity.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob import BlobBlock, BlobProperties, ContentSettings
from azure.storage.blob.aio import (
    BlobClient,
    BlobServiceClient,
    ContainerClient,
    StorageStreamDownloader,
)

from shared.core.dataset_blobs import DatasetBlobs
from shared.core.errors import ErrorCode, NotFound, PermanentError, ShardContended
from shared.core.ids import RUN_ID
from shared.core.paths import DATASETS, JSON_LINES, RUNS, split_path
from shared.core.signed_urls import Access, SignedUrl, plain_url, sign

MAX_DOCUMENT_BYTES = 1024 * 1024  # of a user's document
COPY_POLL_SECONDS = 0.5
BLOB_CLIENTS = 32
LEASE_SECONDS = 60  # the longest that ends by itself
DELETES_AT_ONCE = 32
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Version:
    """The content of a blob at one time."""

    content: bytes
    etag: str


class Storage:
    """Blobs, by name in container `runs`. Parameters called `path` are `container/name`."""

    def __init__(self, client: BlobServiceClient) -> None:
        self._client = client
        self._runs: ContainerClient = client.get_container_client(RUNS)
        self._blobs: dict[str, BlobClient] = {}

    def blob(self, name: str) -> BlobClient:
        """Return the client of a blob.

        Clients are cached: making one takes the SDK as long as sending a request.
        """
        if name not in self._blobs:
            if len(self._blobs) == BLOB_CLIENTS:
                self._blobs.clear()
            self._blobs[name] = self._runs.get_blob_client(name)
        return self._blobs[name]

    def uri(self, name: str) -> str:
        """Return the URI of a blob, without a signature."""
        return self.blob(name).url

    @property
    def datasets(self) -> DatasetBlobs:
        """Return what users have uploaded."""
        return DatasetBlobs(self._client.get_container_client(DATASETS))

    def plain_url(self, path: str) -> str:
        """Return the URL of a blob by path, without a signature."""
        return plain_url(self._client, path)

    async def signed_url(self, path: str, access: Access) -> SignedUrl:
        """Return the URL of a blob by path with a signature. Raises SettingsError."""
        return await sign(self._client, path, access)

    async def files(self, folder: str) -> list[BlobProperties]:
        """Return the blobs directly in a folder, in order of name. `folder` is `container/name/`.

        Folders in it are left out.
        """
        container, prefix = split_path(folder)
        walk = self._client.get_container_client(container).walk_blobs(prefix, delimiter="/")
        return [entry async for entry in walk if isinstance(entry, BlobProperties)]

    async def read(self, name: str) -> bytes:
        """Return a document. Raises NotFound, and PermanentError above 1 MiB."""
        return await _read(self.blob(name), f"{RUNS}/{name}")

    async def read_path(self, path: str) -> bytes:
        """Return a document by path. Raises NotFound, and PermanentError above 1 MiB."""
        container, name = split_path(path)
        return await _read(self._client.get_blob_client(container, name), path)

    async def read_json(self, name: str) -> Any:
        """Return the content of a JSON document, of any size. Raises NotFound."""
        return json.loads(b"".join([chunk async for chunk in self.stream(name)]))

    async def read_lines(self, name: str) -> list[Any]:
        """Return the content of a file of JSON lines, of any size. Raises NotFound."""
        data = b"".join([chunk async for chunk in self.stream(name)])
        return [json.loads(line) for line in data.split(b"\n") if line]

    async def write(
        self,
        name: str,
        data: bytes,
        *,
        content_type: str = JSON,
        metadata: dict[str, str] | None = None,
        lease: str | None = None,
    ) -> None:
        """Write a blob, replacing any that exists. One that is held is written by its `lease`."""
        settings = ContentSettings(content_type=content_type)
        holder: dict[str, Any] = {"lease": lease} if lease else {}
        await self.blob(name).upload_blob(
            data, overwrite=True, content_settings=settings, metadata=metadata, **holder
        )

    @asynccontextmanager
    async def lease(self, name: str) -> AsyncGenerator[str | None]:
        """Hold a blob, so that nobody else writes it: give the lease, None if another holds it.

        It ends by itself after LEASE_SECONDS. Raises NotFound.
        """
        try:
            lease = await self.blob(name).acquire_lease(lease_duration=LEASE_SECONDS)
        except ResourceNotFoundError:
            raise NotFound(f"blob {RUNS}/{name} does not exist") from None
        except ResourceExistsError:
            yield None
            return
        try:
            yield lease.id
        finally:
            with contextlib.suppress(HttpResponseError):  # it may have ended by itself
                await lease.release()

    async def create(self, name: str, data: bytes) -> bool:
        """Write a blob unless it exists. Return whether this call wrote it."""
        try:
            await self.blob(name).upload_blob(
                data, content_settings=ContentSettings(content_type=JSON)
            )
        except (ResourceExistsError, ResourceModifiedError):
            return False
        return True

    async def read_version(self, name: str) -> Version | None:
        """Return a document with its version, None if there is none."""
        try:
            download = await self.blob(name).download_blob()
            return Version(await download.readall(), str(download.properties.etag))
        except ResourceNotFoundError:
            return None

    async def replace(self, name: str, data: bytes, version: Version | None) -> bool:
        """Write a document if `version` is still its latest. Return whether this call wrote it."""
        if version is None:
            return await self.create(name, data)
        try:
            await self.blob(name).upload_blob(
                data,
                overwrite=True,
                content_settings=ContentSettings(content_type=JSON),
                etag=version.etag,
                match_condition=MatchConditions.IfNotModified,
            )
        except (ResourceModifiedError, ResourceNotFoundError):
            return False
        return True

    async def delete(self, name: str) -> None:
        """Delete a blob if it exists."""
        with contextlib.suppress(ResourceNotFoundError):
            await self.blob(name).delete_blob()

    async def delete_version(self, path: str, etag: str) -> None:
        """Delete a blob by path, with its snapshots, if it still is this version."""
        container, name = split_path(path)
        blob = self._client.get_blob_client(container, name)
        with contextlib.suppress(ResourceNotFoundError, ResourceModifiedError):
            await blob.delete_blob(
                delete_snapshots="include",
                etag=etag,
                match_condition=MatchConditions.IfNotModified,
            )

    async def delete_under(self, prefix: str, seconds: float) -> bool:
        """Delete each blob under a prefix, with snapshots and staged blocks.

        Return False if `seconds` were up before it was through.
        """
        give_up = time.monotonic() + seconds
        listed = self._runs.list_blobs(name_starts_with=prefix, include=["uncommittedblobs"])
        async for page in listed.by_page():
            names = [blob.name async for blob in page]
            for first in range(0, len(names), DELETES_AT_ONCE):
                if time.monotonic() >= give_up:
                    return False
                batch = names[first : first + DELETES_AT_ONCE]
                await asyncio.gather(*map(self._delete_whole, batch))
        return True

    async def _delete_whole(self, name: str) -> None:
        blob = self._runs.get_blob_client(name)
        try:
            await blob.delete_blob(delete_snapshots="include")
        except ResourceNotFoundError:
            # Only blocks were staged: they'd stay for a week, but a write discards them.
            await blob.upload_blob(b"", overwrite=True)
            await blob.delete_blob()

    async def stream(
        self, name: str, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        """Yield bytes [start, end) of a blob in chunks. Raises NotFound."""
        if end is not None and end <= start:
            return
        async for chunk in _stream(self.blob(name), f"{RUNS}/{name}", start, end):
            yield chunk

    async def stream_path(self, path: str, start: int, end: int) -> AsyncIterator[bytes]:
        """Yield bytes [start, end) of a blob in chunks. Raises NotFound."""
        if end <= start:
            return
        container, name = split_path(path)
        blob = self._client.get_blob_client(container, name)
        async for chunk in _stream(blob, path, start, end):
            yield chunk

    async def properties(self, path: str) -> BlobProperties | None:
        """Return the properties of a blob, None if it doesn't exist."""
        container, name = split_path(path)
        try:
            return await self._client.get_blob_client(container, name).get_blob_properties()
        except ResourceNotFoundError:
            return None

    async def modified(self, path: str) -> datetime | None:
        """Return when a blob was last written, None if it doesn't exist."""
        properties = await self.properties(path)
        return properties.last_modified if properties else None

    async def copy_in(self, path: str, name: str, etag: str | None = None) -> str:
        """Copy a dataset into container `runs` within the service, once. Return the source's ETag.

        Raises NotFound, and PermanentError (`dataset_changed`) if `etag` is no longer the version
        of the source.
        """
        target = self.blob(name)
        if await self.properties(f"{RUNS}/{name}") is None:
            container, source_name = split_path(path)
            source = self._client.get_blob_client(container, source_name)
            condition: dict[str, Any] = {}
            if etag:
                condition = {
                    "source_etag": etag,
                    "source_match_condition": MatchConditions.IfNotModified,
                }
            try:
                await target.start_copy_from_url(source.url, **condition)
            except ResourceNotFoundError:
                raise NotFound(f"dataset {path} does not exist") from None
            except ResourceModifiedError:
                message = (
                    f"{path} was overwritten before the run began; "
                    "its new version has a run of its own"
                )
                raise PermanentError(message, code=ErrorCode.DATASET_CHANGED) from None
        await _copied(target, path)
        source_properties = await self.properties(path)
        return etag or (source_properties.etag if source_properties else "")

    async def stage(self, name: str, block_id: str, data: bytes) -> None:
        """Stage a block. The same id again replaces it."""
        await self.blob(name).stage_block(block_id, data)

    async def blocks(self, name: str) -> tuple[list[str], set[str]]:
        """Return the ids of the committed blocks, in order, and of those staged since."""
        try:
            committed, uncommitted = await self.blob(name).get_block_list("all")
        except ResourceNotFoundError:
            return [], set()
        return [block.id for block in committed], {block.id for block in uncommitted}

    async def commit(self, name: str, block_ids: list[str]) -> None:
        """Make a blob of these blocks, in this order."""
        settings = ContentSettings(content_type=JSON_LINES)
        blocks = [BlobBlock(block_id) for block_id in block_ids]
        await self.blob(name).commit_block_list(blocks, content_settings=settings)

    async def journal_position(self, name: str) -> int:
        """Return the length of an append blob in bytes, creating an empty one if necessary."""
        blob = self.blob(name)
        try:
            await blob.create_append_blob(match_condition=MatchConditions.IfMissing)
        except (ResourceExistsError, ResourceModifiedError):
            return (await blob.get_blob_properties()).size
        return 0

    async def append(self, name: str, data: bytes, position: int) -> None:
        """Append at this position. Raises ShardContended if another execution has appended."""
        try:
            await self.blob(name).append_block(data, appendpos_condition=position)
        except HttpResponseError as error:
            if error.status_code == 412:
                raise ShardContended(
                    f"{RUNS}/{name} is being written by another execution"
                ) from None
            raise

    async def set_metadata(self, name: str, metadata: dict[str, str]) -> None:
        """Replace the metadata of a blob."""
        await self.blob(name).set_blob_metadata(metadata)

    async def metadata_under(self, prefix: str) -> AsyncIterator[tuple[str, dict[str, str]]]:
        """Yield name and metadata of each blob under a prefix, in order of name."""
        async for blob in self._runs.list_blobs(name_starts_with=prefix, include=["metadata"]):
            yield blob.name, blob.metadata or {}

    async def size_under(self, prefix: str) -> int:
        """Return the total size in bytes of the blobs under a prefix."""
        return sum([blob.size async for blob in self._runs.list_blobs(name_starts_with=prefix)])

    async def holds_any(self, prefix: str) -> bool:
        """Return whether there is a blob under a prefix."""
        async for _ in self.names_under(prefix, page=1):
            return True
        return False

    async def names_under(self, prefix: str, page: int | None = None) -> AsyncIterator[str]:
        """Yield the name of each blob under a prefix, in order.

        `page` is how many are requested at a time, at most and by default 5,000.
        """
        size: dict[str, Any] = {"results_per_page": page} if page else {}
        async for name in self._runs.list_blob_names(name_starts_with=prefix, **size):
            yield name

    async def run_ids(self, prefix: str, after: str) -> AsyncIterator[str]:
        """Yield run ids in order: the folders of container `runs`."""
        async for folder in self._runs.walk_blobs(name_starts_with=prefix, delimiter="/"):
            run_id = str(folder.name).rstrip("/")
            if run_id > after and RUN_ID.fullmatch(run_id):
                yield run_id


async def _stream(blob: BlobClient, path: str, start: int, end: int | None) -> AsyncIterator[bytes]:
    span: dict[str, Any] = {}
    if start or end is not None:
        span = {"offset": start, "length": None if end is None else end - start}
    try:
        download = cast(StorageStreamDownloader[bytes], await blob.download_blob(**span))
    except ResourceNotFoundError:
        raise NotFound(f"blob {path} does not exist") from None
    except HttpResponseError as error:
        if error.status_code == 416:  # an empty blob has no byte to begin with
            return
        raise
    async for chunk in download.chunks():
        yield chunk


async def _read(blob: BlobClient, path: str) -> bytes:
    try:
        download = await blob.download_blob(offset=0, length=MAX_DOCUMENT_BYTES + 1)
        data = await download.readall()
    except ResourceNotFoundError:
        raise NotFound(f"blob {path} does not exist") from None
    except HttpResponseError as error:
        if error.status_code == 416:
            return b""
        raise
    if len(data) > MAX_DOCUMENT_BYTES:
        raise PermanentError(
            f"{path} is larger than {MAX_DOCUMENT_BYTES} bytes", code=ErrorCode.TOO_LARGE
        )
    return data


async def _copied(target: BlobClient, path: str) -> None:
    while (copy := (await target.get_blob_properties()).copy).status == "pending":
        await asyncio.sleep(COPY_POLL_SECONDS)
    if copy.status not in (None, "success"):
        raise PermanentError(
            f"copying {path} ended as {copy.status}: {copy.status_description}",
            code=ErrorCode.COPY_FAILED,
        )
