"""The course of a job: through the statuses that it is told, at the pace asked for, with metrics while it runs.

Its place in the course is stored before each wait, so that a restarted emulator goes on where it stopped.
"""

from __future__ import annotations

import asyncio
import random

from local.emulators.azure_openai.options import (
    CANCELLED,
    FAILED,
    SUCCEEDED,
    TERMINAL,
    EmulatorOptions,
)
from local.emulators.azure_openai.store import JobRecord, Store
from local.emulators.azure_openai.training import NOTICE, Training

MIN_TRAINING_ROWS = 10
RUNNING_WEIGHT = (
    5  # the pace is shared among the statuses of a course; one that trains gets so many shares
)
HELD = "paused"


class Courses:
    """All jobs on their way, one task each."""

    def __init__(self, store: Store, options: EmulatorOptions) -> None:
        self._store, self._options = store, options
        self._tasks: dict[str, asyncio.Task[None]] = {}
        weights = [self._weight(status) for status in options.course[:-1]]
        self._share = options.pace / max(1, sum(weights))

    def resume_all(self) -> None:
        """Go on with every job that has not ended."""
        for job in self._store.jobs():
            if not job.is_terminal and not job.held:
                self.start(job.id)

    def start(self, job_id: str) -> None:
        self._tasks[job_id] = asyncio.create_task(self._run(job_id), name=job_id)

    def cancel(self, job_id: str) -> None:
        self._halt(job_id)
        self._store.add_event(job_id, "Job cancelled.")
        self._store.finish(job_id, CANCELLED)

    def pause(self, job_id: str) -> None:
        self._halt(job_id)
        self._store.add_event(job_id, "Job paused.")
        self._store.hold(job_id, held=True, status=HELD)

    def go_on(self, job_id: str) -> None:
        self._store.add_event(job_id, "Job resumed.")
        self._store.hold(job_id, held=False, status="resuming")
        self.start(job_id)

    async def stop(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _halt(self, job_id: str) -> None:
        task = self._tasks.pop(job_id, None)
        if task:
            task.cancel()

    def _weight(self, status: str) -> int:
        return RUNNING_WEIGHT if status == "running" else 1

    async def _run(self, job_id: str) -> None:
        job = self._store.job(job_id)
        assert job is not None
        try:
            await self._work(job)
        except (
            Exception
        ) as error:  # a fault of ours must end the job too, not leave it running for ever
            self._fail(
                job.id, "internal_error", f"The emulator failed: {type(error).__name__}: {error}"
            )
            raise

    async def _work(self, job: JobRecord) -> None:
        course = self._options.course
        for stage in range(job.stage, len(course)):
            status = course[stage]
            if status in TERMINAL:
                self._end(job, status)
                return
            self._store.set_status(job.id, status, stage)
            problem = self._problem(job) if stage == 0 or status == "running" else None
            if problem:
                self._fail(job.id, *problem)
                return
            last = stage == len(course) - 1
            seconds = 0.0 if last else self._weight(status) * self._share
            if status == "running":
                await self._train(job, seconds)
            else:
                await asyncio.sleep(seconds)

    def _problem(self, job: JobRecord) -> tuple[str, str] | None:
        """Why the job fails here, as (code, message): its data, or the lottery."""
        if job.rows < MIN_TRAINING_ROWS:
            return (
                "invalid_training_file",
                f"The file has {job.rows} rows: at least {MIN_TRAINING_ROWS} are needed.",
            )
        current = self._store.job(job.id)
        if current and current.status == "running":
            drawn = random.Random(f"{self._options.seed}:{job.label}").random()
            if drawn < self._options.fail_rate:
                return "emulated_failure", "The failure lottery (--fail-rate) has drawn this job."
        return None

    async def _train(self, job: JobRecord, seconds: float) -> None:
        """Tell the metrics that were not told yet, over this time."""
        training = Training.of(job, self._options.seed)
        told = self._store.count_metrics(job.id)
        if not told:
            self._store.add_event(job.id, f"Training started. {NOTICE}")
        for step in training.points[told:]:
            metrics = training.metrics(step)
            message = f"Step {step}/{training.steps}: training loss={metrics['train_loss']} (by a formula)"
            self._store.add_event(job.id, message, data=metrics)
            await asyncio.sleep(seconds / len(training.points))
        if not training.points[told:]:
            await asyncio.sleep(seconds)

    def _end(self, job: JobRecord, status: str) -> None:
        if status == SUCCEEDED:
            suffix = f"-{job.body['suffix']}" if job.body.get("suffix") else ""
            model = f"{job.body['model']}.ft-{job.id.removeprefix('ftjob-')}{suffix}"
            self._store.add_event(job.id, f"New fine-tuned model created: {model}. {NOTICE}")
            self._store.add_event(job.id, "The job has successfully completed.")
            self._store.finish(job.id, status, model=model)
        elif status == FAILED:
            self._fail(job.id, "emulated_failure", "The emulator was told to end jobs as failed.")
        else:
            self._store.add_event(job.id, f"The emulator was told to end jobs as {status}.")
            self._store.finish(job.id, status)

    def _fail(self, job_id: str, code: str, message: str) -> None:
        self._store.add_event(job_id, message, level="error")
        self._store.finish(job_id, FAILED, error={"code": code, "message": message, "param": None})
