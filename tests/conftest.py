"""Fixtures for every test, and the tier of each, by its folder and fixtures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from local.emulators.azurite import Azurite
from shared.core.process import Process, use

# No deadlines: no test may fail because the machine is busy. `test --all` chooses "thorough".
settings.register_profile("quick", deadline=None, max_examples=25)
settings.register_profile("thorough", deadline=None, max_examples=200)
settings.load_profile("quick")

TESTS = Path(__file__).parent
TIER_BY_FOLDER = {
    "orchestrators": "orchestrators",
    "histories": "orchestrators",
    "local": "standins",
    "end_to_end": "end_to_end",
    "chaos": "chaos",
    "benchmarks": "benchmarks",
}


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with its tier and its group, and put those that wait longest first.

    Its tier is that of its folder, or else app or unit. A group runs in one worker: the tests of
    one file, which share what its fixtures set up, and all tests that share one local cloud.
    """
    for item in items:
        fixtures: list[str] = getattr(item, "fixturenames", [])
        default = "app" if "azurite" in fixtures else "unit"
        path = item.path.relative_to(TESTS)
        tier = TIER_BY_FOLDER.get(path.parts[0], default)
        has_cloud = tier == "end_to_end" and "app" in fixtures
        item.add_marker(tier)
        item.add_marker(pytest.mark.xdist_group("one cloud" if has_cloud else path.as_posix()))
    items.sort(key=lambda item: item.get_closest_marker("end_to_end") is None)


@pytest.fixture(autouse=True)
def fresh_process() -> Iterator[None]:
    """Give each test a process state of its own: nothing that another test learned is left."""
    before = use(Process())
    yield
    use(before)


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the connection string of an Azurite that a worker's tests share, data in memory.

    Each test uses container names of its own.
    """
    with Azurite(None, log=tmp_path_factory.mktemp("azurite") / "azurite.log") as storage:
        yield storage.connection_string
