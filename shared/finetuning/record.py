"""What a run knows of a student's training, in `finetune/<student>.json`.

It is written before a job is submitted and after it has ended, so nothing is trained twice: after
a lost response, or in a resumed run, it says which job was submitted with what, and the service is
asked for that job first.
"""

from __future__ import annotations

import hashlib
import json

from pydantic import BaseModel, Field

from shared.finetuning.base import Dataset, JobRecord, JobState
from shared.spec.models import StudentSpec

# settings of a student that don't change what is trained
WITHOUT_EFFECT = frozenset(
    {"max_hours", "max_silent_minutes", "delete_files", "training_price", "hosting_price"}
)


class Attempt(BaseModel):
    """One job, submitted in this round of the run. `key` is a `request_key`."""

    job_name: str
    key: str
    round: int
    backend: str = ""


class SplitFacts(BaseModel):
    """A dataset as it was read for the job. `etag` tells whether it has changed since."""

    etag: str
    dataset: Dataset


class Trained(BaseModel):
    """A student in the report: its last job, and how the training went."""

    student: str = Field(description="asset id or name of the model")
    backend: str
    job: JobState | None = Field(default=None, description="None where none was submitted")
    earlier_jobs: list[str] = Field(
        default_factory=list[str], description="of rounds before, oldest first"
    )
    course: JobRecord | None = Field(
        default=None, description="metrics by step, checkpoints, and what the service said"
    )


class TrainingRecord(BaseModel):
    """All jobs of one student, and the outcome of the last one."""

    student: int = 0  # its index in the specification
    attempts: list[Attempt] = Field(default_factory=list[Attempt])
    datasets: dict[str, SplitFacts] = Field(default_factory=dict[str, SplitFacts])
    job: JobState | None = None  # as it was last shown
    ended: JobRecord | None = None

    def trained(self, student: StudentSpec) -> Trained:
        """Return the student's entry in the report."""
        return Trained(
            student=student.model or "",
            backend=student.backend or "",
            job=self.job,
            earlier_jobs=[attempt.job_name for attempt in self.attempts[:-1]],
            course=self.ended,
        )

    @property
    def current(self) -> Attempt | None:
        return self.attempts[-1] if self.attempts else None

    def begin(self, run_id: str, key: str, round_: int, backend: str) -> Attempt:
        """Add an attempt and return it.

        Its job is named `<run id>`, `<run id>-2`, …; of further students `<run id>-s2`,
        `<run id>-s2-2`, …
        """
        base = f"{run_id}-s{self.student + 1}" if self.student else run_id
        number = len(self.attempts) + 1
        job_name = base if number == 1 else f"{base}-{number}"
        attempt = Attempt(job_name=job_name, key=key, round=round_, backend=backend)
        self.attempts.append(attempt)
        self.job = None
        self.ended = None
        return attempt


def request_key(student: StudentSpec, datasets: list[Dataset | None]) -> str:
    """Return a hash of what decides a job's result: the student's settings and its datasets."""
    settings = student.model_dump(mode="json", exclude_none=True, exclude=set(WITHOUT_EFFECT))
    hashes = [dataset.sha256 if dataset else None for dataset in datasets]
    return hashlib.sha256(json.dumps([settings, hashes], sort_keys=True).encode()).hexdigest()
