"""App settings in the environment, real storage, and runs taken through their activities."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from local.emulators.teacher import ChatRequest, RunningTeacher, TeacherOptions, serve
from shared.core.process import Process, use
from shared.core.settings import SETTINGS as APP_SETTINGS
from shared.core.storage import Storage
from tests.shared.conftest import storage
from tests.support.activity_runs import AppRun
from tests.support.azureml import Workspace, emulator
from tests.support.azureml_sdk import azureml_sdk, environment

__all__ = ["azureml_sdk", "environment", "storage"]

KEY = "open-sesame-0123"
NOBODY = "http://127.0.0.1:9/v1"  # the discard port: a teacher that must not be asked
SETTINGS = {
    "TEACHER_BASE_URL": NOBODY,
    "TEACHER_MODEL": "local-teacher",
    "TEACHER_API_KEY": KEY,
    "AZUREML_SUBSCRIPTION_ID": "s",
    "AZUREML_RESOURCE_GROUP": "g",
    "AZUREML_WORKSPACE": "w",
}
Configure = Callable[..., None]
NewRun = Callable[..., AppRun]
OpenWorkspace = Callable[..., Workspace]
Teach = Callable[..., contextlib.AbstractAsyncContextManager[RunningTeacher]]


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Configure:
    """Sets app settings, for processes that have not read them yet; None takes one away."""

    def change(**values: str | None) -> None:
        for name, value in values.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        use(Process()).close()

    change(**dict.fromkeys(APP_SETTINGS))
    return change


@pytest.fixture
def app(azurite: str, configure: Configure) -> Configure:
    """A complete set of settings, with a teacher and a workspace that nothing answers at."""
    configure(DISTILLATION_STORAGE=azurite, **SETTINGS)
    return configure


@pytest.fixture
def teach(app: Configure) -> Teach:
    """A real teacher while the context lasts. `answer` scripts its replies."""

    @asynccontextmanager
    async def teaching(
        answer: Callable[[ChatRequest], str] | None = None, **options: Any
    ) -> AsyncGenerator[RunningTeacher]:
        async with serve(TeacherOptions(api_key=KEY, **options), answer=answer) as teacher:
            app(TEACHER_BASE_URL=teacher.base_url)
            yield teacher

    return teaching


@pytest.fixture
def open_workspace(
    azurite: str, app: Configure, environment: Callable[[str], None]
) -> Iterator[OpenWorkspace]:
    """Starts an AzureML emulator with options and points the app at it."""
    with contextlib.ExitStack() as running:

        def begin(**options: Any) -> Workspace:
            base_url = running.enter_context(emulator(storage=azurite, **options))
            environment(base_url)
            app(
                **{
                    name: value
                    for name, value in SETTINGS.items()
                    if not name.startswith("AZUREML")
                }
            )
            app(DISTILLATION_STORAGE=azurite)
            return Workspace(base_url)

        yield begin


@pytest.fixture
async def new_run(app: Configure, storage: Storage) -> AsyncIterator[NewRun]:
    """Makes runs: `new_run(task="math", rows_per_shard=5, …)`."""

    def make(**options: Any) -> AppRun:
        return AppRun(storage, **options)

    yield make
