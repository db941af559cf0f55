"""One object holds what a worker process keeps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.core import process
from shared.core.errors import SettingsError
from shared.core.process import Process


class Counter:
    """A kind of state."""

    def __init__(self) -> None:
        self.count = 0


@pytest.fixture
def fresh() -> Iterator[Process]:
    before = process.use(Process())
    yield process.current()
    process.use(before)


def test_a_kind_of_state_exists_once_a_process(fresh: Process) -> None:
    fresh.part(Counter).count += 1
    assert process.current().part(Counter).count == 1


def test_another_process_knows_nothing_of_the_first_ones_state(fresh: Process) -> None:
    fresh.part(Counter).count += 1
    assert Process().part(Counter).count == 0


def test_settings_that_are_wrong_are_read_again_the_next_time(
    fresh: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEACHER_BASE_URL", raising=False)
    with pytest.raises(SettingsError, match="TEACHER_BASE_URL"):
        _ = fresh.settings
    for name, value in {
        "TEACHER_BASE_URL": "https://teacher.example/v1",
        "TEACHER_MODEL": "m",
        "DISTILLATION_STORAGE": "UseDevelopmentStorage=true",
        "AZURE_OPENAI_BASE_URL": "https://x.openai.azure.com/openai/v1",
    }.items():
        monkeypatch.setenv(name, value)
    assert fresh.settings.teacher_model == "m"
