"""Fixtures for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from local.emulators.azurite import Azurite
from shared.teacher.response_format import forget_forms

settings.register_profile(
    "shared machine", deadline=None
)  # no test may fail because others are busy
settings.load_profile("shared machine")


@pytest.fixture(autouse=True)
def nothing_is_known_of_a_teacher() -> None:
    """What one test's teacher refused must not be held against the next one at the same port."""
    forget_forms()


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Connection string of an Azurite that all tests share (data in memory): use container names of your own."""
    with Azurite(None, log=tmp_path_factory.mktemp("azurite") / "azurite.log") as storage:
        yield storage.connection_string
