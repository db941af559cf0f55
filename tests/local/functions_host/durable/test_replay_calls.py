"""Activities, retries and sub-orchestrations: what is scheduled when, and by which id."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import azure.durable_functions as df

from local.functions_host.durable.events import Kind
from tests.support.durable_simulation import (
    Simulation,
    Steps,
    asked,
    child_completed,
    child_failed,
    completed,
    failed,
    fired,
    first,
)

TWICE = df.RetryOptions(first_retry_interval_in_milliseconds=1500, max_number_of_attempts=2)


def test_ids_are_given_in_order_of_scheduling() -> None:
    def orchestrator(context: Any) -> Steps:
        later = context.call_activity("later")
        sooner = yield context.call_activity("sooner")
        return [sooner, (yield later)]

    simulation = Simulation(orchestrator)
    assert asked(simulation.start()) == ["0 sooner"]
    assert asked(simulation.episode(completed(0, "a"))) == ["1 later"]
    ended = simulation.episode(completed(1, "b"))
    assert ended.is_done
    assert ended.output == ["a", "b"]


def test_what_was_scheduled_once_is_not_scheduled_again() -> None:
    def orchestrator(context: Any) -> Steps:
        yield context.call_activity("once")

    simulation = Simulation(orchestrator)
    simulation.start()
    assert asked(simulation.episode()) == []
    assert asked(simulation.episode()) == []


def test_inputs_travel_as_json_text() -> None:
    def orchestrator(context: Any) -> Steps:
        yield context.task_all(
            [
                context.call_activity("a", {"shards": [1, 2]}),
                context.call_sub_orchestrator("b", "text", "its-id"),
            ]
        )

    activity, child = first(orchestrator).commands
    assert (activity.kind, activity.input) == (Kind.TASK_SCHEDULED, '{"shards": [1, 2]}')
    assert (child.kind, child.input, child.instance_id) == (Kind.SUB_CREATED, '"text"', "its-id")


def test_a_fan_out_is_scheduled_at_once_and_its_results_keep_their_order() -> None:
    def orchestrator(context: Any) -> Steps:
        results = yield context.task_all(
            [context.call_activity("double", number) for number in range(3)]
        )
        return (yield context.call_activity("sum", results))

    simulation = Simulation(orchestrator)
    assert asked(simulation.start()) == ["0 double", "1 double", "2 double"]
    assert asked(simulation.episode(completed(2, 4))) == []
    [sum_up] = simulation.episode(completed(0, 0), completed(1, 2)).commands
    assert (sum_up.id, sum_up.input) == (3, "[0, 2, 4]")


def test_after_a_failure_in_a_fan_out_nothing_is_scheduled_until_the_rest_have_ended() -> None:
    def orchestrator(context: Any) -> Steps:
        try:
            yield context.task_all([context.call_activity("a"), context.call_activity("b")])
        except Exception:
            yield context.call_activity("clean_up")

    simulation = Simulation(orchestrator)
    simulation.start()
    assert asked(simulation.episode(failed(0))) == []
    assert asked(simulation.episode(completed(1))) == ["2 clean_up"]


def test_an_orchestrator_that_fails_beside_running_tasks_fails_when_they_have_ended() -> None:
    def orchestrator(context: Any) -> Steps:
        yield context.task_all([context.call_activity("a"), context.call_activity("b")])

    simulation = Simulation(orchestrator)
    simulation.start()
    assert asked(simulation.episode(failed(1))) == []
    assert "it broke" in str(simulation.episode(completed(0)).error)


def test_a_retry_comes_after_a_timer_and_its_success_ends_them() -> None:
    def orchestrator(context: Any) -> Steps:
        return (yield context.call_activity_with_retry("flaky", TWICE, 7))

    simulation = Simulation(orchestrator)
    assert asked(simulation.start()) == ["0 flaky"]
    [timer] = simulation.episode(failed(0)).commands
    assert (timer.id, timer.kind) == (1, Kind.TIMER_CREATED)
    assert timer.fire_at == simulation.now + timedelta(milliseconds=1500)
    [again] = simulation.episode(fired(1)).commands
    assert (again.id, again.name, again.input) == (2, "flaky", "7")
    assert simulation.episode(completed(2, "at last")).output == "at last"


def test_a_timer_follows_the_last_failure_too() -> None:
    def orchestrator(context: Any) -> Steps:
        try:
            yield context.call_activity_with_retry("broken", TWICE)
        except Exception as error:
            yield context.call_activity("report", str(error))

    simulation = Simulation(orchestrator)
    simulation.start()
    simulation.episode(failed(0))
    simulation.episode(fired(1))
    assert asked(simulation.episode(failed(2, "for good"))) == ["3 timer"]
    [report] = simulation.episode(fired(3)).commands
    assert (report.id, report.name) == (4, "report")
    assert "for good" in report.input


def test_retries_side_by_side_take_their_ids_as_they_come() -> None:
    def orchestrator(context: Any) -> Steps:
        calls = [context.call_activity_with_retry("flaky", TWICE, number) for number in range(2)]
        return (yield context.task_all(calls))

    simulation = Simulation(orchestrator)
    assert asked(simulation.start()) == ["0 flaky", "1 flaky"]
    assert asked(simulation.episode(failed(1), failed(0))) == ["2 timer", "3 timer"]
    assert [(command.id, command.input) for command in simulation.episode(fired(3)).commands] == [
        (4, "0")
    ]
    assert [(command.id, command.input) for command in simulation.episode(fired(2)).commands] == [
        (5, "1")
    ]
    assert simulation.episode(completed(5, "b"), completed(4, "a")).output == ["a", "b"]


def test_sub_orchestrations_give_a_result_or_an_exception() -> None:
    def orchestrator(context: Any) -> Steps:
        result = yield context.call_sub_orchestrator("good")
        try:
            yield context.call_sub_orchestrator("bad")
        except Exception as error:
            return [result, str(error)]

    simulation = Simulation(orchestrator)
    assert asked(simulation.start()) == ["0 good"]
    assert asked(simulation.episode(child_completed(0, 5))) == ["1 bad"]
    [result, error] = simulation.episode(child_failed(1, "no such shard")).output
    assert result == 5
    assert "no such shard" in error


def test_a_completion_that_comes_twice_counts_once() -> None:
    def orchestrator(context: Any) -> Steps:
        yield context.call_activity("a")
        yield context.call_activity("b")

    simulation = Simulation(orchestrator)
    simulation.start()
    simulation.episode(completed(0))
    assert asked(simulation.episode()) == []


def test_an_orchestrator_knows_what_it_does_for_the_first_time() -> None:
    logged: list[str] = []

    def orchestrator(context: Any) -> Steps:
        for step in ("a", "b", "c"):
            if not context.is_replaying:
                logged.append(step)
            yield context.call_activity(step)

    simulation = Simulation(orchestrator)
    simulation.start()
    for task in range(3):
        simulation.episode(completed(task))
    assert logged == ["a", "b", "c"]
