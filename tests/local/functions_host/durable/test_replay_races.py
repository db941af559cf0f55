"""Timers and `task_any`: the extension waits for other things than the orchestrator."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from local.functions_host.durable.events import Kind
from tests.support.durable_simulation import (
    Simulation,
    Steps,
    asked,
    completed,
    failed,
    fired,
    first,
)


def test_a_timer_is_scheduled_for_its_time() -> None:
    def orchestrator(context: Any) -> Steps:
        yield context.create_timer(context.current_utc_datetime + timedelta(hours=2))
        return "woken"

    simulation = Simulation(orchestrator)
    [timer] = simulation.start().commands
    assert (timer.id, timer.kind) == (0, Kind.TIMER_CREATED)
    assert timer.fire_at == simulation.now + timedelta(hours=2)
    assert simulation.episode(fired(0)).output == "woken"


def test_a_timer_beyond_the_longest_of_storage_becomes_several() -> None:
    days: list[float] = []

    def orchestrator(context: Any) -> Steps:
        yield context.create_timer(context.current_utc_datetime + timedelta(days=7))
        return "woken"

    simulation = Simulation(orchestrator)
    decision = simulation.start()
    while not decision.is_done:
        [timer] = decision.commands
        assert timer.fire_at is not None
        days.append((timer.fire_at - simulation.now) / timedelta(days=1))
        simulation.now = timer.fire_at
        decision = simulation.episode(fired(timer.id))
    assert [round(length) for length in days] == [3, 4]
    assert decision.output == "woken"


def test_the_first_task_to_complete_wins_and_the_others_hold_nothing_up() -> None:
    def orchestrator(context: Any) -> Steps:
        fast = context.call_activity("fast")
        slow = context.call_activity("slow")
        winner = yield context.task_any([fast, slow])
        assert winner is fast
        yield context.call_activity("next")

    simulation = Simulation(orchestrator)
    assert asked(simulation.start()) == ["0 fast", "1 slow"]
    assert asked(simulation.episode(completed(0))) == ["2 next"]
    assert simulation.episode(completed(2)).is_done


def test_a_failure_wins_a_race_as_a_success_does() -> None:
    def orchestrator(context: Any) -> Steps:
        winner = yield context.task_any([context.call_activity("a"), context.call_activity("b")])
        return str(winner.result)

    simulation = Simulation(orchestrator)
    simulation.start()
    assert "it broke" in simulation.episode(failed(1)).output


def test_a_cancelled_timer_counts_as_completed() -> None:
    def orchestrator(context: Any) -> Steps:
        call = context.call_activity("call")
        timer = context.create_timer(context.current_utc_datetime + timedelta(hours=1))
        yield context.task_any([call, timer])
        timer.cancel()
        yield context.call_activity("next")
        return "over"

    simulation = Simulation(orchestrator)
    assert asked(simulation.start()) == ["0 call", "1 timer"]
    assert asked(simulation.episode(completed(0))) == ["2 next"]
    assert simulation.episode(completed(2)).output == "over"


def test_a_timer_that_is_cancelled_as_it_is_created_is_scheduled_all_the_same() -> None:
    def orchestrator(context: Any) -> Steps:
        timer = context.create_timer(context.current_utc_datetime + timedelta(hours=1))
        timer.cancel()
        yield context.task_any([timer, context.call_activity("call")])

    assert asked(first(orchestrator)) == ["0 timer", "1 call"]


def two_races(context: Any) -> Steps:
    """The second race takes a loser of the first along and adds a task."""
    a = context.call_activity("a")
    b = context.call_activity("b")
    yield context.task_any([a, b])
    yield context.task_any([b, context.call_activity("new")])
    yield context.call_activity("next")


def test_a_race_waits_for_its_new_task_even_when_an_earlier_one_wins() -> None:
    simulation = Simulation(two_races)
    assert asked(simulation.start()) == ["0 a", "1 b"]
    assert asked(simulation.episode(completed(0))) == ["2 new"]
    assert asked(simulation.episode(completed(1))) == []
    assert asked(simulation.episode(completed(2))) == ["3 next"]


def test_such_a_race_goes_on_when_the_new_task_wins() -> None:
    simulation = Simulation(two_races)
    simulation.start()
    simulation.episode(completed(0))
    assert asked(simulation.episode(completed(2))) == ["3 next"]


def test_an_orchestrator_that_returned_completes_only_after_the_new_task() -> None:
    def orchestrator(context: Any) -> Steps:
        a = context.call_activity("a")
        b = context.call_activity("b")
        yield context.task_any([a, b])
        yield context.task_any([b, context.call_activity("new")])
        return "over"

    simulation = Simulation(orchestrator)
    simulation.start()
    simulation.episode(completed(0))
    assert asked(simulation.episode(completed(1))) == []
    assert simulation.episode(completed(2)).output == "over"


def test_a_cancelled_timer_ends_the_wait_for_the_new_task() -> None:
    def orchestrator(context: Any) -> Steps:
        a = context.call_activity("a")
        b = context.call_activity("b")
        yield context.task_any([a, b])
        timer = context.create_timer(context.current_utc_datetime + timedelta(hours=1))
        yield context.task_any([b, context.call_activity("new"), timer])
        timer.cancel()
        yield context.call_activity("next")

    simulation = Simulation(orchestrator)
    simulation.start()
    assert asked(simulation.episode(completed(0))) == ["2 new", "3 timer"]
    assert asked(simulation.episode(completed(1))) == ["4 next"]
    assert simulation.episode(completed(4)).is_done


def test_a_race_of_groups_is_won_by_the_first_whole_group() -> None:
    def orchestrator(context: Any) -> Steps:
        pair = context.task_all([context.call_activity("a"), context.call_activity("b")])
        single = context.call_activity("c")
        winner = yield context.task_any([pair, single])
        return winner.result

    simulation = Simulation(orchestrator)
    assert asked(simulation.start()) == ["0 a", "1 b", "2 c"]
    assert asked(simulation.episode(completed(0, 1))) == []
    assert simulation.episode(completed(1, 2)).output == [1, 2]
