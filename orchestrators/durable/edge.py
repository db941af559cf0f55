"""The edge of an orchestrator: Durable's JSON becomes a model, and a model becomes JSON."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from orchestrators.durable.context import Context
from orchestrators.durable.early_events import EarlyEvents
from shared.core.errors import ErrorCode, PermanentError
from shared.core.json_values import JsonObject
from shared.runs.wire import Orchestrator, to_wire

InputT = TypeVar("InputT", bound=BaseModel)
OutputT = TypeVar("OutputT", bound=BaseModel)
StepT = TypeVar("StepT")

Steps = Generator[Any, Any, StepT]
"""A generator that yields Durable's tasks and returns a value."""


@dataclass(frozen=True)
class ContinueAsNew(Generic[InputT]):
    """What an orchestrator returns to be started again, with this input and an empty history."""

    input: InputT


def implements(
    name: Orchestrator[InputT, OutputT], instance_id: Callable[[InputT], str]
) -> Callable[
    [Callable[[Context, InputT], Steps[OutputT | ContinueAsNew[InputT]]]],
    Callable[[Context], Steps[JsonObject | None]],
]:
    """Give an orchestrator its input as a model, and hand over its output as JSON.

    `instance_id` returns the only id under which it may work at its input. Durable's restart starts
    a copy under another one, which would write to the same folder beside the run itself.
    """

    def decorate(
        body: Callable[[Context, InputT], Steps[OutputT | ContinueAsNew[InputT]]],
    ) -> Callable[[Context], Steps[JsonObject | None]]:
        def orchestrator(context: Context) -> Steps[JsonObject | None]:
            context.deferred_tasks = EarlyEvents()
            request = name.takes.model_validate(context.get_input())
            _check_instance(context.instance_id, instance_id(request))
            output = yield from body(context, request)
            if isinstance(output, ContinueAsNew):
                context.continue_as_new(to_wire(output.input))
                return None
            return to_wire(output)

        orchestrator.__name__ = body.__name__
        orchestrator.__doc__ = body.__doc__
        return orchestrator

    return decorate


def _check_instance(instance_id: str, expected: str) -> None:
    """Raise PermanentError if the orchestration is a copy."""
    if instance_id != expected:
        raise PermanentError(
            f"{instance_id} isn't {expected}, whose work it would do a second time: to repeat a "
            "run, POST /api/runs/{id}/resume, or start a new run",
            code=ErrorCode.ORCHESTRATION,
        )
