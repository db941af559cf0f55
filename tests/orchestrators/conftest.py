"""Executions small enough for tests: continuing as new takes a dozen activities, not hundreds."""

from __future__ import annotations

import pytest

from orchestrators import finetune
from orchestrators.durable import sliding_window
from tests.support.small_executions import ACTIVITIES, PAUSES, POLLS


@pytest.fixture
def small_executions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sliding_window, "ACTIVITIES_PER_EXECUTION", ACTIVITIES)
    monkeypatch.setattr(sliding_window, "PAUSES_PER_EXECUTION", PAUSES)
    monkeypatch.setattr(finetune, "POLLS_PER_EXECUTION", POLLS)
