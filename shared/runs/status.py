"""Status of a run: its states, and the custom status of its root orchestration.

The custom status holds counters and short texts only: the Durable extension fails an orchestration
that sets more than 16 KB.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, Field

from shared.core.counters import Counters, total
from shared.core.errors import ErrorData, Problem
from shared.core.paths import ASKED_SPLITS, Split
from shared.finetuning.base import JobState, JobStatus
from shared.report.agreement import Agreement, agreement_of
from shared.scan.answer_sets import AnswerSets
from shared.scan.plan import SplitScan
from shared.spec.budget import Estimate, Usage, cost, priced
from shared.spec.models import BudgetSpec, StudentSpec
from shared.teacher.budget import Unrecorded

NO_BUDGET = BudgetSpec()
Stage = Literal[
    "prepare",
    "scan",
    "reuse",
    "queue",
    "preflight",
    "generate",
    "assemble",
    "finetune",
    "report",
    "done",
]
Outcome = Literal["completed", "failed", "cancelled"]
MAX_ERROR_CHARACTERS = 2000
MAX_DETAILS = 20
# of the JSON text as UTF-16
MAX_STATUS_BYTES = 16 * 1024
# characters that each text may keep, tried in turn
SHORTER = (500, 100, 20)
# of a job's names and its address, which are of no use if they are shorter than they should be
MAX_NAME_CHARACTERS = 100
MAX_URL_CHARACTERS = 400
CHARACTERS_OF_AN_ENTRY = 5  # a job shows 100, 20 and 4 metrics and warnings
JobT = TypeVar("JobT", bound=JobState)


class RunState(StrEnum):
    """Status of a run, as users see it."""

    PENDING = "pending"
    RUNNING = "running"
    QUEUED = "queued"
    SUSPENDED = "suspended"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TERMINATED = "terminated"
    DELETING = "deleting"


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


STAGES: tuple[Stage, ...] = get_args(Stage)
# in which shards are yet to be answered
STAGES_WITH_SHARDS = STAGES[: STAGES.index("generate") + 1]


class _OneOfStudents(BaseModel):
    student: str | None
    """Asset id or name of the model."""


class WaitingStudent(_OneOfStudents):
    """A student of several whose training has not begun."""

    status: Literal[JobStatus.QUEUED] = JobStatus.QUEUED


class StudentJob(JobState, _OneOfStudents):
    """The job of a student of several."""


class RunProgress(BaseModel):
    """What a run shows of itself, in its custom status and over HTTP."""

    task: str
    name: str
    stage: Stage = "prepare"
    splits: dict[str, dict[str, int]] = Field(default_factory=dict[str, dict[str, int]])

    # shards of each split at a time, where the user has changed it
    parallel_shards: int | None = None

    # rejected rows by reason, by split
    reasons: dict[str, dict[str, int]] = Field(default_factory=dict[str, dict[str, int]])
    # labels or choices that the rows offer, by split
    answers: dict[str, AnswerSets] = Field(default_factory=dict[str, AnswerSets])
    # of answers with the references of their rows, by split
    agreement: dict[str, Agreement] = Field(default_factory=dict[str, Agreement])
    tokens: dict[str, int] = Field(default_factory=lambda: {"prompt": 0, "completion": 0})
    requests: int = 0

    # the part of both that preflight took, in all rounds
    preflight: Usage = Field(default_factory=Usage)

    # of a run that has ended, in addition to both
    unrecorded: Unrecorded | None = None

    # in the currency of the prices, where the specification gives them
    cost: float | None = None

    # made by the scan, before the teacher is asked
    estimate: Estimate | None = None

    # of all rounds, corrected by what the first rows took
    expected: Estimate | None = None

    # whether the run ends with its datasets: its `student` is null
    datasets_only: bool = False

    # the fine-tuning job of the student, or of the first one of several
    finetune: JobState | None = None

    # the jobs of several students; empty for one
    students: list[StudentJob | WaitingStudent] = Field(
        default_factory=list[StudentJob | WaitingStudent]
    )
    error: ErrorData | None = None
    warnings: list[str] = Field(default_factory=list[str])
    outputs: dict[str, str] = Field(default_factory=dict[str, str])


class Pace(BaseModel):
    """Two counts of the rows that the teacher was asked for: the first of a stage, and the last."""

    since: datetime
    first_rows: int
    first_requests: int
    until: datetime
    rows: int
    requests: int

    @property
    def seconds(self) -> float:
        return (self.until - self.since).total_seconds()


class RunStatus(RunProgress):
    """Custom status of a run. `stopping` makes running activities stop."""

    outcome: Outcome | None = None
    stopping: bool = False
    pace: Pace | None = None

    def keep_pace(self, now: datetime) -> None:
        """Note the counts at this moment. The first ones may be those of earlier rounds."""
        rows = sum(split.get("done", 0) for split in self.splits.values())
        first = self.pace or Pace(
            since=now,
            first_rows=rows,
            first_requests=self.requests,
            until=now,
            rows=rows,
            requests=self.requests,
        )
        update = {"until": now, "rows": rows, "requests": self.requests}
        self.pace = first.model_copy(update=update)

    @property
    def rows_per_second(self) -> float | None:
        """Return the rows that were answered a second, None before two counts differ."""
        if self.pace is None or self.pace.seconds <= 0:
            return None
        rows = self.pace.rows - self.pace.first_rows
        return rows / self.pace.seconds if rows > 0 else None

    def remaining_seconds(self, now: datetime) -> float | None:
        """Return how long the forecast's other requests take at this pace, None if unknown."""
        if self.pace is None or self.expected is None or self.pace.seconds <= 0:
            return None
        requests = self.pace.requests - self.pace.first_requests
        others = self.expected.requests - self.pace.requests
        if requests <= 0 or others <= 0:
            return None
        since_counted = (now - self.pace.until).total_seconds()
        return max(0.0, others * self.pace.seconds / requests - since_counted)

    def expect_students(self, students: Sequence[StudentSpec]) -> None:
        """Show several students as waiting for their training."""
        if len(students) > 1:
            self.students = [WaitingStudent(student=student.model) for student in students]

    def warn(self, warnings: Iterable[str]) -> None:
        """Add warnings that the run doesn't have yet."""
        self.warnings += [warning for warning in warnings if warning not in self.warnings]

    def show_job(self, job: JobState, student: int) -> None:
        """Show the job of the student of this number, and its warnings with those of the run."""
        self.warn(job.warnings)
        if student == 0:
            self.finetune = job
        if student < len(self.students):
            name = self.students[student].student
            self.students[student] = StudentJob(student=name, **job.model_dump())

    def count(self, by_split: Mapping[Split, Counters], budget: BudgetSpec = NO_BUDGET) -> None:
        """Show the counters. Rows and shards of a split that is shown stay as planned."""
        for split, counters in by_split.items():
            self._count_split(split, counters)
        usage = Usage.model_validate(total(by_split.values()), from_attributes=True)
        usage.add(self.preflight)
        self.requests = usage.requests
        self.tokens = {"prompt": usage.prompt_tokens, "completion": usage.completion_tokens}
        self.cost = cost(usage, budget)

    def _count_split(self, split: Split, counters: Counters) -> None:
        if split not in self.splits:  # the run ended before its scan in this round
            self.plan(split, counters.rows, counters.shards)
        shown = self.splits[split]
        shown["done"] = counters.done
        shown["accepted"] = counters.accepted
        shown["rejected"] = counters.rejected_rows
        shown["shards_done"] = counters.shards_done
        if counters.examples > counters.accepted or "examples" in shown:
            shown["examples"] = counters.examples
        occasional = {
            "not_needed": counters.not_needed,
            "rationalised": counters.rationalised,
            "held_out": counters.held_out,
            "reused": counters.reused,
        }
        for name, rows in occasional.items():
            if rows or name in shown:  # what was shown may have become 0
                shown[name] = rows
        self.reasons[split] = dict(counters.rejected)
        agreement = agreement_of(counters)
        if agreement:
            self.agreement[split] = agreement.without_labels()

    def count_not_asked(self) -> None:
        """Show the rows of each split that the teacher was not asked for."""
        for shown in self.splits.values():
            decided = shown["accepted"] + shown["rejected"] + shown.get("not_needed", 0)
            shown["not_asked"] = shown["rows"] - decided

    def expect(self, usage: Usage, budget: BudgetSpec) -> None:
        """Show the usage that the scan estimates."""
        self.estimate = priced(usage, budget)

    def forecast(self, usage: Usage, budget: BudgetSpec) -> None:
        """Show the usage that the first rows lead to expect."""
        self.expected = priced(usage, budget)

    def show_scan(self, split: str, scan: SplitScan) -> None:
        """Show what the scan found in a split."""
        self.plan(split, scan.rows, scan.shards)
        if split not in ASKED_SPLITS:  # the scan decides on all its rows
            rejected = sum(scan.rejected.values())
            self.splits[split] |= {"done": rejected, "rejected": rejected}
            self.reasons[split] = dict(scan.rejected)
        if scan.answers.sets:
            self.answers[split] = scan.answers
        if scan.conflicts.rows:
            self.splits[split]["conflicts"] = scan.conflicts.rows
        if scan.near_duplicates.rows:
            self.splits[split]["near_duplicates"] = scan.near_duplicates.rows

    def plan(self, split: str, rows: int, shards: int) -> None:
        """Show the rows of a split, and the shards to be answered, before any row is."""
        self.splits[split] = {
            "rows": rows,
            "done": 0,
            "accepted": 0,
            "rejected": 0,
            "shards": shards if split in ASKED_SPLITS else 0,
            "shards_done": 0,
        }

    def fail(self, error: ErrorData) -> None:
        """Show why the run ends, and stop its activities. Long messages are cut."""
        shown: ErrorData = {**error, "details": error["details"][:MAX_DETAILS]}
        self.error = _cut_error(shown, MAX_ERROR_CHARACTERS)
        self.outcome = "failed"
        self.stopping = True

    def custom_status(self) -> dict[str, Any]:
        """Return the custom status as JSON data of at most 16 KB, cutting texts until it fits."""
        shown = self.model_dump(mode="json")
        for characters in SHORTER:
            if _bytes_of(shown) <= MAX_STATUS_BYTES:
                break
            shown = self._shortened(characters).model_dump(mode="json")
        return shown

    def _shortened(self, characters: int) -> RunStatus:
        students = list(self.students)
        for number, student in enumerate(students):
            if isinstance(student, StudentJob):
                students[number] = _cut_job(student, characters)
        update = {
            "name": cut(self.name, characters),
            "error": _cut_error(self.error, characters) if self.error else None,
            "finetune": _cut_job(self.finetune, characters) if self.finetune else None,
            "students": students,
            "warnings": _cut_texts(self.warnings, characters),
        }
        return self.model_copy(update=update)


