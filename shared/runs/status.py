"""What users see of a run: the root orchestration's custom status (counters only, far below 16 KB) and the HTTP view of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Literal, cast

from pydantic import BaseModel, Field

from shared.core.counters import Counters
from shared.core.errors import ErrorCode, ErrorData, Problem
from shared.core.paths import Split
from shared.finetuning.base import JobState
from shared.spec.budget import Usage, cost
from shared.spec.models import BudgetSpec, StudentSpec

NO_BUDGET = BudgetSpec()
Stage = Literal[
    "prepare", "scan", "reuse", "preflight", "generate", "assemble", "finetune", "report", "done"
]
Outcome = Literal["completed", "failed", "cancelled"]
MAX_ERROR_CHARACTERS = 2000
MAX_DETAILS = 20
MAX_STATUS_BYTES = (
    16 * 1024
)  # of the JSON as UTF-16: the Durable extension fails an orchestration that sets more
SHORTER = (500, 100, 20)  # characters that each text may still have, tried in turn


class RunState(StrEnum):
    """Status of a run, as users see it."""

    PENDING = "pending"
    RUNNING = "running"
    SUSPENDED = "suspended"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TERMINATED = "terminated"


TERMINAL = frozenset({RunState.COMPLETED, RunState.FAILED, RunState.CANCELLED, RunState.TERMINATED})


class InstanceState(StrEnum):
    """Runtime status of an orchestration instance, as Durable names it."""

    PENDING = "Pending"
    RUNNING = "Running"
    CONTINUED_AS_NEW = "ContinuedAsNew"
    SUSPENDED = "Suspended"
    COMPLETED = "Completed"
    FAILED = "Failed"
    TERMINATED = "Terminated"
    CANCELED = "Canceled"

    @classmethod
    def is_over(cls, status: object) -> bool:
        """Return whether an instance with this status has ended."""
        return status in (cls.COMPLETED, cls.FAILED, cls.TERMINATED, cls.CANCELED)

    @classmethod
    def is_active(cls, status: object) -> bool:
        """Return whether an instance with this status still runs, waits or is suspended."""
        return status in (cls.RUNNING, cls.PENDING, cls.SUSPENDED)


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
STAGES_WITH_SHARDS: tuple[Stage, ...] = (
    "prepare",
    "scan",
    "reuse",
    "preflight",
    "generate",
)  # yet to be answered


class RunStatus(BaseModel):
    """Custom status of a run. `stopping` tells running activities that the run was cancelled or has failed."""

    task: str
    name: str
    stage: Stage = "prepare"
    outcome: Outcome | None = None
    stopping: bool = False
    splits: dict[str, dict[str, int]] = Field(default_factory=dict[str, dict[str, int]])
    parallel_shards: int | None = None  # of each split at a time, where the user has changed it
    reasons: dict[str, dict[str, int]] = Field(
        default_factory=dict[str, dict[str, int]]
    )  # of rejected rows, by split
    tokens: dict[str, int] = Field(default_factory=lambda: {"prompt": 0, "completion": 0})
    requests: int = 0
    cost: float | None = None  # in the currency of the prices, where the specification gives them
    estimate: dict[str, float | int | None] | None = (
        None  # made by the scan, before the teacher is asked
    )
    finetune: dict[str, Any] | None = (
        None  # the job of the student; of the first one where there are several
    )
    students: list[dict[str, Any]] = Field(
        default_factory=list[dict[str, Any]]
    )  # where there are several: each one's job
    error: ErrorData | None = None
    warnings: list[str] = Field(default_factory=list[str])
    outputs: dict[str, str] = Field(default_factory=dict[str, str])

    def expect_students(self, students: Sequence[StudentSpec]) -> None:
        """Show several students as waiting for their training."""
        if len(students) > 1:
            self.students = [{"student": student.model, "status": "queued"} for student in students]

    def show_job(self, job: JobState, student: int) -> None:
        """Show the job of the student of this number."""
        view = job.model_dump(mode="json")
        if student == 0:
            self.finetune = view
        if student < len(self.students):
            self.students[student] = {"student": self.students[student].get("student"), **view}

    def count(self, by_split: Mapping[Split, Counters], budget: BudgetSpec = NO_BUDGET) -> None:
        """Take over the counts; rows and shards of a split stay as planned."""
        for split, counters in by_split.items():
            self.splits[split] |= {
                "done": counters.done,
                "accepted": counters.accepted,
                "rejected": counters.rejected_rows,
                "shards_done": counters.shards_done,
            }
            if counters.held_out:
                self.splits[split]["held_out"] = counters.held_out
            if counters.reused:
                self.splits[split]["reused"] = counters.reused
            self.reasons[split] = dict(counters.rejected)
        self.tokens = {
            "prompt": sum(counters.prompt_tokens for counters in by_split.values()),
            "completion": sum(counters.completion_tokens for counters in by_split.values()),
        }
        self.requests = sum(counters.requests for counters in by_split.values())
        used = Usage(
            requests=self.requests,
            prompt_tokens=self.tokens["prompt"],
            completion_tokens=self.tokens["completion"],
        )
        self.cost = cost(used, budget)

    def expect(self, usage: Usage, budget: BudgetSpec) -> None:
        """Note what the run is expected to use."""
        self.estimate = {**usage.model_dump(), "cost": cost(usage, budget)}

    def plan(self, split: str, rows: int, shards: int) -> None:
        self.splits[split] = {
            "rows": rows,
            "done": 0,
            "accepted": 0,
            "rejected": 0,
            "shards": shards,
            "shards_done": 0,
        }

    def fail(self, error: ErrorData) -> None:
        """Note why the run ends; long messages are cut so that the status stays small."""
        self.error = _cut_error(
            {**error, "details": error["details"][:MAX_DETAILS]}, MAX_ERROR_CHARACTERS
        )
        self.outcome, self.stopping = "failed", True

    def custom_status(self) -> dict[str, Any]:
        """What Durable is given, at most 16 KB: texts that others wrote are cut ever shorter until it fits."""
        shown = self.model_dump(mode="json")
        for characters in SHORTER:
            if (
                len(json.dumps(shown, ensure_ascii=False).encode("utf-16-le", "surrogatepass"))
                <= MAX_STATUS_BYTES
            ):
                break
            shown = self._shortened(characters).model_dump(mode="json")
        return shown

    def _shortened(self, characters: int) -> RunStatus:
        job = self.finetune
        shorter: dict[str, Any] = {
            "name": _cut(self.name, characters),
            "error": _cut_error(self.error, characters) if self.error else None,
            "finetune": _cut_job(job, characters) if job else job,
            "students": [_cut_job(one, characters) for one in self.students],
            "warnings": [_cut(warning, characters) for warning in self.warnings],
        }
        return self.model_copy(update=shorter)


def initial_view(run_id: str, task: str, name: str) -> dict[str, Any]:
    """The HTTP view of a run that was only just asked for."""
    return _view(run_id, RunState.PENDING, RunStatus(task=task, name=name), None, None)


def run_view(durable: Mapping[str, Any], links: Mapping[str, str]) -> dict[str, Any]:
    """The HTTP view of a run from Durable's status JSON of its root instance."""
    run_id = str(durable["instanceId"])
    custom = durable.get("customStatus")
    given = _input(durable)
    state = RunStatus(
        task=str(given.get("task") or run_id.partition("-")[0]), name=str(given.get("name") or "")
    )
    if isinstance(custom, dict):
        state = RunStatus.model_validate(custom)
    status = _run_state(durable.get("runtimeStatus"), state.outcome)
    if status is RunState.FAILED and state.error is None:
        output = _cut(str(durable.get("output") or "the orchestration failed"))
        state.error = {"code": ErrorCode.ORCHESTRATION, "message": output, "details": []}
    view = _view(run_id, status, state, durable.get("createdTime"), durable.get("lastUpdatedTime"))
    return {**view, "links": dict(links)}


