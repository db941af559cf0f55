"""Fixtures for the tests of the durable engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from tests.support.durable_host import Api, HostProcess, host_process


@pytest.fixture(scope="package", autouse=True)
def advice_of_the_sdk_was_given() -> Iterator[None]:
    """Have the SDK give its advice about untyped values, which comes once in a process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("azure.functions._durable_functions._no_expected_type_notice_emitted", True)
        yield


@pytest.fixture(scope="package")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    """A host that all tests of the package share: use instance ids of your own."""
    with host_process(tmp_path_factory.mktemp("host") / "data") as running:
        yield running


@pytest.fixture
async def api(host: HostProcess) -> AsyncIterator[Api]:
    async with aiohttp.ClientSession() as session:
        yield Api(session, host.url, host.keys["system_key"])
