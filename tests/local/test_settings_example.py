"""`local.settings.json.example`, for `func start`, names every app setting and is valid."""

from __future__ import annotations

import json

from local.bootstrap import ROOT
from shared.core.settings import SETTINGS, load

EXAMPLE: dict[str, str] = json.loads((ROOT / "local.settings.json.example").read_text())["Values"]
FOR_THE_HOST = {"FUNCTIONS_WORKER_RUNTIME", "AzureWebJobsStorage"}


def test_the_example_names_every_app_setting() -> None:
    assert EXAMPLE.keys() == SETTINGS.keys() | FOR_THE_HOST


def test_the_app_accepts_the_example() -> None:
    settings = load(EXAMPLE)
    assert settings.teacher_api_key is None
    assert settings.azureml_workspace == "WORKSPACE"


def test_it_holds_no_secret() -> None:
    filled = {name for name, value in EXAMPLE.items() if value}
    assert not any(name.endswith("_KEY") for name in filled)