def _run_state(runtime: object, outcome: Outcome | None) -> RunState:
    """Return the state of a run; a runtime status that isn't known is treated as running."""
    for instance_state, run_state in RUN_STATES.items():
        if instance_state == runtime:
            is_refined = run_state is RunState.COMPLETED and outcome is not None
            return RunState(outcome) if is_refined else run_state
    return RunState.RUNNING


def _input(durable: Mapping[str, Any]) -> dict[str, Any]:
    """The orchestration's input; Durable gives that of a Python client as JSON text."""
    given = durable.get("input")
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError:
            return {}
    return cast(dict[str, Any], given) if isinstance(given, dict) else {}


def _view(
    run_id: str, status: RunState, state: RunStatus, created: Any, updated: Any
) -> dict[str, Any]:
    return {
        "id": run_id,
        "task": state.task,
        "name": state.name,
        "status": status,
        "stage": state.stage,
        "created": created,
        "updated": updated,
        "splits": state.splits,
        "parallel_shards": state.parallel_shards,
        "reasons": state.reasons,
        "tokens": state.tokens,
        "requests": state.requests,
        "cost": state.cost,
        "estimate": state.estimate,
        "finetune": state.finetune,
        "students": state.students,
        "error": state.error,
        "warnings": state.warnings,
        "outputs": state.outputs,
    }


def _cut_job(job: dict[str, Any], characters: int) -> dict[str, Any]:
    return {**job, "message": _cut(job["message"], characters)} if job.get("message") else job


def _cut_error(error: ErrorData, characters: int) -> ErrorData:
    details: list[Problem] = [
        {
            "where": _cut(problem["where"], characters),
            "problem": _cut(problem["problem"], characters),
        }
        for problem in error["details"]
    ]
    return {
        "code": error["code"],
        "message": _cut(error["message"], characters),
        "details": details,
    }


def _cut(text: str, characters: int = MAX_ERROR_CHARACTERS) -> str:
    return text if len(text) <= characters else f"{text[: characters - 1]}…"
