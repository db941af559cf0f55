"""How orchestrators call activities and wait: what Durable 1.x demands of both, in one place.

The extension goes through an orchestrator's actions one after the other and waits for each; a `task_any` counts as one action
that holds only those of its tasks which were not scheduled before. When an earlier task wins such a race, the extension
still waits for the new ones and schedules nothing meanwhile. Hence two rules, which a test enforces:

- every wait for several tasks goes through `first_of`, whose timer ends the extension's wait when it is cancelled;
- calls with Durable's own retries are awaited alone (`call`): beside other tasks, the timers of their retries could get
  other ids in a replay, as a cancelled timer lets the extension run ahead of history.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from datetime import timedelta
from typing import Any, cast

import azure.durable_functions as df

from orchestrators.durable.context import Context, Task
from shared.core.errors import ErrorCode, ErrorData

# Fixed intervals, as RetryOptions has no back-off in Python: for throttled storage and restarted workers.
RETRY = df.RetryOptions(first_retry_interval_in_milliseconds=5_000, max_number_of_attempts=6)
LOOK_SECONDS = 600.0  # a wait without a time of its own is begun anew after so long; far below the six days of one timer

Steps = Generator[Any, Any, dict[str, Any]]


class RunFailed(Exception):
    """An activity returned a permanent failure, or the gate did."""

    def __init__(self, error: ErrorData) -> None:
        super().__init__(error["message"])
        self.error = error


def call(context: Context, activity: str, payload: dict[str, Any]) -> Steps:
    """Result of an activity. Raises RunFailed; an activity that keeps raising becomes one, too."""
    try:
        result = yield context.call_activity_with_retry(activity, RETRY, payload)
    except Exception as error:  # Durable hands over untyped exceptions
        raise RunFailed(activity_error(activity, error)) from None
    return succeeded(result)


def first_of(
    context: Context, tasks: list[Task], seconds: float = LOOK_SECONDS
) -> Generator[Any, Any, Task | None]:
    """The task that completes first, None when none has after `seconds`. None of them may have retries of Durable's."""
    timer = context.create_timer(context.current_utc_datetime + timedelta(seconds=seconds))
    winner = yield context.task_any([*tasks, timer])
    if not timer.is_completed:
        timer.cancel()
    return None if winner is timer else winner


def event_data(event: Task) -> Any:
    """What an external event that has arrived carries.

    The Python client encodes it twice, others once (Azure/azure-functions-durable-python#295).
    """
    data = event.result
    if not isinstance(data, str):
        return data
    try:
        return json.loads(data)
    except ValueError:
        return data


def succeeded(result: dict[str, Any]) -> dict[str, Any]:
    if result["status"] == "failed":
        raise RunFailed(cast(ErrorData, result["error"]))
    return result


def activity_error(activity: str, error: object) -> ErrorData:
    return {
        "code": ErrorCode.ACTIVITY_FAILED,
        "message": f"{activity} kept failing: {error}",
        "details": [],
    }
