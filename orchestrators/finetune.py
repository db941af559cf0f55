"""Fine-tune: one `finetune` for each student, which submits its job once and follows it to its end.

What a follower remembers and decides: shared/finetuning/monitor.py.
"""

from __future__ import annotations

import azure.durable_functions as df
from pydantic import ValidationError

from orchestrators.durable.context import Context, Task
from orchestrators.durable.edge import ContinueAsNew, Steps, implements
from orchestrators.durable.waiting import (
    RunFailed,
    SubOrchestration,
    call,
    event_data,
    first_of,
    start,
)
from orchestrators.root import Root, RunCancelled
from shared.core.ids import finetuning_id
from shared.core.paths import Split
from shared.finetuning.monitor import JobMonitor
from shared.finetuning.outcome import (
    CancelReason,
    TrainingOutcome,
    failure_of_students,
    never_submitted,
    refused,
)
from shared.runs.contracts import (
    CANCEL_FINETUNING,
    CONCLUDE_FINETUNING,
    FINETUNE,
    POLL_FINETUNING,
    SUBMIT_FINETUNING,
    Event,
    FollowTraining,
    JobChanged,
    JobLook,
    JobRequest,
    PollRequest,
    SubmitRequest,
)
from shared.spec.models import RunSpec

POLLS_PER_EXECUTION = 100
JOB_LOOK_SECONDS = 6 * 3600.0
"""A job of two weeks is 56 looks of the root. Whatever happens to it comes as an event."""

Training = SubOrchestration[TrainingOutcome]

bp = df.Blueprint()


def train_students(root: Root, spec: RunSpec, splits: list[Split]) -> Steps[None]:
    """Train every student at the same time. Raises RunFailed, RunCancelled once all have ended."""
    root.enter("finetune")
    root.status.expect_students(spec.students)
    trainings: list[Training] = []
    for number, student in enumerate(spec.students):
        request = FollowTraining(
            run_id=root.run_id,
            student=number,
            splits=splits,
            round=root.round,
            max_hours=student.max_hours,
            max_silent_minutes=student.max_silent_minutes,
        )
        instance_id = finetuning_id(root.run_id, number)
        trainings.append(start(root.context, FINETUNE, request, instance_id))
    yield from _show_jobs(root, trainings)
    outcomes = [_outcome(training) for training in trainings]
    for number, outcome in enumerate(outcomes):
        if outcome.job is not None:
            root.status.show_job(outcome.job, number)
        root.status.warnings += outcome.warnings
    if any(outcome.status == "cancelled" for outcome in outcomes):
        raise RunCancelled
    error = failure_of_students(outcomes)
    if error:
        raise RunFailed(error)


def _show_jobs(root: Root, trainings: list[Training]) -> Steps[None]:
    """Show what the followers say of their jobs until all have ended."""
    changed = root.context.wait_for_external_event(Event.JOB_CHANGED)
    while not all(training.is_completed for training in trainings):
        running = [training.task for training in trainings if not training.is_completed]
        tasks = [*running, changed, *root.cancellation]
        yield from first_of(root.context, tasks, JOB_LOOK_SECONDS)
        if changed.is_completed:
            _show_job(root, event_data(changed))
            changed = root.context.wait_for_external_event(Event.JOB_CHANGED)
        root.status.stopping = root.is_cancelled
        root.publish()


def _show_job(root: Root, data: object) -> None:
    """Show a job that has changed. Anyone may raise events: other data is ignored."""
    try:
        change = JobChanged.model_validate(data)
    except ValidationError:
        return
    root.status.show_job(change.job, change.student)


def _outcome(training: Training) -> TrainingOutcome:
    """Return how a completed training ended, also if its orchestration raised."""
    try:
        return training.output()
    except RunFailed as failure:
        return TrainingOutcome(status="failed", error=failure.error)


@bp.orchestration_trigger(context_name="context", orchestration=FINETUNE)
@implements(FINETUNE, lambda request: finetuning_id(request.run_id, request.student))
def finetune(
    context: Context, request: FollowTraining
) -> Steps[TrainingOutcome | ContinueAsNew[FollowTraining]]:
    """Submit a student's job, follow it on durable timers, cancel it when that is due."""
    follower = _Follower(context, request)
    try:
        outcome = yield from follower.follow()
        if outcome is None:
            return ContinueAsNew(follower.next_request())
    except RunFailed as failure:
        job = follower.monitor.job if follower.monitor else None
        return refused(job, failure.error)
    return (yield from _conclude(context, request, outcome))


