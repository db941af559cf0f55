"""Fixtures for every test, and the tier of each, by its folder and fixtures."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from local.emulators.azurite import Azurite
from local.runtime.proxies import loopback_without_proxy
from shared.core.process import Process, use

# No deadlines: no test may fail because the machine is busy. `test --all` chooses "thorough".
settings.register_profile("quick", deadline=None, max_examples=25)
settings.register_profile("thorough", deadline=None, max_examples=200)
settings.load_profile("quick")

# A developer's proxy must not come between the tests and their servers.
os.environ.update(loopback_without_proxy(os.environ))

TESTS = Path(__file__).parent
OWN_CLOUD = ("test_lost_hub.py", "test_wrong_setting.py", "test_trust.py", "test_queue.py")
# Tests that mostly wait: beside the other end-to-end tests, in a second cloud, they cost no time.
SECOND_CLOUD = ("test_stopping.py", "test_reuse.py", "test_students.py")
TIER_BY_FOLDER = {
    "orchestrators": "orchestrators",
    "histories": "orchestrators",
    "local": "standins",
    "end_to_end": "end_to_end",
    "chaos": "chaos",
    "benchmarks": "benchmarks",
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Import a part of all test modules first, in each worker another one.

    An assertion takes pytest longer to rewrite than to run, and each worker keeps on disk what it
    has rewritten. Thus, where nothing has been yet, the workers share the work. Meanwhile no
    garbage is collected: there is hardly any, and all that was imported would be searched for it.
    """
    options = session.config
    worker: dict[str, Any] = getattr(options, "workerinput", {})
    if not worker:
        return
    gc.disable()
    if options.args == options.getini("testpaths"):
        workers = worker["workercount"]
        number = int(worker["workerid"].removeprefix("gw"))
        for path in sorted(TESTS.rglob("test_*.py"))[number::workers]:
            with suppress(Exception, pytest.skip.Exception):  # pytest imports it again, and tells
                import_module(".".join(path.relative_to(TESTS.parent).with_suffix("").parts))


def pytest_collection_finish() -> None:
    """Collect garbage again, but leave out all that was imported and collected till now."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with its tier, that of its folder or else app or unit; end to end first."""
    for item in items:
        fixtures: list[str] = getattr(item, "fixturenames", [])
        default = "app" if "azurite" in fixtures else "unit"
        folder = item.path.relative_to(TESTS).parts[0]
        item.add_marker(TIER_BY_FOLDER.get(folder, default))
    items.sort(key=lambda item: item.get_closest_marker("end_to_end") is None)


class ByFile(LoadFileScheduling):
    """Gives a worker whole files, and one worker all files whose tests share a local cloud.

    There are two such clouds.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        shares_cloud = "end_to_end/" in file and not file.endswith(OWN_CLOUD)
        if not shares_cloud:
            return file
        return "second cloud" if file.endswith(SECOND_CLOUD) else "first cloud"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    """Hand tests out by what they share, however xdist was started."""
    return ByFile(config, log)


@pytest.fixture(autouse=True)
def fresh_process() -> Iterator[None]:
    """Give each test a process state of its own: nothing that another test learned is left."""
    before = use(Process())
    yield
    use(before).close()  # a connection that is collected as garbage fails another test


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the connection string of an Azurite that a worker's tests share, data in memory.

    Each test uses container names of its own.
    """
    with Azurite(None, log=tmp_path_factory.mktemp("azurite") / "azurite.log") as storage:
        yield storage.connection_string
