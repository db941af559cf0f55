"""Blobs in the shared Azurite, in containers of their own, and apps with blob triggers on them."""

from __future__ import annotations

from uuid import uuid4

from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from tests.support.functions_host import ServedApp, until

ARRIVED = """
@app.blob_trigger(
    arg_name="data",
    path="%CONTAINER%/in/{{name}}.txt",
    connection="STORAGE",
    source=func.BlobSource.{source},
)
def arrived(data: func.InputStream) -> None:
    CALLS.append((data.name, data.read()))
"""
POLLED = ARRIVED.format(source="LOGS_AND_CONTAINER_SCAN")
PUSHED = ARRIVED.format(source="EVENT_GRID")


class Container:
    """One container of blobs. `settings` are the app settings that ARRIVED needs."""

    def __init__(self, connection: str, client: ContainerClient) -> None:
        self.client = client
        self.name = str(client.container_name)
        self.settings = {"CONTAINER": self.name, "STORAGE": connection}

    async def put(self, name: str, data: bytes, **metadata: str) -> tuple[str, bytes]:
        """Upload (or overwrite) a blob; what ARRIVED appends to CALLS for it."""
        await self.client.upload_blob(name, data, overwrite=True, metadata=metadata)
        return f"{self.name}/{name}", data

    async def seen(self, app: ServedApp) -> list[object]:
        """All calls, once every blob that is there now has been dealt with, receipt included.

        A last blob shows that they were looked at; one more, that this look is over.
        """
        for _ in range(2):
            last, _ = await self.put(f"in/last-{uuid4().hex}.txt", b"last")
            await until(lambda last=last: last in (path for path, _ in app.calls))
        return [call for call in app.calls if not call[0].startswith(f"{self.name}/in/last-")]


def container_of(service: BlobServiceClient, connection: str) -> Container:
    return Container(connection, service.get_container_client(f"host-{uuid4().hex[:20]}"))
