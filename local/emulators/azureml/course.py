"""The course of a job: through the statuses of a real one, with its data read where training would
start.

Every status is stored before the next wait, so a restarted emulator continues where it stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import NamedTuple

from local.emulators.azureml.commands import Commands
from local.emulators.azureml.files import JobFailed, JobFiles
from local.emulators.azureml.options import EmulatorOptions
from local.emulators.azureml.store import TERMINAL, JobRecord, Store
from local.emulators.jobs import MIN_TRAINING_ROWS, BackgroundTasks


class Stage(NamedTuple):
    """A status, and the share of the pace that a job spends in it."""

    status: str
    share: float


STAGES = (
    Stage("NotStarted", 0.05),
    Stage("Starting", 0.05),
    Stage("Provisioning", 0.1),
    Stage("Preparing", 0.1),
    Stage("Queued", 0.1),
    Stage("Running", 0.5),
    Stage("Finalizing", 0.1),
)
ORDER = [stage.status for stage in STAGES]
RUNNING_SHARE = dict(STAGES)["Running"]
CANCELLING_SHARE = 0.1


class _Cancelled(Exception):
    """Cancellation was requested."""


class Courses:
    """All jobs on their way, one task each."""

    def __init__(
        self, store: Store, files: JobFiles, commands: Commands, options: EmulatorOptions
    ) -> None:
        self._store = store
        self._files = files
        self._commands = commands
        self._options = options
        self._tasks = BackgroundTasks()
        self._cancels: dict[str, asyncio.Event] = {}
        self.stop = self._tasks.stop

    def resume(self) -> None:
        """Continue every job that has not ended."""
        for job in self._store.jobs():
            if not job.is_terminal:
                self.start(job.name)

    def start(self, name: str) -> None:
        self._cancels[name] = asyncio.Event()
        self._tasks.start(name, self._run(name))

    def cancel(self, name: str) -> None:
        self._store.set_status(name, "CancelRequested")
        self._cancels[name].set()

    async def _run(self, name: str) -> None:
        job = self._store.job(name)
        assert job is not None
        try:
            if job.status == "CancelRequested":
                raise _Cancelled
            await self._pass_stages(job)
            await self._end(job)
        except _Cancelled:
            await asyncio.sleep(CANCELLING_SHARE * self._options.pace)
            self._store.set_status(name, "Canceled")
        except JobFailed as failure:
            self._store.set_status(name, "Failed", str(failure))
        except Exception as error:  # a bug of the emulator must not leave the job running for ever
            message = f"The emulator failed: {type(error).__name__}: {error}"
            self._store.set_status(name, "Failed", message)
            raise

    async def _pass_stages(self, job: JobRecord) -> None:
        reached = len(job.statuses) - 1  # each stage noted its status once
        trained = False
        for number, stage in enumerate(self._stages()):
            if number < reached:
                continue
            self._stop_if_cancelled(job.name)
            if number > reached:
                self._store.set_status(job.name, stage.status)
            if stage.status == "Running" and not trained:
                await self._train(job)
                trained = True
            await self._wait(job.name, stage.share * self._options.pace)

    def _stages(self) -> list[Stage]:
        """Return the stages before the last status."""
        if not self._options.status_path:
            completes = self._options.final_status == "Completed"
            return list(STAGES if completes else STAGES[: ORDER.index("Finalizing")])
        path = [status for status in self._options.status_path if status not in TERMINAL]
        if path[:1] != ["NotStarted"]:
            path.insert(0, "NotStarted")
        return [Stage(status, 1 / len(path)) for status in path]

    async def _train(self, job: JobRecord) -> None:
        """Run a command; of other jobs, only check the data."""
        if job.is_command:
            await self._commands.run(job, self._cancels[job.name])
            return
        details = job.properties["fineTuningDetails"]
        await self._files.check_rows(details["trainingData"]["uri"], MIN_TRAINING_ROWS)
        if details.get("validationData"):
            await self._files.check_rows(details["validationData"]["uri"], 1)
        if self._options.draws_failure(job.name):
            raise JobFailed("The failure lottery (--fail-rate) has drawn this job.")

    async def _end(self, job: JobRecord) -> None:
        self._stop_if_cancelled(job.name)
        status = self._options.last_status
        if status == "Completed":
            self._store.complete(job.name)
            return
        current = self._store.job(job.name)
        if current and current.status != status:
            message = f"The emulator was told to end jobs as {status}."
            self._store.set_status(job.name, status, message)
        if status not in TERMINAL and status != "CancelRequested":
            await self._cancels[job.name].wait()  # the job stays in this status
            raise _Cancelled

    async def _wait(self, name: str, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._cancels[name].wait()

    def _stop_if_cancelled(self, name: str) -> None:
        """Raise _Cancelled: only Canceled may follow CancelRequested."""
        if self._cancels[name].is_set():
            raise _Cancelled
