"""The list of who steered a run: short, complete at its beginning, and in nobody's way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from shared.core.run_actions import (
    MAX_ACTIONS,
    UNKNOWN_CALLER,
    ActionName,
    RunAction,
    RunActions,
)

START = datetime(2026, 1, 1, tzinfo=UTC)


def action(number: int) -> RunAction:
    name = ActionName.PAUSE if number else ActionName.START
    time = START + timedelta(seconds=number)
    return RunAction(time=time, action=name, caller=UNKNOWN_CALLER)


def test_an_action_whose_write_was_repeated_is_listed_once() -> None:
    document = RunActions()
    for number in (0, 1, 1, 0):
        document.add(action(number))
    assert document.actions == [action(0), action(1)]


def test_a_run_that_is_steered_without_end_shows_its_start_and_the_latest_actions() -> None:
    document = RunActions()
    for number in range(200):
        document.add(action(number))
    latest = [action(number) for number in range(201 - MAX_ACTIONS, 200)]
    assert document.actions == [action(0), *latest]
