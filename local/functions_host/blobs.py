"""Call a function for the blobs of its trigger, as Azure's host does.

A receipt for each function, blob name and ETag is kept in storage, where the WebJobs SDK keeps it
too: a version is processed once, and again only if the host dies between the function's end and the
receipt.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from dataclasses import dataclass
from typing import Any

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from local.functions_host.blob_triggers import BlobTrigger
from local.functions_host.errors import FunctionFailed
from local.functions_host.invocation import Invoker
from local.functions_host.worker.messages import TypedData

HOSTS_CONTAINER = "azure-webjobs-hosts"
HOST_ID = "local"
POLL_SECONDS = 1.0
SILENCE_SECONDS = 10.0  # after a scan that failed
RETRY_SECONDS = 2.0
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Blob:
    """The arguments of a call."""

    data: TypedData
    metadata: dict[str, TypedData]


class BlobRunner:
    """Calls a blob-triggered function for one blob, and for all new ones where it is polled."""

    def __init__(
        self, trigger: BlobTrigger, invoker: Invoker, slots: asyncio.Semaphore, attempts: int
    ) -> None:
        self._trigger = trigger
        self._invoker = invoker
        self._slots = slots
        self._attempts = attempts

    async def poll(self) -> None:
        """Look for new versions until cancelled."""
        async with BlobServiceClient.from_connection_string(self._trigger.connection) as service:
            receipts = Receipts(service.get_container_client(HOSTS_CONTAINER), self._trigger.name)
            container_name = self._trigger.pattern.container
            container = service.get_container_client(container_name)
            while True:
                try:
                    await self._scan(container, receipts)
                except AzureError as error:
                    log.warning("scan of container %s failed: %s", container_name, error)
                    await asyncio.sleep(SILENCE_SECONDS)
                await asyncio.sleep(POLL_SECONDS)

    async def deliver(self, path: str) -> bool:
        """Call the function for this blob (`container/name`) as it is now, receipts ignored.

        Return False if the path is not the trigger's, or there is no such blob. Raises
        FunctionFailed.
        """
        container_name, _, name = path.partition("/")
        pattern = self._trigger.pattern
        if container_name != pattern.container or pattern.match(name) is None:
            return False
        async with BlobServiceClient.from_connection_string(self._trigger.connection) as service:
            blob = await self._read(service.get_container_client(container_name), name)
        if blob is None:
            return False
        await self._call(path, blob, "blob event", attempt=1)
        return True

    async def _scan(self, container: ContainerClient, receipts: Receipts) -> None:
        new: list[tuple[str, str]] = []
        try:
            async for blob in container.list_blobs():
                version = (str(blob.name), str(blob.etag).strip('"'))
                is_settled = version in self._trigger.settled
                if not is_settled and self._trigger.pattern.match(version[0]) is not None:
                    new.append(version)
        except ResourceNotFoundError:
            return  # no container, no blobs
        settling = [self._settle(container, receipts, version) for version in new]
        # all end before the next scan begins
        outcomes = await asyncio.gather(*settling, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _settle(
        self, container: ContainerClient, receipts: Receipts, version: tuple[str, str]
    ) -> None:
        async with self._slots:
            if not await receipts.exists(version):
                await self._process(container, version[0])
                await receipts.write(version)
            self._trigger.settled.add(version)

    async def _process(self, container: ContainerClient, name: str) -> None:
        """Call the function until it succeeds, at most as often as poisonBlobThreshold says."""
        function = self._trigger.name
        path = f"{self._trigger.pattern.container}/{name}"
        for attempt in range(1, self._attempts + 1):
            blob = await self._read(container, name)  # if storage fails, the next scan retries
            if blob is None:
                return
            try:
                await self._call(path, blob, "new blob", attempt=attempt)
                return
            except FunctionFailed as error:
                trace = error.details
                log.error("%s failed for %s (attempt %d)\n%s", function, path, attempt, trace)
            await asyncio.sleep(RETRY_SECONDS)
        log.error("%s gives up blob %s after %d attempts", function, name, self._attempts)

    async def _read(self, container: ContainerClient, name: str) -> _Blob | None:
        """Return None if there is no such blob."""
        client = container.get_blob_client(name)
        try:
            download = await client.download_blob()
        except ResourceNotFoundError:
            return None
        data = await download.readall()
        path = f"{self._trigger.pattern.container}/{name}"
        metadata = trigger_metadata(path, client.url, download.properties)
        parameters = self._trigger.pattern.match(name) or {}
        metadata |= {key: TypedData(string=value) for key, value in parameters.items()}
        return _Blob(TypedData(bytes=data), metadata)

    async def _call(self, path: str, blob: _Blob, reason: str, *, attempt: int) -> None:
        function = self._trigger.function
        reason = f"{reason} {path}"
        await self._invoker.invoke(
            function, blob.data, blob.metadata, reason=reason, attempt=attempt
        )


class Receipts:
    """The receipts of one function."""

    def __init__(self, container: ContainerClient, function: str) -> None:
        self._container = container
        self._prefix = f"blobreceipts/{HOST_ID}/Host.Functions.{function}"

    async def exists(self, version: tuple[str, str]) -> bool:
        """Return whether this version was processed."""
        return await self._container.get_blob_client(self._name(version)).exists()

    async def write(self, version: tuple[str, str]) -> None:
        """Note that this version was processed."""
        receipt = self._container.get_blob_client(self._name(version))
        completed = {"Completed": "True"}
        try:
            await receipt.upload_blob(b"", metadata=completed, overwrite=True)
        except ResourceNotFoundError:
            with contextlib.suppress(ResourceExistsError):
                await self._container.create_container()
            await receipt.upload_blob(b"", metadata=completed, overwrite=True)

    def _name(self, version: tuple[str, str]) -> str:
        name, etag = version
        return f"{self._prefix}/{etag}/{name}"


def trigger_metadata(path: str, uri: str, properties: Any) -> dict[str, TypedData]:
    """Return what the host passes about a blob beside its bytes."""
    modified = properties.last_modified
    fields = {
        "ContentLength": properties.size,
        "ContentType": properties.content_settings.content_type,
        "ETag": properties.etag,
        "LastModified": modified.isoformat() if modified else None,
        "BlobType": str(getattr(properties.blob_type, "value", properties.blob_type)),
    }
    return {
        "BlobTrigger": TypedData(string=path),
        "Uri": TypedData(json=json.dumps(uri)),
        "Properties": TypedData(json=json.dumps(fields)),
        "Metadata": TypedData(json=json.dumps(dict(properties.metadata or {}))),
    }
