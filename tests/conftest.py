"""Fixtures for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from local.emulators.azurite import Azurite
from shared.core.process import Process, use

settings.register_profile(
    "shared machine", deadline=None
)  # no test may fail because others are busy
settings.load_profile("shared machine")


@pytest.fixture(autouse=True)
def fresh_process() -> Iterator[None]:
    """Give each test a process state of its own: nothing that another test learned is left."""
    before = use(Process())
    yield
    use(before)


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Connection string of an Azurite that all tests share (data in memory): use container names of your own."""
    with Azurite(None, log=tmp_path_factory.mktemp("azurite") / "azurite.log") as storage:
        yield storage.connection_string
