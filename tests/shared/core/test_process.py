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


@pytest.mark.parametrize(
    "text",
    [
        "POST https://hooks.example/services/T0/abcdefgh?sig=zyxw%2Bvuts987 failed",
        "path /services/T0/abcdefgh?sig=zyxw%2Bvuts987",
        "it has zyxw+vuts987",
        "it has zyxw%2Bvuts987",
        "signed with QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB",
    ],
)
def test_the_address_that_is_notified_is_a_secret_as_a_whole_and_in_parts(
    fresh: Process, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    url = "https://hooks.example/services/T0/abcdefgh?sig=zyxw%2Bvuts987"
    monkeypatch.setenv("NOTIFY_URL", url)
    monkeypatch.setenv("NOTIFY_SECRET", "whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB")
    redacted = fresh.redact(text)
    assert "***" in redacted
    assert not any(part in redacted for part in ("abcdefgh", "vuts987", "QUFB"))
