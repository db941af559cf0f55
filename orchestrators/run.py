"""distillation_run: the root. prepare → scan (→ reuse) → gate → preflight → generate → assemble → fine-tune → report.

It only sequences: every decision is a pure function in shared/, and what passes through its history are names and counts.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import azure.durable_functions as df

from activities.names import (
    ASSEMBLE_SPLIT,
    PREFLIGHT,
    PREPARE_RUN,
    READ_PROGRESS,
    REUSE_ANSWERS,
    SCAN_DATASET,
    WRITE_REPORT,
)
from orchestrators.durable.context import Context, Task
from orchestrators.durable.waiting import (
    RunFailed,
    Steps,
    activity_error,
    call,
    event_data,
    first_of,
    succeeded,
)
from orchestrators.finetune import FINETUNE
from orchestrators.generate import GENERATE_SPLIT
from orchestrators.scan import SCAN_RANGES
from shared.core.backoff import progress_interval
from shared.core.counters import Counters
from shared.core.errors import ErrorCode, ErrorData, Problem
from shared.core.ids import finetuning_id, generation_id, scanning_id
from shared.dataset.rejection import RejectionReason
from shared.generation.answer_cache import nothing_reused
from shared.generation.success_ratio import max_rejected
from shared.runs.gates import after_generation, after_scan, during_generation, expected_usage
from shared.runs.status import RunStatus, Stage
from shared.spec.budget import Usage
from shared.spec.models import RunSpec, StudentSpec, parse_spec

DISTILLATION_RUN = "distillation_run"
CANCEL = "cancel"
CONCURRENCY = "concurrency"
JOB_CHANGED = "finetune"
RANGES_AT_ONCE = 4  # scanned by one activity: a minute or two
JOB_LOOK_SECONDS = (
    6 * 3600.0
)  # a job of two weeks is 56 looks; whatever happens to it comes as an event

bp = df.Blueprint()


class RunCancelled(Exception):
    """The user cancelled the run."""


@bp.orchestration_trigger(context_name="context", orchestration=DISTILLATION_RUN)
def distillation_run(context: Context) -> Generator[Any, Any, dict[str, Any]]:
    """RunRequest → summary of a run that completed or was cancelled. Raises when it failed, so that Durable says Failed."""
    run = _Run(context)
    try:
        yield from run.stages()
        run.status.outcome = "completed"
    except RunCancelled:
        run.status.outcome, run.status.stopping = "cancelled", True
    except RunFailed as failure:
        run.status.fail(failure.error)
    yield from run.report()
    if run.status.outcome == "failed" and run.status.error is not None:
        raise Exception(run.status.error["message"])
    return {"run_id": run.run_id, "status": run.status.outcome, "outputs": run.status.outputs}


class _Run:
    """One execution of the root: its status, and a generator for every stage."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.request: dict[str, Any] = context.get_input()
        self.run_id: str = self.request["run_id"]
        self.round: int = self.request.get("round", 0)
        self.status = RunStatus(task=self.request["task"], name=self.request["name"])
        self.splits: list[str] = []
        self.ranges: dict[str, int] = {}
        self.scans: dict[str, Any] = {}
        self.has_validation = False
        self.failure: RunFailed | None = None
        self.cancelled = context.wait_for_external_event(CANCEL)
        self.steered = context.wait_for_external_event(CONCURRENCY)

    def stages(self) -> Generator[Any, Any, None]:
        yield from first_of(
            self.context, [self.cancelled, self.steered], seconds=0
        )  # from now on both are heard at once
        spec = yield from self.prepare()
        yield from self.scan(spec)
        checked = yield from self.call(PREFLIGHT, "preflight", {})
        self.status.warnings += checked.get("warnings", [])  # histories of before have none
        yield from self.generate(spec)
        yield from self.assemble(spec)
        yield from self.finetune(spec)

    @property
    def asked(self) -> dict[str, int]:
        """Rows by split that the teacher is asked for, as the scan counted them."""
        return {split: found["valid"] for split, found in self.scans.items()}

    def prepare(self) -> Generator[Any, Any, RunSpec]:
        prepared = yield from self.call(PREPARE_RUN, "prepare", self.request)
        self.splits = sorted(prepared["etags"])
        self.ranges = prepared.get("ranges", {})  # histories of before have none
        self.status.warnings = prepared["warnings"]
        return parse_spec(prepared["spec"])

    def scan(self, spec: RunSpec) -> Generator[Any, Any, None]:
        if sum(self.ranges.values()) > RANGES_AT_ONCE:
            scanned = yield from self.scan_ranges()
        else:
            scanned = yield from self.call(
                SCAN_DATASET, "scan", {"splits": self.splits, "round": self.round}
            )
        self.scans = scanned["splits"]
        for split, found in self.scans.items():
            self.status.plan(split, found["rows"], found["shards"])
        if spec.reuse:
            yield from self.reuse(spec, spec.reuse)
        self.status.expect(expected_usage(self.scans), spec.budget)
        problem = after_scan(spec, self.scans)
        if problem:
            raise RunFailed(problem)

    def scan_ranges(self) -> Steps:
        """Large inputs, by several activities. A cancellation meanwhile is minded afterwards: a scan takes minutes."""
        self.enter("scan")
        self.check_cancelled()
        work = {
            "run_id": self.run_id,
            "ranges": self.ranges,
            "round": self.round,
            "step": 0,
            "first": 0,
        }
        scanning = self.context.call_sub_orchestrator(SCAN_RANGES, work, scanning_id(self.run_id))
        while not scanning.is_completed:
            yield from first_of(self.context, [scanning])
        if isinstance(scanning.result, Exception):
            raise RunFailed(activity_error(SCAN_RANGES, scanning.result))
        return succeeded(scanning.result)

    def reuse(self, spec: RunSpec, earlier: str) -> Generator[Any, Any, None]:
        """Answers of an earlier run into the journals, many shards at a time; the estimate is of what they leave to ask for."""
        reused = keyless = 0
        for split, found in self.scans.items():
            usage, first = Usage(), 0
            while first < found["shards"]:
                work = {"split": split, "first": first, "round": self.round}
                seeded = yield from self.call(REUSE_ANSWERS, "reuse", work)
                usage.add(Usage.model_validate(seeded["estimate"]))
                reused, keyless, first = (
                    reused + seeded["reused"],
                    seeded["keyless"],
                    seeded["next"],
                )
            found["estimate"] = usage.model_dump()
        if not reused:
            self.status.warnings.append(nothing_reused(earlier, keyless))
        yield from self.read_progress(spec)

    def generate(self, spec: RunSpec) -> Generator[Any, Any, None]:
        """Train and validation side by side. Progress is looked up ever more seldom, so that history stays bounded."""
        self.enter("generate")
        self.check_cancelled()
        self.steer()
        began = self.context.current_utc_datetime
        every = running = {split: self.generate_split(spec, split) for split in self.splits}
        while running:
            elapsed = (self.context.current_utc_datetime - began).total_seconds()
            awaited = [*running.values(), *self.listening(), self.steered]
            yield from first_of(self.context, awaited, progress_interval(elapsed))
            self.steer()
            self.note_stopping(running)
            running = {split: task for split, task in running.items() if not task.is_completed}
            by_split = yield from self.read_progress(spec)
            error = during_generation(spec, by_split, self.asked, self.round)
            if error and self.failure is None:
                self.failure = RunFailed(error)
                self.note_stopping(running)
        self.status.warnings += [
            warning for split, task in every.items() for warning in lost_shards(split, task.result)
        ]
        self.check_cancelled()
        if self.failure:
            raise self.failure

    def steer(self) -> None:
        """The user wants other numbers of shards at a time: running shards tell those that launch them."""
        if self.steered.is_completed:
            wanted = event_data(self.steered)
            self.status.parallel_shards = (
                wanted if isinstance(wanted, int) else self.status.parallel_shards
            )
            self.steered = self.context.wait_for_external_event(CONCURRENCY)
            self.publish()

    def note_stopping(self, running: dict[str, Task]) -> None:
        """Tell running activities, through the custom status, when one split has failed or the user has cancelled."""
        for task in running.values():
            if task.is_completed and self.failure is None:
                self.failure = _failure(task.result)
        if self.failure or self.cancelled.is_completed:
            self.status.stopping = True
            self.publish()

    def generate_split(self, spec: RunSpec, split: str) -> Task:
        work = {
            "run_id": self.run_id,
            "split": split,
            "first": 0,
            "shards": self.scans[split]["shards"],
            "parallel": self.status.parallel_shards or spec.generation.parallel_shards,
            "max_rejected": max_rejected(spec, self.asked[split]),
            "round": self.round,
        }
        return self.context.call_sub_orchestrator(
            GENERATE_SPLIT, work, generation_id(self.run_id, split)
        )

    def read_progress(self, spec: RunSpec) -> Generator[Any, Any, dict[str, Counters]]:
        """The counts by split. A look that fails is no reason to end a run, as the next one may succeed: no counts."""
        try:
            read = yield from call(
                self.context, READ_PROGRESS, {"run_id": self.run_id, "splits": self.splits}
            )
        except RunFailed:
            return {}
        by_split = {
            split: Counters.model_validate(counters) for split, counters in read["splits"].items()
        }
        self.status.count(by_split, spec.budget)
        self.publish()
        return by_split

    def assemble(self, spec: RunSpec) -> Generator[Any, Any, None]:
        by_split: dict[str, Counters] = {}
        for split in self.splits:
            work = {"split": split, "shards": self.scans[split]["shards"]}
            assembled = yield from self.call(ASSEMBLE_SPLIT, "assemble", work)
            while assembled["status"] == "unfinished":
                assembled = yield from self.call(ASSEMBLE_SPLIT, "assemble", work)
            by_split[split] = Counters.model_validate(assembled["counters"])
        self.status.count(by_split, spec.budget)
        self.has_validation = "validation" in self.splits or by_split["train"].held_out > 0
        problem = after_generation(spec, by_split, self.asked)
        if problem:
            raise RunFailed(problem)

    def finetune(self, spec: RunSpec) -> Generator[Any, Any, None]:
        """A sub-orchestration a student, which sends an event whenever its job's status changes. It sees `stopping` by itself."""
        self.enter("finetune")
        self.check_cancelled()
        if len(spec.students) > 1:
            self.status.students = [
                {"student": student.model, "status": "queued"} for student in spec.students
            ]
        jobs = [self.train(student, number) for number, student in enumerate(spec.students)]
        changed = self.context.wait_for_external_event(JOB_CHANGED)
        while not all(job.is_completed for job in jobs):
            running = [job for job in jobs if not job.is_completed]
            yield from first_of(
                self.context, [*running, changed, *self.listening()], JOB_LOOK_SECONDS
            )
            if changed.is_completed:
                self.status.train(event_data(changed))
                changed = self.context.wait_for_external_event(JOB_CHANGED)
            self.status.stopping = self.cancelled.is_completed
            self.publish()
        self.conclude([job.result for job in jobs])

    def train(self, student: StudentSpec, number: int) -> Task:
        work = {
            "run_id": self.run_id,
            "student": number,
            "splits": ["train", "validation"] if self.has_validation else ["train"],
            "max_hours": student.max_hours,
            "max_silent_minutes": student.max_silent_minutes,
            "round": self.round,
        }
        return self.context.call_sub_orchestrator(
            FINETUNE, work, finetuning_id(self.run_id, number)
        )

    def conclude(self, results: list[Any]) -> None:
        """How the fine-tuning of all students ended: one that failed fails the run, when all have ended."""
        outcomes = [training_outcome(result) for result in results]
        for number, outcome in enumerate(outcomes):
            if outcome["job"]:
                self.status.train({**outcome["job"], "student": number})
            self.status.warnings += outcome.get("warnings", [])
        if any(outcome["status"] == "cancelled" for outcome in outcomes):
            raise RunCancelled
        failed = [outcome["error"] for outcome in outcomes if outcome["status"] == "failed"]
        if failed:
            raise RunFailed(
                failed[0] if len(outcomes) == 1 else some_students_failed(failed, len(outcomes))
            )

    def report(self) -> Generator[Any, Any, None]:
        """Written for every run that was prepared, however it ended."""
        outcome = self.status.outcome
        if not self.splits:
            self.enter("done")
            return
        self.enter("report")
        work = {
            "run_id": self.run_id,
            "splits": self.splits,
            "outcome": outcome,
            "status": self.status.custom_status(),
            "finished": self.context.current_utc_datetime.isoformat(),
            "round": self.round,
        }
        try:
            written = yield from call(self.context, WRITE_REPORT, work)
            self.status.outputs = written["outputs"]
        except RunFailed as failure:
            if self.status.error is None:
                self.status.fail(failure.error)
        self.enter("done")

    def call(self, activity: str, stage: Stage, payload: dict[str, Any]) -> Steps:
        """One stage of one activity; a cancelled run does not begin another."""
        self.enter(stage)
        self.check_cancelled()
        return (yield from call(self.context, activity, {**payload, "run_id": self.run_id}))

    def listening(self) -> list[Task]:
        """The wait for the user's cancellation, until it has come."""
        return [] if self.cancelled.is_completed else [self.cancelled]

    def check_cancelled(self) -> None:
        """Raises RunCancelled."""
        if self.cancelled.is_completed:
            raise RunCancelled

    def enter(self, stage: Stage) -> None:
        self.status.stage = stage
        self.publish()

    def publish(self) -> None:
        self.context.set_custom_status(self.status.custom_status())


