"""Fixtures of the host's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from azure.storage.blob.aio import BlobServiceClient

from local.functions_host import blobs
from tests.support.containers import Container, container_of


@pytest.fixture
async def container(azurite: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Container]:
    """A new container, and a host that looks for blobs often and tries again soon."""
    for pause in ("POLL_SECONDS", "RETRY_SECONDS", "SILENCE_SECONDS"):
        monkeypatch.setattr(blobs, pause, 0.02)
    async with BlobServiceClient.from_connection_string(azurite) as service:
        created = container_of(service, azurite)
        await created.client.create_container()
        yield created
