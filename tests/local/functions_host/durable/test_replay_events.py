"""External events: who gets them, and those that come before anybody waits."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.support.durable_simulation import Simulation, Steps, asked, completed, fired, raised

early = pytest.mark.filterwarnings("ignore:Potential duplicate Task completion")


def test_an_event_brings_its_data_to_the_wait_of_its_name() -> None:
    def orchestrator(context: Any) -> Steps:
        approval = yield context.wait_for_external_event("approval")
        yield context.call_activity("publish", approval)

    simulation = Simulation(orchestrator)
    assert asked(simulation.start()) == []
    [publish] = simulation.episode(raised("approval", {"by": "me"})).commands
    assert (publish.id, publish.input) == (0, '{"by": "me"}')


@early
def test_an_event_of_another_name_moves_nothing() -> None:
    def orchestrator(context: Any) -> Steps:
        yield context.wait_for_external_event("approval")
        yield context.call_activity("publish")

    simulation = Simulation(orchestrator)
    simulation.start()
    assert asked(simulation.episode(raised("refusal"))) == []
    assert asked(simulation.episode(raised("approval"))) == ["0 publish"]


@early
def test_an_event_that_comes_early_is_kept_for_the_next_wait() -> None:
    def orchestrator(context: Any) -> Steps:
        yield context.call_activity("prepare")
        answer = yield context.wait_for_external_event("answer")
        yield context.call_activity("use", answer)

    simulation = Simulation(orchestrator)
    simulation.start()
    assert asked(simulation.episode(raised("answer", 42))) == []
    [use] = simulation.episode(completed(0)).commands
    assert (use.id, use.name, use.input) == (1, "use", "42")


@early
def test_an_early_event_is_given_to_one_wait_only() -> None:
    def orchestrator(context: Any) -> Steps:
        yield context.call_activity("prepare")
        yield context.wait_for_external_event("answer")
        yield context.task_any(
            [context.wait_for_external_event("answer"), context.call_activity("other")]
        )
        yield context.call_activity("next")

    simulation = Simulation(orchestrator)
    simulation.start()
    simulation.episode(raised("answer"))
    assert asked(simulation.episode(completed(0))) == ["1 other"]


def test_the_youngest_wait_gets_the_event() -> None:
    def orchestrator(context: Any) -> Steps:
        for number in range(2):
            wait = context.wait_for_external_event("stop")
            timer = context.create_timer(context.current_utc_datetime + timedelta(minutes=1))
            winner = yield context.task_any([wait, timer])
            if winner is wait:
                yield context.call_activity("stopped", number)

    simulation = Simulation(orchestrator)
    assert asked(simulation.start()) == ["0 timer"]
    assert asked(simulation.episode(fired(0))) == ["1 timer"]
    [stopped] = simulation.episode(raised("stop")).commands
    assert (stopped.id, stopped.input) == (2, "1")


def test_two_waits_of_one_name_take_two_events() -> None:
    def orchestrator(context: Any) -> Steps:
        answers = yield context.task_all(
            [context.wait_for_external_event("answer") for _ in range(2)]
        )
        return answers

    simulation = Simulation(orchestrator)
    simulation.start()
    assert asked(simulation.episode(raised("answer", "first"))) == []
    assert simulation.episode(raised("answer", "second")).output == ["second", "first"]


def test_waiting_takes_no_id() -> None:
    def orchestrator(context: Any) -> Steps:
        wait = context.wait_for_external_event("stop")
        yield context.task_any([context.call_activity("a"), wait, context.call_activity("b")])

    assert asked(Simulation(orchestrator).start()) == ["0 a", "1 b"]
