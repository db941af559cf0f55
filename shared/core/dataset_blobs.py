"""Container `datasets`: what users upload. Its content is read elsewhere; here are names and facts.

The only blobs that the app writes here are problem files: each carries a digest of its content in
its metadata, by which the app knows its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob import BlobProperties, ContentSettings
from azure.storage.blob.aio import ContainerClient

from shared.core.blob_facts import BlobFacts

_DIRECTORY = "hdi_isfolder"  # metadata of blobs that stand for directories


class DatasetBlobs:
    """Blobs by their name in container `datasets`."""

    def __init__(self, container: ContainerClient) -> None:
        self._container = container

    async def facts(self, name: str) -> BlobFacts | None:
        """Return what is known of a blob without its content, None if it doesn't exist."""
        try:
            properties = await self._container.get_blob_client(name).get_blob_properties()
        except ResourceNotFoundError:
            return None
        except HttpResponseError as error:
            if error.status_code == 400:  # a name that the service doesn't allow
                return None
            raise
        return _facts(name, properties)

    async def under(self, prefix: str, limit: int) -> list[BlobFacts]:
        """Return at most so many blobs whose names begin with this, in order of name."""
        blobs: list[BlobFacts] = []
        listing = self._container.list_blobs(name_starts_with=prefix, include=["metadata"])
        with contextlib.suppress(ResourceNotFoundError):  # there is no container yet
            async for blob in listing:
                if len(blobs) == limit:
                    break
                blobs.append(_facts(str(blob.name), blob))
        return blobs

    async def level(self, prefix: str) -> AsyncIterator[BlobFacts | str]:
        """Yield the blobs directly in a folder, and as text the folders in it, with their slash."""
        listing = self._container.walk_blobs(
            name_starts_with=prefix, include=["metadata"], delimiter="/"
        )
        with contextlib.suppress(ResourceNotFoundError):
            async for entry in listing:
                if isinstance(entry, BlobProperties):
                    yield _facts(str(entry.name), entry)
                else:
                    yield str(entry.name)

    async def write(
        self, name: str, data: bytes, metadata: Mapping[str, str], etag: str | None
    ) -> bool:
        """Write a document over this version, None for none. Return whether this call wrote it."""
        condition: dict[str, Any] = {}
        if etag:
            condition = {
                "overwrite": True,
                "etag": etag,
                "match_condition": MatchConditions.IfNotModified,
            }
        try:
            await self._container.get_blob_client(name).upload_blob(
                data,
                content_settings=ContentSettings(content_type="application/json"),
                metadata=dict(metadata),
                **condition,
            )
        except (ResourceExistsError, ResourceModifiedError, ResourceNotFoundError):
            return False
        return True

    async def delete(self, name: str, etag: str) -> None:
        """Delete this version of a blob, if it is still the latest."""
        blob = self._container.get_blob_client(name)
        with contextlib.suppress(ResourceNotFoundError, ResourceModifiedError):
            await blob.delete_blob(etag=etag, match_condition=MatchConditions.IfNotModified)


def _facts(name: str, properties: BlobProperties) -> BlobFacts:
    metadata = {key.lower(): value for key, value in (properties.metadata or {}).items()}
    return BlobFacts(
        name=name,
        size=properties.size,
        etag=str(properties.etag).strip('"'),
        modified=properties.last_modified,
        metadata=metadata,
        is_directory=metadata.get(_DIRECTORY, "").lower() == "true",
    )
