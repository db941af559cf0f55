"""The course of a job: through its statuses at the pace asked for, with metrics while it runs.

Its place in the course is stored before each wait, so a restarted emulator continues where it
stopped.
"""

from __future__ import annotations

import asyncio

from local.emulators.azure_openai.options import (
    CANCELLED,
    FAILED,
    SUCCEEDED,
    TERMINAL,
    EmulatorOptions,
)
from local.emulators.azure_openai.store import Job, Store
from local.emulators.azure_openai.training import NOTICE, Training
from local.emulators.jobs import MIN_TRAINING_ROWS, BackgroundTasks

RUNNING_WEIGHT = 5  # shares of the pace that a running job gets; other statuses get one


class _JobFailed(Exception):
    """The job ends as failed."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Courses:
    """All jobs on their way, one task each."""

    def __init__(self, store: Store, options: EmulatorOptions) -> None:
        self._store = store
        self._options = options
        self._tasks = BackgroundTasks()
        self.stop = self._tasks.stop
        weights = [_weight(status) for status in options.course[:-1]]
        self._share = options.pace / max(1, sum(weights))

    def resume_all(self) -> None:
        """Continue every job that has not ended."""
        for job in self._store.jobs.all():
            if not job.is_terminal:
                self.start(job.id)

    def start(self, job_id: str) -> None:
        self._tasks.start(job_id, self._run(job_id))

    def cancel(self, job_id: str) -> None:
        self._tasks.cancel(job_id)
        self._store.add_event(job_id, "Job cancelled.")
        self._store.finish(job_id, CANCELLED)

    async def _run(self, job_id: str) -> None:
        job = self._store.jobs.get(job_id)
        assert job is not None
        try:
            await self._pass_statuses(job)
        except _JobFailed as failure:
            self._fail(job_id, failure.code, str(failure))
        except Exception as error:  # a bug of the emulator must not leave the job running for ever
            message = f"The emulator failed: {type(error).__name__}: {error}"
            self._fail(job_id, "internal_error", message)
            raise

    async def _pass_statuses(self, job: Job) -> None:
        course = self._options.course
        last = len(course) - 1
        for stage in range(job.stage, len(course)):
            status = course[stage]
            if status in TERMINAL:
                self._end(job, status)
                return
            job = self._store.change_job(job.id, status=status, stage=stage)
            if job.rows < MIN_TRAINING_ROWS:
                message = f"The file has {job.rows} rows: at least {MIN_TRAINING_ROWS} are needed."
                raise _JobFailed("invalid_training_file", message)
            seconds = 0.0 if stage == last else _weight(status) * self._share
            if status == "running":
                await self._train(job, seconds)
            else:
                await asyncio.sleep(seconds)

    async def _train(self, job: Job, seconds: float) -> None:
        """Report the metrics that were not reported yet, over this time. Raises _JobFailed."""
        if self._options.draws_failure(job.label):
            message = "The failure lottery (--fail-rate) has drawn this job."
            raise _JobFailed("emulated_failure", message)
        training = Training.of(job, self._options.seed)
        reported = sum(event.type == "metrics" for event in job.events)
        if not reported:
            self._store.add_event(job.id, f"Training started. {NOTICE}")
        points = training.points[reported:]
        for step in points:
            metrics = training.metrics(step)
            loss = f"training loss={metrics['train_loss']} (by a formula)"
            message = f"Step {step}/{training.steps}: {loss}"
            self._store.add_event(job.id, message, type="metrics", data=metrics)
            await asyncio.sleep(seconds / len(training.points))
        if not points:
            await asyncio.sleep(seconds)

    def _end(self, job: Job, status: str) -> None:
        if status == FAILED:
            raise _JobFailed("emulated_failure", "The emulator was told to end jobs as failed.")
        if status == SUCCEEDED:
            suffix = f"-{job.suffix}" if job.suffix else ""
            model = f"{job.model}.ft-{job.id.removeprefix('ftjob-')}{suffix}"
            self._store.add_event(job.id, f"New fine-tuned model created: {model}. {NOTICE}")
            self._store.add_event(job.id, "The job has successfully completed.")
            self._store.finish(job.id, status, fine_tuned_model=model, trained_tokens=0)
        else:
            self._store.add_event(job.id, f"The emulator was told to end jobs as {status}.")
            self._store.finish(job.id, status)

    def _fail(self, job_id: str, code: str, message: str) -> None:
        self._store.add_event(job_id, message, level="error")
        error = {"code": code, "message": message, "param": None}
        self._store.finish(job_id, FAILED, error=error)


def _weight(status: str) -> int:
    return RUNNING_WEIGHT if status == "running" else 1
