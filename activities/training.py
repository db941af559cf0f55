"""The training of one student of a run: its datasets measured, its job submitted once, and what is known of it written down."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from activities.prepare import read_spec
from shared.core.errors import NotFound, PermanentError
from shared.core.paths import RUNS, RunPaths, Split
from shared.core.settings import Settings
from shared.finetuning.base import (
    Dataset,
    FineTuneRequest,
    FineTuningBackend,
    JobState,
    JobStatus,
)
from shared.finetuning.record import SplitFacts, TrainingRecord, request_key
from shared.finetuning.registry import get_backend
from shared.report.model import file_facts
from shared.spec.models import RunSpec, StudentSpec

if TYPE_CHECKING:
    from shared.core.storage import Storage


@dataclass
class Training:
    """A student of a run, with the record of its jobs. Make it with `read`."""

    storage: Storage
    own: Settings
    paths: RunPaths
    spec: RunSpec
    student: StudentSpec
    record: TrainingRecord

    @classmethod
    async def read(cls, storage: Storage, own: Settings, run_id: str, number: int) -> Training:
        paths = RunPaths(run_id)
        spec = await read_spec(storage, paths)
        try:
            record = TrainingRecord.model_validate(await storage.read_json(paths.training(number)))
        except NotFound:
            record = TrainingRecord(student=number)
        return cls(storage, own, paths, spec, spec.students[number], record)

    @property
    def backend(self) -> FineTuningBackend:
        return get_backend(self.student.backend, self.own)

    async def write(self) -> None:
        name = self.paths.training(self.record.student)
        await self.storage.write(name, self.record.model_dump_json(indent=1).encode())

    async def measure(self, splits: list[Split]) -> None:
        """Size and hash of each dataset, read again only where it has changed."""
        known, self.record.datasets = self.record.datasets, {}
        for split in splits:
            name = self.paths.dataset(split)
            properties = await self.storage.properties(f"{RUNS}/{name}")
            if properties is None:
                raise PermanentError(f"{RUNS}/{name} is gone: resume the run to assemble it again")
            facts = known.get(split)
            if facts is None or facts.etag != properties.etag:
                read = await file_facts(name, self.storage.stream(name))
                uri = self.own.datastore_uri(name) or self.storage.uri(name)
                dataset = Dataset(
                    blob=name, uri=uri, **read.model_dump(include={"bytes", "lines", "sha256"})
                )
                facts = SplitFacts(etag=properties.etag, dataset=dataset)
            self.record.datasets[split] = facts

    async def submit(self, round_: int) -> JobState:
        """The job of this round. Its name is written down before it is asked for, so that no repetition takes another."""
        record, key = (
            self.record,
            request_key(self.student, [self._dataset("train"), self._dataset("validation")]),
        )
        attempt = record.current
        if attempt is None or attempt.key != key:
            await self._cancel_earlier()
        elif attempt.round == round_:
            return await self._submit()
        else:
            state = await self._submit()
            if state.status not in (JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.CANCELLING):
                attempt.round = round_
                return state
        record.begin(self.paths.run_id, key, round_)
        await self.write()
        return await self._submit()

    def request(self) -> FineTuneRequest | None:
        """The request of the last attempt, None where there was none."""
        attempt, training = self.record.current, self._dataset("train")
        if attempt is None or training is None:
            return None
        validation, spec = self._dataset("validation"), self.spec
        hashes = {"train_sha256": training.sha256} | (
            {"validation_sha256": validation.sha256} if validation else {}
        )
        return FineTuneRequest(
            run_id=self.paths.run_id,
            job_name=attempt.job_name,
            student=self.student,
            registered_model_name=self.student.registered_model_name or self.paths.run_id,
            training=training,
            validation=validation,
            experiment=f"distillation-{spec.task}",
            display_name=attempt.job_name,
            tags={
                "run_id": self.paths.run_id,
                "task": spec.task,
                "teacher": spec.teacher.model or "",
                "isDistill": "True",
                **hashes,
            },
            description=f"Student distilled from {spec.teacher.model} for task {spec.task}",
        )

    async def _submit(self) -> JobState:
        request = self.request()
        assert request is not None
        return await asyncio.to_thread(self.backend.submit, request)

    async def _cancel_earlier(self) -> None:
        """A run that was terminated may have left a job behind that trains with what is no longer wanted."""
        job = self.record.job
        if not job or not job.get("job") or JobStatus(job["status"]).is_terminal:
            return
        try:
            await asyncio.to_thread(self.backend.cancel, job["job"])
        except NotFound:
            return

    def _dataset(self, split: str) -> Dataset | None:
        facts = self.record.datasets.get(split)
        return facts.dataset if facts else None
