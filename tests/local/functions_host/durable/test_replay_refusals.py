"""Orchestrators that ask for other things than before, or for what this host does not do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import azure.durable_functions as df
import pytest

from local.functions_host.durable.episodes import decide
from local.functions_host.durable.events import Kind, event
from local.functions_host.durable.replay import ActionType, NotDeterministic, NotSupported, Replay
from tests.support.durable_simulation import (
    BEGINNING,
    Orchestrator,
    Simulation,
    Steps,
    completed,
    first,
    started,
)


def calls(*names: str) -> Orchestrator:
    """An orchestrator that calls these activities one after the other."""

    def orchestrator(context: Any) -> Steps:
        for name in names:
            yield context.call_activity(name)
        return "over"

    return orchestrator


def sleeps(context: Any) -> Steps:
    yield context.create_timer(context.current_utc_datetime + timedelta(hours=1))


@pytest.mark.parametrize(
    ("then", "reason"),
    [
        (
            calls(),
            "history has TaskScheduled scan with id 0,"
            " which the orchestrator does not schedule now",
        ),
        (sleeps, "history has TaskScheduled scan with id 0, now it is TimerCreated"),
        (
            calls("prepare", "scan"),
            "history has TaskScheduled scan with id 0, now it is TaskScheduled prepare",
        ),
    ],
)
def test_code_that_no_longer_fits_its_history_fails_and_says_where(
    then: Orchestrator, reason: str
) -> None:
    simulation = Simulation(calls("scan"))
    simulation.start()
    simulation.deploy(then)
    assert simulation.episode().error == f"not deterministic: {reason}"


def test_an_activity_in_place_of_a_timer_fails_too() -> None:
    simulation = Simulation(sleeps)
    simulation.start()
    simulation.deploy(calls("scan"))
    assert simulation.episode().error == (
        "not deterministic: history has TimerCreated with id 0, now it is TaskScheduled scan"
    )


def test_code_may_change_beyond_what_history_has() -> None:
    simulation = Simulation(calls("scan", "old"))
    simulation.start()
    simulation.deploy(calls("scan", "new"))
    [command] = simulation.episode(completed(0)).commands
    assert command.name == "new"


def test_a_step_left_out_in_the_middle_is_found_out() -> None:
    simulation = Simulation(calls("scan", "train", "report"))
    simulation.start()
    simulation.episode(completed(0))
    simulation.deploy(calls("scan", "report"))
    assert str(simulation.episode(completed(1)).error).startswith(
        "not deterministic: history has TaskScheduled train"
    )


def test_a_history_without_its_actions_raises() -> None:
    scheduled = event(Kind.TASK_SCHEDULED, BEGINNING, event_id=0, Name="scan")
    with pytest.raises(NotDeterministic, match="id 0"):
        Replay([], [started("null", BEGINNING), scheduled])


def call_entity(context: Any) -> Steps:
    yield context.call_entity(df.EntityId("counter", "one"), "get")


def signal_entity(context: Any) -> Steps:
    context.signal_entity(df.EntityId("counter", "one"), "add", 1)
    yield context.call_activity("next")


def call_http(context: Any) -> Steps:
    yield context.call_http("GET", "http://127.0.0.1/")


def call_sub_orchestrator_with_retry(context: Any) -> Steps:
    options = df.RetryOptions(first_retry_interval_in_milliseconds=10, max_number_of_attempts=3)
    yield context.call_sub_orchestrator_with_retry("child", options)


@pytest.mark.parametrize(
    "orchestrator", [call_entity, signal_entity, call_http, call_sub_orchestrator_with_retry]
)
def test_what_this_host_does_not_do_is_refused_by_name(orchestrator: Orchestrator) -> None:
    decision = first(orchestrator)
    assert decision.error == f"{orchestrator.__name__} is not supported by this host"
    assert decision.commands == []


def test_it_is_refused_within_a_group_too() -> None:
    def orchestrator(context: Any) -> Steps:
        yield context.task_all(
            [context.call_activity("a"), context.call_http("GET", "http://127.0.0.1/")]
        )

    assert first(orchestrator).error == "call_http is not supported by this host"


def test_a_scheduled_signal_is_refused() -> None:
    with pytest.raises(NotSupported, match="scheduled_signal_entity"):
        Replay([{"actionType": ActionType.SCHEDULED_SIGNAL_ENTITY}], [started("null", BEGINNING)])


def test_an_answer_in_the_old_schema_is_refused() -> None:
    assert "schema version" in str(decide({"isDone": False, "actions": [[], []]}, []).error)
