"""What passes between orchestrators and activities: one model for each input and output.

The names of activities and orchestrators are at the end, each with its two models. Each object is
small and holds references (blob names, counts), never rows. shared/runs/wire.py says how models
travel.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import Field

from shared.core.counters import Counters
from shared.core.errors import ErrorData
from shared.core.json_values import JsonObject
from shared.core.paths import Split
from shared.finetuning.base import JobState
from shared.finetuning.monitor import JobMonitor
from shared.finetuning.outcome import TrainingOutcome
from shared.generation.first_wave import FirstRows
from shared.generation.shard_losses import ShardLosses
from shared.generation.split_target import SplitTarget
from shared.runs.monthly_budget import MonthLimit
from shared.runs.requests import RunRequest
from shared.runs.status import RunStatus
from shared.runs.wire import Activity, Contract, Orchestrator
from shared.scan.plan import SplitScan
from shared.spec.budget import Usage
from shared.spec.models import RunSpec
from shared.teacher.budget import OtherRequests


class Event(StrEnum):
    """External events of a run's orchestrations. `shared/runs/control.py` says who raises them."""

    CANCEL = "cancel"
    """Data: who cancels."""
    CONCURRENCY = "concurrency"
    """Data: shards of each split at a time."""
    TURN = "turn"
    """No data: the run should look at the queue, as its turn may have come."""
    JOB_CHANGED = "finetune"
    """Data: `JobChanged`."""


# Parts of several contracts


class RunReference(Contract):
    """A run, for activities that read everything else from its blobs."""

    run_id: str


class Done(Contract):
    """The output of an activity whose results are blobs."""

    status: Literal["ok"] = "ok"


class WindowState(Contract):
    """What a sliding window hands to the orchestrator's next execution."""

    next_number: int = 0
    """The first item that was never started."""
    unfinished: list[int] = Field(default_factory=list[int])
    """Items to start again, before any new one."""
    attempts: dict[int, int] = Field(default_factory=dict[int, int])
    """Failed attempts by item."""
    paused: bool = False


# Prepare


class PreparedRun(Contract):
    """Output of `prepare_run`."""

    status: Literal["ok"] = "ok"
    spec: RunSpec
    etags: dict[Split, str]
    """Version of each input that was copied into the run's folder."""
    ranges: dict[Split, int] = Field(default_factory=dict[Split, int])
    """Into how many ranges each input is cut for the scan."""
    is_queued: bool = False
    """Whether the app limits how many runs are at work, so that this one has to take its turn."""
    notifies: bool = False
    """Whether the app names someone to notify when the run ends."""
    month: MonthLimit | None = None
    """What the app's monthly budget allows the run, if there is one."""
    warnings: list[str] = Field(default_factory=list[str])


# Scan


class ScanRequest(Contract):
    """Input of `scan_dataset`."""

    run_id: str
    round: int = 0
    splits: list[Split]


class ScanSteps(Contract):
    """Input of `finish_scan`, and what all steps of a scan by ranges share."""

    run_id: str
    round: int = 0
    ranges: dict[Split, int]
    """How many each split has, in the order in which rows count."""


class RangeStep(ScanSteps):
    """Input of `scan_range` and `plan_range`."""

    split: Split
    number: int


class GroupStep(ScanSteps):
    """Input of `find_duplicates`."""

    number: int
    """Of the group of hashes. There are as many groups as ranges."""


class ScannedDatasets(Contract):
    """Output of `scan_dataset` and `finish_scan`. Plans are blobs."""

    status: Literal["ok"] = "ok"
    splits: dict[Split, SplitScan]


class ScanRanges(ScanSteps):
    """Input of the orchestrator `scan_ranges`."""

    step: int = 0
    window: WindowState = WindowState()


class RangesScanned(Contract):
    """Output of the orchestrator `scan_ranges`."""

    status: Literal["ok", "failed"]
    splits: dict[Split, SplitScan] = Field(default_factory=dict[Split, SplitScan])
    error: ErrorData | None = None


# Reuse


class ReuseRequest(Contract):
    """Input of `reuse_answers`: the shards of a split from `first` on, as many as fit."""

    run_id: str
    split: Split
    first: int
    round: int = 0


class ReusedAnswers(Contract):
    """Output of `reuse_answers`."""

    status: Literal["ok"] = "ok"
    next: int
    """The first shard that was not looked at."""
    reused: int = 0
    """Rows that now have an earlier run's answer."""
    estimate: Usage = Field(default_factory=Usage)
    """Expected use for these shards, including what the run has used already."""


# Queue


class TurnRequest(Contract):
    """Input of `take_turn` and `leave_queue`."""

    run_id: str
    round: int = 0
    started: datetime


class Turn(Contract):
    """Output of `take_turn`."""

    status: Literal["ok"] = "ok"
    place: int = 0
    """0: it is the run's turn. 1: it is the next one."""


# Preflight


class PreflightPassed(Contract):
    """Output of `preflight`."""

    status: Literal["ok"] = "ok"
    usage: Usage = Field(default_factory=Usage)
    """Of preflight, in all rounds."""
    warnings: list[str] = Field(default_factory=list[str])


