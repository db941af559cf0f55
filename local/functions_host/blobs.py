"""Blob triggers: which blobs concern a function, and calling it as Azure's host does.

A receipt for each function, blob name and ETag is kept in storage, where the WebJobs SDK keeps it
too: a version is processed once, and again only if the host dies between the function's end and the
receipt.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from local.functions_host.errors import FunctionFailed, IndexingError
from local.functions_host.functions import BLOB_TRIGGER, IndexedFunction
from local.functions_host.invocation import Invoker
from local.functions_host.worker.messages import TypedData

HOSTS_CONTAINER = "azure-webjobs-hosts"
HOST_ID = "local"
EVENT_GRID = "EventGrid"
POLL_SECONDS = 1.0
SILENCE_SECONDS = 10.0  # after a scan that failed
RETRY_SECONDS = 2.0
_PARAMETER = re.compile(r"\{(\w+)\}")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BlobPattern:
    """A trigger's path: `container/prefix/{name}.jsonl`.

    A parameter matches anything, slashes included, as in Azure.
    """

    container: str
    expression: re.Pattern[str]

    @classmethod
    def parse(cls, path: str) -> BlobPattern:
        """Raises ValueError."""
        container, slash, name = path.partition("/")
        if not slash or not name or "{" in container:
            raise ValueError(f"{path!r} is not a path of the form container/blob")
        expression = ""
        for index, part in enumerate(_PARAMETER.split(name)):
            expression += f"(?P<{part}>.+)" if index % 2 else re.escape(part)
        try:
            return cls(container, re.compile(expression))
        except re.error as error:  # a parameter that occurs twice or has an invalid name
            raise ValueError(
                f"{path!r} is not a path of the form container/blob: {error}"
            ) from None

    def match(self, name: str) -> dict[str, str] | None:
        """Return the values of the parameters for a blob name, None if the name differs."""
        match = self.expression.fullmatch(name)
        return match.groupdict() if match else None


@dataclass(slots=True)
class BlobTrigger:
    """One function with a blob trigger.

    `settled` are the versions (name, ETag) that need no further look.
    """

    function: IndexedFunction
    pattern: BlobPattern
    connection: str
    is_polled: bool
    settled: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])

    @property
    def name(self) -> str:
        return self.function.name


def blob_triggers(
    functions: list[IndexedFunction], environment: Mapping[str, str]
) -> list[BlobTrigger]:
    """Return the blob triggers of an app. Raises IndexingError naming all that cannot be served."""
    triggers: list[BlobTrigger] = []
    problems: list[str] = []
    for function in functions:
        if function.trigger.type == BLOB_TRIGGER:
            try:
                triggers.append(_trigger(function, environment))
            except ValueError as error:
                problems.append(f"function {function.name} {error}")
    if problems:
        raise IndexingError("\n".join(problems))
    return triggers


def _trigger(function: IndexedFunction, environment: Mapping[str, str]) -> BlobTrigger:
    properties = function.trigger.properties
    setting = str(properties.get("connection") or "AzureWebJobsStorage")
    connection = environment.get(setting, "")
    if not connection:
        raise ValueError(f"needs the connection string {setting}, which is not set")
    try:
        pattern = BlobPattern.parse(str(properties["path"]))
    except ValueError as error:
        raise ValueError(f"has a blob trigger that cannot be served: {error}") from None
    return BlobTrigger(function, pattern, connection, properties.get("source") != EVENT_GRID)


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
