"""The HTTP view of a run, made from Durable's status of its root instance."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from shared.core.errors import ErrorCode
from shared.runs.status import InstanceState, JsonObject, Outcome, RunState, RunStatus, cut

RunView = JsonObject

# state of a run by the runtime status of its root instance; COMPLETED is refined by the outcome
RUN_STATES = {
    InstanceState.PENDING: RunState.PENDING,
    InstanceState.RUNNING: RunState.RUNNING,
    InstanceState.CONTINUED_AS_NEW: RunState.RUNNING,
    InstanceState.SUSPENDED: RunState.SUSPENDED,
    InstanceState.COMPLETED: RunState.COMPLETED,
    InstanceState.FAILED: RunState.FAILED,
    InstanceState.TERMINATED: RunState.TERMINATED,
    InstanceState.CANCELED: RunState.CANCELLED,
}


def initial_view(run_id: str, task: str, name: str) -> RunView:
    """Return the view of a run that was only just requested."""
    return _view(run_id, RunState.PENDING, RunStatus(task=task, name=name), None, None)


def run_view(durable: Mapping[str, Any], links: Mapping[str, str]) -> RunView:
    """Return the view of a run from Durable's status, as JSON data, of its root instance."""
    run_id = str(durable["instanceId"])
    run_status = _run_status(durable, run_id)
    state = _run_state(durable.get("runtimeStatus"), run_status.outcome)
    if state is RunState.FAILED and run_status.error is None:
        message = cut(str(durable.get("output") or "the orchestration failed without a message"))
        run_status.error = {"code": ErrorCode.ORCHESTRATION, "message": message, "details": []}
    created = durable.get("createdTime")
    updated = durable.get("lastUpdatedTime")
    view = _view(run_id, state, run_status, created, updated)
    return {**view, "links": dict(links)}


def _run_status(durable: Mapping[str, Any], run_id: str) -> RunStatus:
    """Return the custom status, or one made from the input of a run that has set none yet."""
    custom_status = durable.get("customStatus")
    if isinstance(custom_status, dict):
        return RunStatus.model_validate(custom_status)
    request = _input(durable)
    task = request.get("task") or run_id.partition("-")[0]
    return RunStatus(task=str(task), name=str(request.get("name") or ""))


def _run_state(runtime_status: object, outcome: Outcome | None) -> RunState:
    """Return the state of a run. Unknown runtime statuses are treated as still running."""
    for instance_state, run_state in RUN_STATES.items():
        if instance_state == runtime_status:
            is_refined = run_state is RunState.COMPLETED and outcome is not None
            return RunState(outcome) if is_refined else run_state
    return RunState.RUNNING


def _input(durable: Mapping[str, Any]) -> JsonObject:
    """Return the orchestration's input. Durable gives that of a Python client as JSON text."""
    data = durable.get("input")
    if isinstance(data, str):
        try:
            data = json.loads(data)
        except ValueError:
            return {}
    return cast(JsonObject, data) if isinstance(data, dict) else {}


def _view(
    run_id: str, state: RunState, run_status: RunStatus, created: Any, updated: Any
) -> dict[str, Any]:
    return {
        "id": run_id,
        "task": run_status.task,
        "name": run_status.name,
        "status": state,
        "stage": run_status.stage,
        "created": created,
        "updated": updated,
        "splits": run_status.splits,
        "parallel_shards": run_status.parallel_shards,
        "reasons": run_status.reasons,
        "answers": {split: answers.model_dump() for split, answers in run_status.answers.items()},
        "tokens": run_status.tokens,
        "requests": run_status.requests,
        "cost": run_status.cost,
        "estimate": run_status.estimate,
        "finetune": run_status.finetune,
        "students": run_status.students,
        "error": run_status.error,
        "warnings": run_status.warnings,
        "outputs": run_status.outputs,
    }
