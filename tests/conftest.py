"""Fixtures for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.azurite import Azurite


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Connection string of an Azurite that all tests share (data in memory): use container names of your own."""
    with Azurite(None, log=tmp_path_factory.mktemp("azurite") / "azurite.log") as storage:
        yield storage.connection_string