class _Follower:
    """One execution of `finetune`."""

    def __init__(self, context: Context, request: FollowTraining) -> None:
        self.context = context
        self.request = request
        self.monitor = request.monitor
        self._cancelled = context.wait_for_external_event(Event.CANCEL)

    def follow(self) -> Steps[TrainingOutcome | None]:
        """Return how the training ended, None if another execution is needed. Raises RunFailed."""
        monitor = self.monitor or (yield from self._begin())
        for _ in range(POLLS_PER_EXECUTION):
            self.monitor = monitor
            outcome = monitor.outcome(self.context.current_utc_datetime)
            if outcome is not None:
                return outcome
            yield from self._wait(monitor)
            reason = self._reason_to_cancel(monitor)
            if reason is not None:
                if not monitor.job.submitted:
                    return never_submitted(monitor.job, reason)
                monitor = monitor.cancelling(reason)
                yield from call(self.context, CANCEL_FINETUNING, self._job_request(monitor))
            monitor = yield from self._poll(monitor)
        self.monitor = monitor
        return None

    def next_request(self) -> FollowTraining:
        """Return the input of the next execution."""
        assert self.monitor is not None
        requested = self.monitor.cancel_requested or self._cancelled.is_completed
        monitor = self.monitor.model_copy(update={"cancel_requested": requested})
        return self.request.model_copy(update={"monitor": monitor})

    def _begin(self) -> Steps[JobMonitor]:
        look = yield from self._submit(None)
        now = self.context.current_utc_datetime
        monitor = JobMonitor.begin(look.job, now, self.request.max_hours)
        return monitor.noting_reach(now, reached=look.reached, retry_after=look.retry_after)

    def _wait(self, monitor: JobMonitor) -> Steps[Task | None]:
        events = [] if self._cancelled.is_completed else [self._cancelled]
        return (yield from first_of(self.context, events, monitor.seconds_until_poll))

    def _reason_to_cancel(self, monitor: JobMonitor) -> CancelReason | None:
        return monitor.reason_to_cancel(
            self.context.current_utc_datetime,
            by_user=self._cancelled.is_completed,
            max_silent_minutes=self.request.max_silent_minutes,
        )

    def _poll(self, monitor: JobMonitor) -> Steps[JobMonitor]:
        """Ask for the job, or submit it again while the service takes in its data."""
        now = self.context.current_utc_datetime
        if monitor.job.submitted:
            is_report_due = monitor.is_report_due(now)
            if is_report_due:
                monitor = monitor.reporting(now)
            request = PollRequest(
                run_id=self.request.run_id,
                student=self.request.student,
                job=monitor.job,
                cancel=monitor.cancel_reason is not None,
                report_metrics=is_report_due,
            )
            look = yield from call(self.context, POLL_FINETUNING, request)
        else:
            look = yield from self._submit(monitor)
        now = self.context.current_utc_datetime
        polled = monitor.after_poll(look.job, now)
        return polled.noting_reach(now, reached=look.reached, retry_after=look.retry_after)

    def _submit(self, monitor: JobMonitor | None) -> Steps[JobLook]:
        request = SubmitRequest(
            run_id=self.request.run_id,
            student=self.request.student,
            splits=self.request.splits,
            round=self.request.round,
            job=monitor.job if monitor else None,
        )
        return (yield from call(self.context, SUBMIT_FINETUNING, request))

    def _job_request(self, monitor: JobMonitor) -> JobRequest:
        return JobRequest(run_id=self.request.run_id, student=self.request.student, job=monitor.job)


def _conclude(
    context: Context, request: FollowTraining, outcome: TrainingOutcome
) -> Steps[TrainingOutcome]:
    """Record what the service knows of the job. A failure is a warning, not another outcome."""
    if outcome.job is None:
        return outcome
    job_request = JobRequest(run_id=request.run_id, student=request.student, job=outcome.job)
    try:
        concluded = yield from call(context, CONCLUDE_FINETUNING, job_request)
    except RunFailed as failure:
        message = f"the course of the fine-tuning could not be recorded: {failure.error['message']}"
        return outcome.model_copy(update={"warnings": [message]})
    update = {"job": concluded.job, "warnings": concluded.warnings}
    return outcome.model_copy(update=update)
