"""The storage proxy: requests go through as they are, and what it draws is what clients see."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

import pytest
from azure.core.exceptions import AzureError, HttpResponseError
from azure.storage.blob import BlobServiceClient

from local.bootstrap import ROOT
from local.runtime.ports import free_port
from tests.support.storage_proxy import FAULTS, Proxy


@contextmanager
def proxied(connection: str, *flags: str) -> Generator[BlobServiceClient]:
    """A client whose requests go through the proxy, without retries of its own."""
    endpoint = next(
        part for part in connection.split(";") if part.startswith("BlobEndpoint=")
    ).partition("=")[2]
    port, (target, _, account) = free_port(), endpoint.rpartition("/")
    command = [
        sys.executable,
        "-m",
        "tests.support.storage_proxy",
        "--port",
        str(port),
        "--target",
        target,
        *flags,
        "--lifeline",
    ]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert "storage proxy at" in process.stdout.readline()
        through = connection.replace(endpoint, f"http://127.0.0.1:{port}/{account}")
        with BlobServiceClient.from_connection_string(through, retry_total=0) as client:
            yield client
    finally:
        process.terminate()
        process.communicate()


def test_signed_requests_of_every_kind_go_through(azurite: str) -> None:
    with proxied(azurite) as client:
        container = client.get_container_client("through-the-proxy")
        cast(Any, container).create_container()
        blob = container.get_blob_client("a/b c.txt")
        blob.upload_blob(b"x" * 100_000, metadata={"k": "v"})
        assert blob.download_blob(offset=10, length=5).readall() == b"xxxxx"
        assert blob.get_blob_properties().size == 100_000
        log = container.get_blob_client("log")
        log.create_append_blob()
        log.append_block(b"one", appendpos_condition=0)
        with pytest.raises(HttpResponseError) as refused:
            log.append_block(b"two", appendpos_condition=0)
        assert refused.value.status_code == 412
        assert [one.name for one in container.list_blobs(include=["metadata"])] == [
            "a/b c.txt",
            "log",
        ]
        container.delete_container()


def test_every_request_meets_a_fault_when_all_shall(azurite: str) -> None:
    with proxied(azurite, "--fault-rate", "1", "--seed", "3") as client:
        for _ in range(8):
            with pytest.raises(AzureError):
                client.get_container_client("nowhere").get_container_properties()


def test_the_same_seed_draws_the_same_faults() -> None:
    first, second = (Proxy("http://127.0.0.1:1", 0.5, 7) for _ in range(2))
    drawn = [proxy._lottery.choice(FAULTS) for proxy in (first, second) for _ in range(5)]  # pyright: ignore[reportPrivateUsage]
    assert drawn[:5] == drawn[5:]
