"""How orchestrators call activities and wait. The package's docstring says why it is done so."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar

import azure.durable_functions as df
from pydantic import BaseModel

from orchestrators.durable.context import Context, Task
from orchestrators.durable.edge import Steps
from shared.core.errors import ErrorCode, ErrorData
from shared.runs.wire import Activity, Failed, Orchestrator, to_wire

InputT = TypeVar("InputT", bound=BaseModel)
OutputT = TypeVar("OutputT", bound=BaseModel)

# Fixed intervals, because RetryOptions has no backoff in Python. They bridge throttled storage and
# restarted workers.
RETRY = df.RetryOptions(first_retry_interval_in_milliseconds=5_000, max_number_of_attempts=6)
LOOK_SECONDS = 600.0
"""A wait with no end of its own is renewed after so long: one timer lasts at most six days."""


class RunFailed(Exception):
    """A permanent failure that ends the orchestration."""

    def __init__(self, error: ErrorData) -> None:
        super().__init__(error["message"])
        self.error = error


def call(context: Context, activity: Activity[InputT, OutputT], payload: InputT) -> Steps[OutputT]:
    """Call an activity, with retries, and return its output. Raises RunFailed."""
    try:
        output = yield context.call_activity_with_retry(activity, RETRY, to_wire(payload))
    except Exception as error:  # Durable raises untyped exceptions
        raise RunFailed(activity_error(activity, error)) from None
    return successful(activity.parse(output))


def successful(output: OutputT | Failed) -> OutputT:
    """Return the output of an activity that succeeded. Raises RunFailed."""
    if isinstance(output, Failed):
        raise RunFailed(output.error)
    return output


@dataclass(frozen=True)
class SubOrchestration(Generic[OutputT]):
    """A sub-orchestration that was started."""

    name: Orchestrator[Any, OutputT]
    task: Task

    @property
    def is_completed(self) -> bool:
        return self.task.is_completed

    def output(self) -> OutputT:
        """Return its output once it is completed. Raises RunFailed if it raised."""
        if isinstance(self.task.result, Exception):
            raise RunFailed(activity_error(self.name, self.task.result))
        return self.name.parse(self.task.result)


def start(
    context: Context, name: Orchestrator[InputT, OutputT], payload: InputT, instance_id: str
) -> SubOrchestration[OutputT]:
    """Start a sub-orchestration."""
    task = context.call_sub_orchestrator(name, to_wire(payload), instance_id)
    return SubOrchestration(name, task)


def first_of(
    context: Context, tasks: list[Task], seconds: float = LOOK_SECONDS
) -> Steps[Task | None]:
    """Return the task that completes first, None if none does within `seconds`.

    None of the tasks may have retries of Durable's own.
    """
    timer = context.create_timer(context.current_utc_datetime + timedelta(seconds=seconds))
    winner = yield context.task_any([*tasks, timer])
    if not timer.is_completed:
        timer.cancel()
    return None if winner is timer else winner


def event_data(event: Task) -> Any:
    """Return the data of an external event that has arrived.

    The Python client encodes it twice, others once (Azure/azure-functions-durable-python#295).
    """
    data = event.result
    if not isinstance(data, str):
        return data
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return data


def activity_error(name: str, error: object) -> ErrorData:
    """Return the error of an activity or a sub-orchestration that kept raising."""
    message = f"{name} kept failing: {error}"
    return {"code": ErrorCode.ACTIVITY_FAILED, "message": message, "details": []}
