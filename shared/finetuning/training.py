"""The training of one student of a run: its datasets, its job, and the record of both.

A job is submitted once. Its name is written down before it is submitted, so a repetition finds it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.core.errors import NotFound, PermanentError
from shared.core.paths import RUNS, RunPaths, Split
from shared.core.settings import Settings
from shared.dataset.file_facts import file_facts
from shared.finetuning.base import (
    Dataset,
    FineTuneRequest,
    FineTuningBackend,
    JobState,
    JobStatus,
)
from shared.finetuning.record import SplitFacts, TrainingRecord, request_key
from shared.finetuning.registry import get_backend
from shared.spec.models import RunSpec, StudentSpec
from shared.spec.resolution import read_spec

if TYPE_CHECKING:
    from shared.core.storage import Storage

FAILING = (JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.CANCELLING)


@dataclass
class Training:
    """A student of a run, with the record of its jobs. Make it with `read`."""

    storage: Storage
    settings: Settings
    paths: RunPaths
    spec: RunSpec
    student: StudentSpec
    record: TrainingRecord

    @classmethod
    async def read(cls, storage: Storage, settings: Settings, run_id: str, number: int) -> Training:
        """Return the training of the student of this number. Its record is empty at first."""
        paths = RunPaths(run_id)
        spec = await read_spec(storage, paths)
        try:
            record = TrainingRecord.model_validate(await storage.read_json(paths.training(number)))
        except NotFound:
            record = TrainingRecord(student=number)
        return cls(storage, settings, paths, spec, spec.students[number], record)

    @property
    def backend(self) -> FineTuningBackend:
        """The service that trains the student."""
        return get_backend(self.student.backend, self.settings)

    async def write(self) -> None:
        """Write the record."""
        name = self.paths.training(self.record.student)
        await self.storage.write(name, self.record.model_dump_json(indent=1).encode())

    async def measure(self, splits: list[Split]) -> None:
        """Note size and hash of each dataset, reading only those that have changed.

        Raises PermanentError for a dataset that is gone.
        """
        before = self.record.datasets
        self.record.datasets = {}
        for split in splits:
            self.record.datasets[split] = await self._measured(split, before.get(split))

    async def _measured(self, split: Split, before: SplitFacts | None) -> SplitFacts:
        name = self.paths.dataset(split)
        properties = await self.storage.properties(f"{RUNS}/{name}")
        if properties is None:
            raise PermanentError(f"{RUNS}/{name} is gone: resume the run to assemble it again")
        if before is not None and before.etag == properties.etag:
            return before
        facts = await file_facts(name, self.storage.stream(name))
        dataset = Dataset(
            blob=name,
            uri=self.settings.datastore_uri(name) or self.storage.uri(name),
            bytes=facts.bytes,
            lines=facts.lines,
            sha256=facts.sha256,
        )
        return SplitFacts(etag=properties.etag, dataset=dataset)

    async def submit(self, round_: int) -> JobState:
        """Submit the job of this round of the run, or find it. Raises TransientError.

        The job of an earlier round is taken over if it trains with the same and has not failed.
        """
        datasets = [self._dataset("train"), self._dataset("validation")]
        key = request_key(self.student, datasets)
        attempt = self.record.current
        if attempt is None or attempt.key != key:
            await self._cancel_earlier_job()
        elif attempt.round == round_:
            return await self._submit()
        else:
            state = await self._submit()
            if state.status not in FAILING:
                attempt.round = round_
                return state
        self.record.begin(self.paths.run_id, key, round_, self.student.backend or "")
        await self.write()
        return await self._submit()

    def request(self) -> FineTuneRequest | None:
        """Return the request of the last attempt, None if there was none."""
        attempt = self.record.current
        training = self._dataset("train")
        if attempt is None or training is None:
            return None
        validation = self._dataset("validation")
        spec = self.spec
        return FineTuneRequest(
            run_id=self.paths.run_id,
            job_name=attempt.job_name,
            student=self.student,
            registered_model_name=self.student.registered_model_name or self.paths.run_id,
            training=training,
            validation=validation,
            experiment=f"distillation-{spec.task}",
            display_name=attempt.job_name,
            tags=self._tags(training, validation),
            description=f"Student distilled from {spec.teacher.model} for task {spec.task}",
        )

    def _tags(self, training: Dataset, validation: Dataset | None) -> dict[str, str]:
        tags = {
            "run_id": self.paths.run_id,
            "task": self.spec.task,
            "teacher": self.spec.teacher.model or "",
            "isDistill": "True",
            "train_sha256": training.sha256,
        }
        if validation:
            tags["validation_sha256"] = validation.sha256
        return tags

    async def _submit(self) -> JobState:
        request = self.request()
        assert request is not None
        return await asyncio.to_thread(self.backend.submit, request)

    async def _cancel_earlier_job(self) -> None:
        """Cancel the job of a run that was terminated: it trains with something else."""
        job = self.record.job
        if job is None or not job.job or job.status.is_terminal:
            return
        try:
            await asyncio.to_thread(self.backend.cancel, job.job)
        except NotFound:
            return

    def _dataset(self, split: Split) -> Dataset | None:
        facts = self.record.datasets.get(split)
        return facts.dataset if facts else None
