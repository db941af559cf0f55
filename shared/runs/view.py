"""The HTTP view of a run, made from Durable's status of its root instance."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TypedDict

from pydantic import BaseModel, ConfigDict, Field

from shared.core.counters import Counters
from shared.core.errors import ErrorCode, ErrorData
from shared.core.json_values import JsonObject, json_object
from shared.core.paths import Split
from shared.core.run_actions import RunAction
from shared.report.model import ReportExcerpt
from shared.runs.status import (
    NO_BUDGET,
    TERMINAL,
    InstanceState,
    RunProgress,
    RunState,
    RunStatus,
    cut,
)
from shared.runs.tombstones import Deletion
from shared.spec.models import BudgetSpec


class InstanceStatus(TypedDict, total=False):
    """Durable's status of an orchestration instance, as JSON data."""

    name: str
    instanceId: str
    runtimeStatus: str
    createdTime: str
    lastUpdatedTime: str
    input: object
    output: object
    customStatus: object


class _Identity(BaseModel):
    id: str
    status: RunState
    created: str | None = None
    """When the run was first asked for."""
    started: str | None = None
    """When its latest round began, by resume or at first."""
    updated: str | None = None
    dataset: str | None = None
    """Path of the training set."""
    elapsed_seconds: int | None = None
    """Of the latest round: until it ended, or until now."""
    rows_per_second: float | None = None
    """While the teacher is asked in the latest round, pauses included."""
    remaining_seconds: int | None = None
    """Until the teacher has been asked for everything, if the forecast and the pace hold."""


class QueuePlace(BaseModel):
    """Where a run waits."""

    place: int
    """1 is the next run."""
    waiting: int
    active: int
    """Runs at work."""


class DeletionView(BaseModel):
    """The deletion of a run that isn't complete."""

    requested: datetime
    dataset: bool
    """Whether the dataset is deleted, too."""
    error: ErrorData | None = None
    """Why it failed. If the run isn't `deleting`, it can be deleted again."""


class RunView(RunProgress, _Identity):
    """A run as the HTTP API shows it."""

    # of a run that has ended, if the app has a retention period
    deleted_after: datetime | None = None

    deletion: DeletionView | None = None

    # of a run that waits until fewer runs are at work
    queue: QueuePlace | None = None

    # rows of all splits by outcome; `not_asked` once the run has ended
    totals: dict[str, int] = Field(default_factory=dict[str, int])

    # who started and steered it; None in lists, and where that can't be read
    actions: list[RunAction] | None = None

    links: dict[str, str] = Field(default_factory=dict[str, str])


class ReportedRun(RunView):
    """A run and an excerpt of its report. The whole one is `report.json`."""

    report: ReportExcerpt | None


class StartedRun(RunView):
    """A run that was just started. Its links are fields, too: its own, and Durable's."""

    model_config = ConfigDict(extra="allow")

    self_link: str = Field(alias="self")
    cancel: str
    pause: str
    resume: str
    concurrency: str


TOTALS = ("rows", "accepted", "rejected", "not_needed", "not_asked")
NOT_COUNTED = "the rows were not counted: the run ended before its scan was complete"

# state of a run by the runtime status of its root instance; COMPLETED is refined by the outcome,
# RUNNING by the stage
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


def run_view(
    durable: InstanceStatus,
    links: Mapping[str, str],
    counters: Mapping[Split, Counters] | None = None,
    budget: BudgetSpec = NO_BUDGET,
) -> RunView:
    """Return the view of a run from Durable's status of its root instance.

    `counters` are newer than those of the status.
    """
    run_id = durable.get("instanceId", "")
    run_status = _run_status(durable, run_id)
    state = _run_state(durable.get("runtimeStatus"), run_status)
    if state is RunState.FAILED and run_status.error is None:
        message = cut(str(durable.get("output") or "the orchestration failed without a message"))
        run_status.error = {"code": ErrorCode.ORCHESTRATION, "message": message, "details": []}
    if counters:
        run_status.count(counters, budget)
    if state in TERMINAL:
        run_status.count_not_asked()
        run_status.warn([] if run_status.splits else [NOT_COUNTED])
    shown = run_status.model_dump(include=set(RunProgress.model_fields))
    request = _input(durable)
    return RunView(
        id=run_id,
        status=state,
        created=_text(request.get("created")) or durable.get("createdTime"),
        started=durable.get("createdTime"),
        updated=durable.get("lastUpdatedTime"),
        totals=_totals(run_status),
        dataset=_text(request.get("train")),
        links=dict(links),
        **_times(durable, state, run_status),
        **shown,
    )


