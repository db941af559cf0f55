"""Recorded histories are replayed, every episode of them.

A failure here means that a deployment would break active runs: see "Changing an orchestrator" in
CONTRIBUTING.md.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from local.functions_host.durable.events import Kind
from tests.histories.record import FOLDER, SCENARIOS
from tests.support.orchestrator_simulation import ORCHESTRATION_VERSION, decide_by, outcome_of

RECORDED = sorted(FOLDER.glob("*/*.json"))


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_recorded_histories_are_replayed_to_the_same_end(path: Path) -> None:
    for execution in cast(list[dict[str, Any]], json.loads(path.read_text(encoding="utf-8"))):
        assert replayed(execution, execution["history"][:-1]) == execution["outcome"], execution[
            "id"
        ]


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_episode_schedules_again_what_it_had_scheduled(path: Path) -> None:
    for execution in cast(list[dict[str, Any]], json.loads(path.read_text(encoding="utf-8"))):
        history: list[dict[str, Any]] = execution["history"]
        ends = [
            place
            for place, event in enumerate(history)
            if event["EventType"] == Kind.ORCHESTRATOR_COMPLETED
        ]
        for end in ends[: -1 if len(ends) > 1 else None][:: max(1, len(ends) // 40)]:
            begin = max(
                place
                for place in range(end)
                if history[place]["EventType"] == Kind.ORCHESTRATOR_STARTED
            )
            made = [event for event in history[begin:end] if event["EventType"] in SCHEDULING]
            decision = decide_by(
                *identity(execution), [event for event in history[:end] if event not in made]
            )
            assert decision.error is None
            scheduled = [(command.kind, command.id, command.name) for command in decision.commands]
            assert scheduled == [
                (event["EventType"], event["EventId"], event.get("Name", "")) for event in made
            ]


SCHEDULING = (Kind.TASK_SCHEDULED, Kind.SUB_CREATED, Kind.TIMER_CREATED)


def test_every_scenario_is_recorded_for_the_version_that_runs_are_given() -> None:
    recorded = {path.stem for path in RECORDED if path.parent.name == ORCHESTRATION_VERSION}
    assert {scenario.__name__ for scenario in SCENARIOS} <= recorded


def test_an_orchestrator_that_does_something_else_than_history_says_is_found_out() -> None:
    (root,) = [
        execution
        for execution in json.loads(
            (FOLDER / ORCHESTRATION_VERSION / "completed.json").read_text(encoding="utf-8")
        )
        if execution["parent"] is None
    ]
    renamed = json.loads(
        json.dumps(root["history"][:-1]).replace('"preflight"', '"another_activity"')
    )
    assert "error" in replayed(root, renamed)


def identity(execution: dict[str, Any]) -> tuple[str, str, str, str | None]:
    return execution["name"], execution["id"], execution["input"], execution["parent"]


def replayed(execution: dict[str, Any], history: list[dict[str, Any]]) -> dict[str, Any]:
    return outcome_of(decide_by(*identity(execution), history))
