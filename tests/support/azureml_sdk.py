"""The AzureML SDK, pointed at an emulator by environment variables alone, as in the app."""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Callable, Generator
from typing import Any

import pytest

from local.emulators.azureml import app_settings
from shared.core.process import Process, current, use
from tests.support.azureml import HEADER

PointAt = Callable[..., None]


@pytest.fixture(scope="session", autouse=True)
def azureml_sdk() -> None:
    """Import the SDK (5 s) where it may warn of the next version of its dependency marshmallow."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in ("azure.ai.ml", "azure.ai.ml.entities", "azure.ai.ml.finetuning"):
            importlib.import_module(module)
    # The SDK reads the source of every caller before it warns that a class is experimental: a
    # fifth of the time of these tests.
    experimental: Any = importlib.import_module("azure.ai.ml._utils._experimental")
    experimental._should_skip_warning = lambda: True


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Generator[PointAt]:
    """Point the SDK at an emulator, with no other identity or proxy in the way.

    Each address gets a process of its own unless one is given, as its clients know one cloud only.
    """
    for name in list(os.environ):
        if name.startswith(("AZURE", "IDENTITY_", "MSI_", "ARM_", "REGISTRY_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    before = current()

    def point_at(base_url: str, process: Process | None = None) -> None:
        for name, value in app_settings(base_url, HEADER).items():
            monkeypatch.setenv(name, value)
        use(process or Process()).close()

    yield point_at
    use(before).close()
