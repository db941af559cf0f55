"""How an episode ends: with a value, an exception, a new beginning, a custom status."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from local.functions_host.durable.episodes import read_answer
from tests.support.durable_simulation import BEGINNING, Simulation, Steps, asked, completed


def test_an_orchestrator_without_a_step_is_done_at_once() -> None:
    def orchestrator(context: Any) -> Any:
        return {"input": context.get_input()}

    ended = Simulation(orchestrator, input_="[1, 2]").start()
    assert ended.is_done
    assert ended.output == {"input": [1, 2]}


def test_input_in_the_form_of_an_object_reaches_the_orchestrator() -> None:
    def orchestrator(context: Any) -> Steps:
        return (yield context.call_activity(context.get_input()["name"]))

    assert asked(Simulation(orchestrator, {"name": "called"}).start()) == ["0 called"]


def test_an_exception_fails_the_orchestration_with_its_message() -> None:
    def orchestrator(context: Any) -> Steps:
        yield context.call_activity("a")
        raise RuntimeError("the dataset is empty")

    simulation = Simulation(orchestrator)
    simulation.start()
    ended = simulation.episode(completed(0))
    assert ended.error == "the dataset is empty"
    assert not ended.is_done


def test_a_result_that_is_no_json_fails_the_orchestration() -> None:
    def orchestrator(context: Any) -> Steps:
        yield context.call_activity("a")
        return object()

    simulation = Simulation(orchestrator)
    simulation.start()
    assert "not JSON serializable" in str(simulation.episode(completed(0)).error)


def test_the_custom_status_comes_along_with_whatever_is_decided() -> None:
    def orchestrator(context: Any) -> Steps:
        context.set_custom_status({"stage": "preparing"})
        yield context.call_activity("a")
        context.set_custom_status({"stage": "failing"})
        raise RuntimeError

    simulation = Simulation(orchestrator)
    assert simulation.start().custom_status == {"stage": "preparing"}
    ended = simulation.episode(completed(0))
    assert ended.custom_status == {"stage": "failing"}
    assert ended.error == "<class 'RuntimeError'>"


def test_a_new_beginning_takes_its_input_along() -> None:
    def orchestrator(context: Any) -> Steps:
        yield context.call_activity("a")
        context.continue_as_new({"round": 2})

    simulation = Simulation(orchestrator)
    simulation.start()
    decision = simulation.episode(completed(0))
    assert decision.continue_with == '{"round": 2}'
    assert not decision.is_done


def test_the_clock_of_an_orchestrator_is_that_of_its_history() -> None:
    seen: list[Any] = []

    def orchestrator(context: Any) -> Steps:
        seen.append(context.current_utc_datetime)
        yield context.call_activity("a")
        seen.append(context.current_utc_datetime)
        yield context.call_activity("b")

    simulation = Simulation(orchestrator)
    simulation.start()
    simulation.episode(completed(0))
    simulation.episode()
    begun = BEGINNING + timedelta(seconds=1)
    gone_on = BEGINNING + timedelta(seconds=2)
    assert seen == [begun, begun, gone_on, begun, gone_on]


def test_an_exception_without_an_answer_is_none_of_the_sdk() -> None:
    assert read_answer(ValueError("plain")) is None
    assert read_answer(ValueError("cut short\n\n$OutOfProcData$:{")) is None