# Generate


class ShardRequest(Contract):
    """Input of `generate_shard`."""

    run_id: str
    split: Split
    index: int
    max_rejected: int
    """Rows of the split that may fail before its success ratio is out of reach."""
    round: int = 0
    needed: int | None = None
    """Rows that the shard has to contribute, None for all that it can."""
    keeps_failed: bool = False
    """Whether rows that failed in earlier rounds stay as they are."""


class AbandonedShard(Contract):
    """Input of `abandon_shard`."""

    run_id: str
    split: Split
    index: int
    reason: str
    round: int = 0
    needed: int | None = None
    """Rows that the shard has to contribute, None for all that it can."""


class UnneededShards(Contract):
    """Input of `seal_unneeded`: the shards of a split from `first` on, of which none is needed."""

    run_id: str
    split: Split
    first: int


class SealedShards(Contract):
    """Output of `seal_unneeded`."""

    status: Literal["ok"] = "ok"
    next: int
    """The first shard that was not sealed: time was up."""


class ShardOutcome(Contract):
    """Output of `generate_shard` and `abandon_shard`.

    `unfinished`: its time was up, start it again. `paused`: the run is suspended. `stopped`: the
    run has ended or is stopping.
    """

    status: Literal["ok", "unfinished", "paused", "stopped"] = "ok"
    accepted: int = 0
    rejected: int = 0
    contributed: int = 0
    """Accepted rows that aren't held out for validation."""
    failed: int = 0
    """Rows that the teacher failed to answer in this round."""
    parallel: int | None = None
    """Shards at a time, where the user has changed it."""


class GenerateSplit(Contract):
    """Input of the orchestrator `generate_split`."""

    run_id: str
    split: Split
    shards: int
    parallel: int
    max_rejected: int
    is_first_wave: bool = False
    round: int = 0
    window: WindowState = WindowState()
    losses: ShardLosses = ShardLosses()
    target: SplitTarget | None = None
    """None where every row is answered."""


class SplitOutcome(Contract):
    """Output of the orchestrator `generate_split`."""

    status: Literal["ok", "stopped", "failed"] = "ok"
    error: ErrorData | None = None
    losses: ShardLosses = ShardLosses()
    target: SplitTarget | None = None


# First wave


class FirstWaveRequest(Contract):
    """Input of `read_first_wave`."""

    run_id: str
    shards: int
    """How many shards of the training set were asked first."""
    round: int = 0


class FirstWave(Contract):
    """Output of `read_first_wave`."""

    status: Literal["ok"] = "ok"
    rows: FirstRows


# Progress and assembly


class ProgressRequest(Contract):
    """Input of `read_progress`."""

    run_id: str
    splits: list[Split]


class Progress(Contract):
    """Output of `read_progress`."""

    status: Literal["ok"] = "ok"
    splits: dict[Split, Counters]
    warnings: list[str] = Field(default_factory=list[str])
    """Deployments of the teacher that were left out."""


class AssembleRequest(Contract):
    """Input of `assemble_split`."""

    run_id: str
    split: Split
    shards: int


class AssembledSplit(Contract):
    """Output of `assemble_split`. `unfinished`: its time was up, call it again."""

    status: Literal["ok", "unfinished"] = "ok"
    counters: Counters = Field(default_factory=Counters)


# Fine-tuning


class StudentReference(Contract):
    """A student of a run, by its place in the specification."""

    run_id: str
    student: int = 0


class SubmitRequest(StudentReference):
    """Input of `submit_finetuning`."""

    splits: list[Split]
    round: int = 0
    job: JobState | None = None
    """As it was last seen, where submitting is repeated."""


class PollRequest(StudentReference):
    """Input of `poll_finetuning`."""

    job: JobState
    cancel: bool = False
    """Request the cancellation once more."""
    report_metrics: bool = False
    """Tell the root of new metrics too, not only of other changes."""


class JobRequest(StudentReference):
    """Input of `cancel_finetuning` and `conclude_finetuning`."""

    job: JobState


class JobLook(Contract):
    """Output of `submit_finetuning`, `poll_finetuning` and `cancel_finetuning`."""

    status: Literal["ok"] = "ok"
    job: JobState
    reached: bool = True
    """False where the service could not be reached; `job` is then what was known before."""
    retry_after: float | None = None
    """Seconds, where the service named a time."""


class ConcludedJob(Contract):
    """Output of `conclude_finetuning`."""

    status: Literal["ok"] = "ok"
    job: JobState
    warnings: list[str] = Field(default_factory=list[str])


class FollowTraining(StudentReference):
    """Input of the orchestrator `finetune`."""

    splits: list[Split]
    round: int = 0
    max_hours: float
    max_silent_minutes: float
    monitor: JobMonitor | None = None
    """None in the first execution, before the job is submitted."""


class JobChanged(Contract):
    """Data of `Event.JOB_CHANGED`."""

    student: int = Field(default=0, ge=0)
    job: JobState


# Report


class ReportRequest(Contract):
    """Input of `write_report`."""

    run_id: str
    splits: list[Split]
    outcome: Literal["completed", "failed", "cancelled"]
    status: RunStatus
    finished: datetime
    round: int = 0


