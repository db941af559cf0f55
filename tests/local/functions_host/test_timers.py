"""Timer triggers: schedules, calls that came due while the host was down, and calls by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from local.functions_host.errors import IndexingError
from local.functions_host.timers import Schedule
from tests.support.durable_hub import until
from tests.support.functions_host import served

HOURLY = """
@app.timer_trigger(arg_name="timer", schedule="{schedule}")
def hourly(timer: func.TimerRequest) -> None:
    CALLS.append(timer.past_due)
"""
MOMENT = datetime(2026, 11, 28, 15, 17, 30, 500_000, UTC)  # a Saturday


def notes(folder: Path) -> list[Path]:
    """When the next call is due, as the host keeps it."""
    return list(folder.rglob("timers/hourly.json"))


@pytest.mark.parametrize(
    ("schedule", "due"),
    [
        ("* * * * * *", "2026-11-28T15:17:31"),
        ("0 17 * * * *", "2026-11-28T16:17:00"),
        ("0 */5 * * * *", "2026-11-28T15:20:00"),
        ("0 0 3 * * *", "2026-11-29T03:00:00"),
        ("0 30 9-17 * * 1-5", "2026-11-30T09:30:00"),
        ("15,45 17 15 28 11 6", "2026-11-28T15:17:45"),
        ("0 0 0 29 2 *", "2028-02-29T00:00:00"),
    ],
)
def test_a_schedule_names_its_next_moment(schedule: str, due: str) -> None:
    assert Schedule.parse(schedule).after(MOMENT) == datetime.fromisoformat(f"{due}+00:00")


@pytest.mark.parametrize("schedule", ["", "* * * * *", "0 60 * * * *", "0 0 0 30 2 *", "@hourly"])
async def test_a_schedule_that_cannot_be_is_refused_by_name(tmp_path: Path, schedule: str) -> None:
    with pytest.raises(IndexingError, match="function hourly cannot be scheduled"):
        async with served(tmp_path, HOURLY.format(schedule=schedule)):
            pass


async def test_a_call_that_came_due_while_the_host_was_down_is_made_when_it_starts(
    tmp_path: Path,
) -> None:
    code = HOURLY.format(schedule="%SCHEDULE%")
    settings = {"SCHEDULE": "0 0 0 1 1 *"}
    async with served(tmp_path, code, settings) as app:
        await until(lambda: notes(tmp_path))
        [file] = notes(tmp_path)
        by_hand = f"/admin/functions/hourly?code={app.host.keys.master_key}"
        assert (await app.post(by_hand, json={}))[0] == 202
        assert (await app.post("/admin/functions/hourly", json={}))[0] == 401
        assert app.calls == [False]
    due = file.read_text()
    file.write_text(json.dumps({"Next": "2020-01-01T00:00:00+00:00"}))
    async with served(tmp_path, code, settings) as app:
        await until(lambda: app.calls)
        assert app.calls == [True]
        await until(lambda: file.read_text() == due)