def cut(text: str, characters: int = MAX_ERROR_CHARACTERS) -> str:
    """Return the text, cut to this many characters."""
    return text if len(text) <= characters else f"{text[: characters - 1]}…"


def _bytes_of(data: Mapping[str, object]) -> int:
    return len(json.dumps(data, ensure_ascii=False).encode("utf-16-le", "surrogatepass"))


def _cut_job(job: JobT, characters: int) -> JobT:
    """Return the job with short texts: a service, or whoever raises its event, may say anything."""
    entries = characters // CHARACTERS_OF_AN_ENTRY
    names = list(job.metrics)[:entries]
    update = {
        "job": cut(job.job, MAX_NAME_CHARACTERS),
        "service_status": cut(job.service_status, characters),
        "url": job.url if job.url and len(job.url) <= MAX_URL_CHARACTERS else None,
        "model": cut(job.model, MAX_NAME_CHARACTERS) if job.model else None,
        "message": cut(job.message, characters) if job.message else None,
        "metrics": {cut(name, characters): job.metrics[name] for name in names},
        "warnings": _cut_texts(job.warnings[:entries], characters),
    }
    return job.model_copy(update=update)


def _cut_texts(texts: Sequence[str], characters: int) -> list[str]:
    return [cut(text, characters) for text in texts[:characters]]


def _cut_error(error: ErrorData, characters: int) -> ErrorData:
    details: list[Problem] = []
    for problem in error["details"]:
        where = cut(problem["where"], characters)
        details.append({"where": where, "problem": cut(problem["problem"], characters)})
    message = cut(error["message"], characters)
    return {"code": error["code"], "message": message, "details": details}
