"""The SDK and the replay give the same ids, whatever an orchestrator does.

A completion goes to the SDK under the id that the replay gave. If the two differed, a result would
reach another step, or none, of which the SDK warns.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

import azure.durable_functions as df
from hypothesis import given, settings
from hypothesis import strategies as st

from local.functions_host.durable.actions import Command
from local.functions_host.durable.events import Event, Kind
from tests.support.durable_simulation import (
    Simulation,
    Steps,
    child_completed,
    completed,
    failed,
    fired,
)

FAILED = "failed"


@dataclass(frozen=True)
class Call:
    """An activity, or a sub-orchestration, that fails this often; only activities are retried."""

    failures: int = 0
    attempts: int = 1
    is_child: bool = False

    @property
    def succeeds(self) -> bool:
        return self.failures < self.attempts


@dataclass(frozen=True)
class All:
    calls: tuple[Call, ...]


@dataclass(frozen=True)
class Race:
    """The first of some calls or a timer, which is cancelled if it loses."""

    calls: tuple[Call, ...]


@dataclass(frozen=True)
class Sleep:
    pass


Step = Call | All | Race | Sleep
plain = st.builds(Call, failures=st.integers(0, 1), is_child=st.booleans())
retried = st.builds(Call, failures=st.integers(0, 3), attempts=st.integers(2, 3))
# The SDK continues at the first failure of a group: a later retry in it would get another id
# than in the extension: groups hold plain calls, or calls that succeed in the end.
groups = st.one_of(
    st.lists(plain, min_size=1, max_size=4),
    st.lists(st.one_of(plain, retried).filter(lambda call: call.succeeds), min_size=1, max_size=4),
).map(lambda calls: All(tuple(calls)))
races = st.lists(plain, min_size=1, max_size=3).map(lambda calls: Race(tuple(calls)))
steps = st.lists(st.one_of(plain, retried, groups, races, st.just(Sleep())), max_size=6)


@given(steps=steps, random=st.randoms(use_true_random=False))
@settings(database=None)
def test_any_orchestrator_runs_to_its_end_with_the_results_of_its_own_calls(
    steps: list[Step], random: Random
) -> None:
    simulation = Simulation(lambda context: perform(context, steps))
    world = World(random)
    decision = simulation.start()
    while not decision.is_done:
        assert decision.error is None
        world.take(decision.commands)
        decision = simulation.episode(*world.answers())
    assert decision.output == [expected(number, step) for number, step in enumerate(steps)]


def perform(context: Any, steps: Iterable[Step]) -> Steps:
    """The orchestrator that takes these steps, and returns what came of each."""
    results: list[Any] = []
    for number, step in enumerate(steps):
        try:
            results.append((yield from _perform(context, step, number)))
        except Exception:
            results.append(FAILED)
    return results


def _perform(context: Any, step: Step, number: int) -> Steps:
    match step:
        case Call():
            return (yield _task(context, step, f"{number}"))
        case All(calls):
            return (yield context.task_all(_tasks(context, calls, number)))
        case Race(calls):
            timer = context.create_timer(context.current_utc_datetime + timedelta(hours=1))
            yield context.task_any([*_tasks(context, calls, number), timer])
            if not timer.is_completed:
                timer.cancel()
        case Sleep():
            yield context.create_timer(context.current_utc_datetime + timedelta(minutes=1))
    return None


def _tasks(context: Any, calls: Iterable[Call], number: int) -> list[Any]:
    return [_task(context, call, f"{number}.{position}") for position, call in enumerate(calls)]


def _task(context: Any, call: Call, label: str) -> Any:
    kind = "sub_orchestrator" if call.is_child else "activity"
    payload = {"label": label, "failures": call.failures}
    if call.attempts == 1:
        return getattr(context, f"call_{kind}")("work", payload)
    options = df.RetryOptions(
        first_retry_interval_in_milliseconds=1000, max_number_of_attempts=call.attempts
    )
    return context.call_activity_with_retry("work", options, payload)


def expected(number: int, step: Step) -> Any:
    match step:
        case Call():
            return f"{number}" if step.succeeds else FAILED
        case All(calls):
            labels = [f"{number}.{position}" for position in range(len(calls))]
            return labels if all(call.succeeds for call in calls) else FAILED
        case _:
            return None


class World:
    """Answer what was scheduled: some at a time, in any order, each call with its label."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._open: list[Command] = []
        self._attempts: dict[str, int] = {}
        self._next = 0

    def take(self, commands: Iterable[Command]) -> None:
        for command in commands:
            assert command.id == self._next, "ids have no gaps"
            self._next += 1
            self._open.append(command)

    def answers(self) -> list[Event]:
        assert self._open, "nothing is under way, and the orchestrator still waits"
        self._random.shuffle(self._open)
        count = self._random.randint(1, len(self._open))
        now = self._open[:count]
        self._open = self._open[count:]
        return [self._answer(command) for command in now]

    def _answer(self, command: Command) -> Event:
        if command.kind is Kind.TIMER_CREATED:
            return fired(command.id)
        call = json.loads(command.input)
        self._attempts[call["label"]] = attempt = self._attempts.get(call["label"], 0) + 1
        is_child = command.kind is Kind.SUB_CREATED
        if attempt <= call["failures"]:
            return {
                **failed(command.id),
                "EventType": int(Kind.SUB_FAILED if is_child else Kind.TASK_FAILED),
            }
        return (
            child_completed(command.id, call["label"])
            if is_child
            else completed(command.id, call["label"])
        )
