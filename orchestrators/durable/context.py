"""What our orchestrators use of `df.DurableOrchestrationContext`, typed.

The SDK's own types are partly missing. This is also the list of what another Durable SDK has to
provide.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

import azure.durable_functions as df


class Task(Protocol):
    """Something to yield. Of a task that failed, `result` is the exception."""

    @property
    def is_completed(self) -> bool: ...
    @property
    def result(self) -> Any: ...


class Timer(Task, Protocol):
    def cancel(self) -> None: ...


class Context(Protocol):
    deferred_tasks: dict[Any, Any]
    """Events that nobody waits for yet. Not public: early_events.py says why we replace it."""

    @property
    def current_utc_datetime(self) -> datetime: ...
    def get_input(self) -> Any: ...
    def set_custom_status(self, status: Any) -> None: ...
    def call_activity(self, name: str, input_: Any) -> Task: ...
    def call_activity_with_retry(
        self, name: str, retry_options: df.RetryOptions, input_: Any
    ) -> Task: ...
    def call_sub_orchestrator(self, name: str, input_: Any, instance_id: str) -> Task: ...
    def create_timer(self, fire_at: datetime) -> Timer: ...
    def wait_for_external_event(self, name: str) -> Task: ...
    def task_any(self, activities: list[Task]) -> Task: ...
    def continue_as_new(self, input_: Any) -> None: ...
