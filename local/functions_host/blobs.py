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
import math
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import unquote

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from local.functions_host.blob_triggers import BlobTrigger
from local.functions_host.errors import FunctionFailed
from local.functions_host.invocation import Invoker
from local.functions_host.worker.messages import TypedData

HOSTS_CONTAINER = "azure-webjobs-hosts"
HOST_ID = "local"
POLL_SECONDS = 1.0
LISTING_SHARE = 1 / 3  # of the time, most of it a wait: large containers are listed less often
BACKLOG = 500  # new versions; of more, the newest come first, and the scan is repeated meanwhile
BACKLOG_SECONDS = 5.0  # at least, between two scans during a backlog
SILENCE_SECONDS = 10.0  # after a scan that failed
RETRY_SECONDS = 2.0
AT_A_TIME = 64  # versions of a trigger that wait for a slot, which all triggers share
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BlobVersion:
    """One version of a blob. `modified` is in seconds since 1970."""

    name: str
    etag: str
    modified: float

    @property
    def key(self) -> tuple[str, str]:
        return self.name, self.etag


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
        self._has_receipts = False

    async def poll(self) -> None:
        """Look for new versions until cancelled."""
        async with BlobServiceClient.from_connection_string(self._trigger.connection) as service:
            receipts = Receipts(service.get_container_client(HOSTS_CONTAINER), self._trigger.name)
            container_name = self._trigger.pattern.container
            container = service.get_container_client(container_name)
            while True:
                pause = POLL_SECONDS
                try:
                    if not self._has_receipts:
                        self._trigger.settled |= await receipts.all()
                        self._has_receipts = True
                    pause = await self._scan(container, receipts)
                except AzureError as error:
                    log.warning("scan of container %s failed: %s", container_name, error)
                    await asyncio.sleep(SILENCE_SECONDS)
                await asyncio.sleep(pause)

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

    async def _scan(self, container: ContainerClient, receipts: Receipts) -> float:
        """Call the function for new versions. Return the pause before the next scan, in seconds."""
        started = time.monotonic()
        versions = await list_versions(container)
        pattern, settled = self._trigger.pattern, self._trigger.settled
        new = [
            version
            for version in versions
            if version.key not in settled and pattern.match(version.name) is not None
        ]
        listing_seconds = time.monotonic() - started
        pause = max(POLL_SECONDS, listing_seconds * (1 / LISTING_SHARE - 1))
        deadline = math.inf
        if len(new) > BACKLOG:
            new.sort(key=lambda version: version.modified, reverse=True)
            deadline = time.monotonic() + max(BACKLOG_SECONDS, pause)
            pause = POLL_SECONDS
            log.info("%s: %d blobs are waiting", self._trigger.name, len(new))
        await self._settle_all(container, receipts, new, deadline)
        return pause

    async def _settle_all(
        self,
        container: ContainerClient,
        receipts: Receipts,
        new: list[BlobVersion],
        deadline: float,
    ) -> None:
        """Settle these versions, until the deadline. All that were begun end before the return."""
        waiting = iter(new)

        async def settle_next() -> None:
            for version in waiting:
                async with self._slots:
                    await self._process(container, version.name)
                    await receipts.write(version.key)
                    self._trigger.settled.add(version.key)
                if time.monotonic() > deadline:
                    return

        at_a_time = [settle_next() for _ in range(min(len(new), AT_A_TIME))]
        for outcome in await asyncio.gather(*at_a_time, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

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

    async def all(self) -> set[tuple[str, str]]:
        """Return the versions that were processed: one listing is cheaper than a look at each."""
        versions: set[tuple[str, str]] = set()
        prefix = f"{self._prefix}/"
        with contextlib.suppress(ResourceNotFoundError):
            async for receipt in self._container.list_blob_names(name_starts_with=prefix):
                etag, _, name = receipt.removeprefix(prefix).partition("/")
                versions.add((name, etag))
        return versions

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


async def list_versions(container: ContainerClient) -> list[BlobVersion]:
    """Return the versions of all blobs now, none if there is no container.

    The SDK's own objects take 0.3 ms a blob, which is 30 s for 100,000: name, ETag and time alone
    are read from the same answer in a tenth of that.
    """
    versions: list[BlobVersion] = []
    pages: Any = container.list_blob_names().by_page()
    with contextlib.suppress(ResourceNotFoundError):
        async for _ in pages:
            versions += [_version(blob) for blob in pages._response.iterfind("Blobs/Blob")]
            await asyncio.sleep(0)
    return versions


def _version(blob: Any) -> BlobVersion:
    name = blob.find("Name")
    text = name.text or ""
    if name.get("Encoded") == "true":
        text = unquote(text)
    properties = blob.find("Properties")
    modified = parsedate_to_datetime(properties.findtext("Last-Modified")).timestamp()
    return BlobVersion(text, properties.findtext("Etag").strip('"'), modified)


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
