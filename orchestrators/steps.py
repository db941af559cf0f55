"""How orchestrators call activities: with retries for what was raised, and an exception for what was returned as failed."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, cast

import azure.durable_functions as df

from orchestrators.context import Context
from shared.errors import ErrorData

# Fixed intervals, as RetryOptions has no back-off in Python: for throttled storage and restarted workers.
RETRY = df.RetryOptions(first_retry_interval_in_milliseconds=5_000, max_number_of_attempts=6)

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


def succeeded(result: dict[str, Any]) -> dict[str, Any]:
    if result["status"] == "failed":
        raise RunFailed(cast(ErrorData, result["error"]))
    return result


def activity_error(activity: str, error: object) -> ErrorData:
    return {"code": "activity_failed", "message": f"{activity} kept failing: {error}", "details": []}