def round_of(durable: InstanceStatus) -> int:
    """Return which round of a run its root instance is in, from Durable's status of it."""
    number = _input(durable).get("round")
    return number if isinstance(number, int) else 0


def _totals(run_status: RunStatus) -> dict[str, int]:
    splits = run_status.splits.values()
    return {
        name: sum(shown.get(name, 0) for shown in splits)
        for name in TOTALS
        if any(name in shown for shown in splits)
    }


def show_deletion(view: RunView, record: Deletion | None) -> None:
    """Show that a run is being deleted, or why it could not be, if there is such a record."""
    if record is None:
        return
    if not record.has_failed:
        view.status = RunState.DELETING
    view.deletion = DeletionView(
        requested=record.requested, dataset=bool(record.datasets), error=record.error
    )


def view_of_deletion(record: Deletion, links: Mapping[str, str]) -> RunView:
    """Return the view of a run of whose orchestration nothing is left."""
    task, _, _ = record.run_id.partition("-")
    view = RunView(
        id=record.run_id, status=RunState.DELETING, task=task, name="", links=dict(links)
    )
    show_deletion(view, record)
    return view


def ended_at(view: RunView) -> datetime | None:
    """Return when a run has ended, None if it hasn't."""
    return moment_of(view.updated) if view.status in TERMINAL else None


def show_retention(view: RunView, days: int | None) -> None:
    """Show when a run that has ended will be deleted, if ever."""
    ended = ended_at(view)
    if days is not None and ended is not None:
        view.deleted_after = ended + timedelta(days=days)


class _Times(TypedDict):
    elapsed_seconds: int | None
    rows_per_second: float | None
    remaining_seconds: int | None


def _times(durable: InstanceStatus, state: RunState, run_status: RunStatus) -> _Times:
    """Return how long the latest round takes, as far as it is known."""
    now = datetime.now(UTC)
    started = moment_of(durable.get("createdTime"))
    end = moment_of(durable.get("lastUpdatedTime")) if state in TERMINAL else now
    elapsed = round((end - started).total_seconds()) if started and end else None
    rate = run_status.rows_per_second
    remaining = None
    if state is RunState.RUNNING and run_status.stage == "generate":
        remaining = run_status.remaining_seconds(now)
    return {
        "elapsed_seconds": None if elapsed is None else max(0, elapsed),
        "rows_per_second": None if rate is None else round(rate, 2),
        "remaining_seconds": None if remaining is None else round(remaining),
    }


def moment_of(text: str | None) -> datetime | None:
    """Return a moment of Durable, whose texts are in UTC."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _run_status(durable: InstanceStatus, run_id: str) -> RunStatus:
    """Return the custom status, or one made from the input of a run that has set none yet."""
    custom_status = durable.get("customStatus")
    if isinstance(custom_status, dict):
        return RunStatus.model_validate(custom_status)
    request = _input(durable)
    task = request.get("task") or run_id.partition("-")[0]
    return RunStatus(task=str(task), name=str(request.get("name") or ""))


def _run_state(runtime_status: object, shown: RunStatus) -> RunState:
    """Return the state of a run. Unknown runtime statuses are treated as still running."""
    state = RunState.RUNNING
    for instance_state, run_state in RUN_STATES.items():
        if instance_state == runtime_status:
            state = run_state
    if state is RunState.COMPLETED and shown.outcome is not None:
        return RunState(shown.outcome)
    if state is RunState.RUNNING and shown.stage == "queue":
        return RunState.QUEUED
    return state


def _input(durable: InstanceStatus) -> JsonObject:
    """Return the orchestration's input. Durable gives that of a Python client as JSON text."""
    data = durable.get("input")
    if isinstance(data, str):
        try:
            data = json.loads(data)
        except ValueError:
            return {}
    return json_object(data) or {}