class WrittenReport(Contract):
    """Output of `write_report`."""

    status: Literal["ok"] = "ok"
    outputs: dict[str, str]
    """Paths of everything the run has written, by name."""
    counters: dict[Split, Counters] = Field(default_factory=dict[Split, Counters])
    """As in the report; empty if the run ended before its scan."""
    other: OtherRequests = Field(default_factory=OtherRequests)


# Notification


class EndOfRun(Contract):
    """Input of `announce_end`."""

    run_id: str
    round: int = 0
    status: RunStatus
    finished: datetime


class Notification(Contract):
    """Input of the orchestrator `notify` and of `send_notification`."""

    run_id: str
    round: int = 0
    event: JsonObject
    """As a CloudEvent in JSON."""


class SentNotification(Contract):
    """Output of `send_notification`.

    `gone`: the receiver wants nothing more. `off`: the app names no receiver any longer.
    """

    status: Literal["ok", "gone", "off"] = "ok"


class NotificationEnd(Contract):
    """Output of the orchestrator `notify`."""

    status: Literal["ok", "gone", "off", "undelivered"]
    attempts: int


class RunSummary(Contract):
    """Output of the root orchestrator of a run that did not fail."""

    run_id: str
    status: Literal["completed", "cancelled"]
    outputs: dict[str, str]


# Deletion


class PartsEnded(Contract):
    """Output of `end_parts`."""

    status: Literal["ok"] = "ok"
    wait_seconds: float = 0
    """After which to call it again, 0 if nothing works for the run any more."""


class BlobsDeleted(Contract):
    """Output of `delete_blobs`. `unfinished`: its time was up, call it again."""

    status: Literal["ok", "unfinished"] = "ok"


class FailedDeletion(Contract):
    """Input of `note_failed_deletion`."""

    run_id: str
    error: ErrorData


class DeletionOutcome(Contract):
    """Output of the orchestrator `run_deletion`."""

    status: Literal["ok", "failed"] = "ok"
    error: ErrorData | None = None


PREPARE_RUN = Activity("prepare_run", RunRequest, PreparedRun)
SCAN_DATASET = Activity("scan_dataset", ScanRequest, ScannedDatasets)
SCAN_RANGE = Activity("scan_range", RangeStep, Done)
FIND_DUPLICATES = Activity("find_duplicates", GroupStep, Done)
PLAN_RANGE = Activity("plan_range", RangeStep, Done)
FINISH_SCAN = Activity("finish_scan", ScanSteps, ScannedDatasets)
REUSE_ANSWERS = Activity("reuse_answers", ReuseRequest, ReusedAnswers)
TAKE_TURN = Activity("take_turn", TurnRequest, Turn)
LEAVE_QUEUE = Activity("leave_queue", TurnRequest, Done)
PREFLIGHT = Activity("preflight", RunReference, PreflightPassed)
GENERATE_SHARD = Activity("generate_shard", ShardRequest, ShardOutcome)
ABANDON_SHARD = Activity("abandon_shard", AbandonedShard, ShardOutcome)
SEAL_UNNEEDED = Activity("seal_unneeded", UnneededShards, SealedShards)
READ_FIRST_WAVE = Activity("read_first_wave", FirstWaveRequest, FirstWave)
READ_PROGRESS = Activity("read_progress", ProgressRequest, Progress)
ASSEMBLE_SPLIT = Activity("assemble_split", AssembleRequest, AssembledSplit)
SUBMIT_FINETUNING = Activity("submit_finetuning", SubmitRequest, JobLook)
POLL_FINETUNING = Activity("poll_finetuning", PollRequest, JobLook)
CANCEL_FINETUNING = Activity("cancel_finetuning", JobRequest, JobLook)
CONCLUDE_FINETUNING = Activity("conclude_finetuning", JobRequest, ConcludedJob)
WRITE_REPORT = Activity("write_report", ReportRequest, WrittenReport)
ANNOUNCE_END = Activity("announce_end", EndOfRun, Done)
SEND_NOTIFICATION = Activity("send_notification", Notification, SentNotification)
END_PARTS = Activity("end_parts", RunReference, PartsEnded)
DELETE_SERVICE_FILES = Activity("delete_service_files", RunReference, Done)
DELETE_BLOBS = Activity("delete_blobs", RunReference, BlobsDeleted)
FINISH_DELETION = Activity("finish_deletion", RunReference, BlobsDeleted)
NOTE_FAILED_DELETION = Activity("note_failed_deletion", FailedDeletion, Done)

DISTILLATION_RUN = Orchestrator("distillation_run", RunRequest, RunSummary)
SCAN_RANGES = Orchestrator("scan_ranges", ScanRanges, RangesScanned)
GENERATE_SPLIT = Orchestrator("generate_split", GenerateSplit, SplitOutcome)
FINETUNE = Orchestrator("finetune", FollowTraining, TrainingOutcome)
NOTIFY = Orchestrator("notify", Notification, NotificationEnd)
DELETE_RUN = Orchestrator("run_deletion", RunReference, DeletionOutcome)
