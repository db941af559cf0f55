"""The course of a job: through the statuses a real one has, at the pace asked for, with its data read where training would start.

Every status is stored before the next wait, so that a restarted emulator goes on where it stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
import random

from local.emulators.azureml.commands import CommandFailed, Commands
from local.emulators.azureml.options import EmulatorOptions
from local.emulators.azureml.store import TERMINAL, JobRecord, Store
from local.emulators.azureml.training_data import MIN_TRAINING_ROWS, BadTrainingData, TrainingData

# status and the part of the pace that is spent in it
STAGES: tuple[tuple[str, float], ...] = (
    ("NotStarted", 0.05),
    ("Starting", 0.05),
    ("Provisioning", 0.1),
    ("Preparing", 0.1),
    ("Queued", 0.1),
    ("Running", 0.5),
    ("Finalizing", 0.1),
)
RUNNING_SHARE = dict(STAGES)["Running"]
CANCELLING = 0.1
ORDER = [status for status, _ in STAGES]


class _Cancelled(Exception):
    """Cancellation was asked for."""


class _DrawnToFail(Exception):
    """The failure lottery has drawn this job."""


class Courses:
    """All jobs on their way, one task each."""

    def __init__(
        self, store: Store, data: TrainingData, commands: Commands, options: EmulatorOptions
    ) -> None:
        self._store, self._data, self._commands, self._options = store, data, commands, options
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._cancels: dict[str, asyncio.Event] = {}

    def resume(self) -> None:
        """Go on with every job that has not ended."""
        for job in self._store.jobs():
            if not job.is_terminal:
                self.start(job.name)

    def start(self, name: str) -> None:
        self._cancels[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._run(name), name=f"job {name}")

    def cancel(self, name: str) -> None:
        self._store.set_status(name, "CancelRequested")
        self._cancels[name].set()

    async def stop(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _run(self, name: str) -> None:
        job = self._store.job(name)
        assert job is not None
        try:
            if job.status == "CancelRequested":
                raise _Cancelled
            await self._work(job)
        except _Cancelled:
            await asyncio.sleep(CANCELLING * self._options.pace)
            self._store.set_status(name, "Canceled")
        except BadTrainingData as problem:
            self._store.set_status(name, "Failed", f"The training data cannot be used: {problem}")
        except CommandFailed as problem:
            self._store.set_status(name, "Failed", str(problem))
        except _DrawnToFail:
            self._store.set_status(
                name, "Failed", "The failure lottery (--fail-rate) has drawn this job."
            )
        except (
            Exception
        ) as error:  # a fault of ours must end the job too, not leave it running for ever
            self._store.set_status(
                name, "Failed", f"The emulator failed: {type(error).__name__}: {error}"
            )
            raise

    async def _work(self, job: JobRecord) -> None:
        reached = len(self._store.statuses(job.name)) - 1  # each stage has noted its status once
        trained = False
        for number, (status, share) in enumerate(self._stages()):
            if number < reached:
                continue
            self._stop_if_cancelled(job.name)
            if number > reached:
                self._store.set_status(job.name, status)
            if status == "Running" and not trained:
                await self._train(job)
                trained = True
            await self._wait(job.name, share * self._options.pace)
        await self._end(job)

    def _stages(self) -> list[tuple[str, float]]:
        """The statuses before the last one, each with its part of the pace."""
        if not self._options.status_path:
            last = (
                len(STAGES)
                if self._options.final_status == "Completed"
                else ORDER.index("Finalizing")
            )
            return list(STAGES[:last])
        path = [status for status in self._options.status_path if status not in TERMINAL]
        if path[:1] != ["NotStarted"]:
            path.insert(0, "NotStarted")
        return [(status, 1 / len(path)) for status in path]

    async def _train(self, job: JobRecord) -> None:
        """A command is run. All that is real about other jobs is that their data is read."""
        if job.properties["jobType"] == "Command":
            await self._commands.run(job, self._cancels[job.name])
            return
        details = job.properties["fineTuningDetails"]
        await self._data.check(details["trainingData"]["uri"], MIN_TRAINING_ROWS)
        if details.get("validationData"):
            await self._data.check(details["validationData"]["uri"], 1)
        if random.Random(f"{self._options.seed}:{job.name}").random() < self._options.fail_rate:
            raise _DrawnToFail

    async def _end(self, job: JobRecord) -> None:
        self._stop_if_cancelled(job.name)
        status = self._options.last_status
        if status == "Completed":
            self._store.complete(job.name)
            return
        if status in TERMINAL:
            self._store.set_status(
                job.name, status, f"The emulator was told to end jobs as {status}."
            )
            return
        if self._store.statuses(job.name)[-1][0] != status:
            self._store.set_status(
                job.name, status, f"The emulator was told to leave jobs as {status}."
            )
        if status != "CancelRequested":
            await self._cancels[job.name].wait()  # such a job goes no further by itself
            raise _Cancelled

    async def _wait(self, name: str, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._cancels[name].wait()

    def _stop_if_cancelled(self, name: str) -> None:
        """No status may follow CancelRequested but Canceled."""
        if self._cancels[name].is_set():
            raise _Cancelled