def training_outcome(result: Any) -> dict[str, Any]:
    """What a finished fine-tuning sub-orchestration returned; the result of one that failed is its exception."""
    if isinstance(result, Exception):
        return {"status": "failed", "error": activity_error(FINETUNE, result), "job": None}
    return result


def some_students_failed(errors: list[ErrorData], students: int) -> ErrorData:
    """One error of those of several students; the others are trained all the same."""
    details: list[Problem] = [{"where": "student", "problem": error["message"]} for error in errors]
    message = f"the fine-tuning of {len(errors)} of {students} students failed; resume the run to train those again"
    return {"code": ErrorCode.FINETUNING, "message": message, "details": details}


def lost_shards(split: str, result: Any) -> list[str]:
    """What the user is told of shards that failed for good, of a sub-orchestration's result."""
    lost: dict[str, str] = {} if isinstance(result, Exception) else result.get("lost", {})
    return [
        f"shard {number} of {split} failed, its rows are rejected as {RejectionReason.SHARD_FAILED}: {why}"
        for number, why in lost.items()
    ]


def _failure(result: Any) -> RunFailed | None:
    """The failure in a finished sub-orchestration's result, if it is one."""
    if isinstance(result, Exception):
        return RunFailed(activity_error(GENERATE_SPLIT, result))
    return RunFailed(result["error"]) if result["status"] == "failed" else None
