"""What a run knows of a student's training, in `finetune/<student>.json`: written before a job is submitted and when it has ended.

It is why nothing is trained twice: whoever submits again, after a lost response or in a resumed run, reads here which job was
asked for, with what, and asks the service for that one first.
"""

from __future__ import annotations

import hashlib
import json

from pydantic import BaseModel, Field

from shared.finetuning.base import Dataset, JobRecord, JobState
from shared.spec.models import StudentSpec

WITHOUT_EFFECT = frozenset(
    {"max_hours", "max_silent_minutes", "delete_files"}
)  # on what is trained


class Attempt(BaseModel):
    """One job, asked for in this round of the run. `key` stands for everything that decides what comes out of it."""

    job_name: str
    key: str
    round: int


class SplitFacts(BaseModel):
    """A dataset as it was read for the job; `etag` tells whether it is still the same."""

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
    """All jobs of one student, and what became of the last one."""

    student: int = 0  # its place in the specification
    attempts: list[Attempt] = Field(default_factory=list[Attempt])
    datasets: dict[str, SplitFacts] = Field(default_factory=dict[str, SplitFacts])
    job: JobState | None = None  # as it was shown last
    ended: JobRecord | None = None

    def told(self, student: StudentSpec) -> Trained:
        """As the report has it."""
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

    def begin(self, run_id: str, key: str, round_: int) -> Attempt:
        """A new job: `<run id>`, `<run id>-2`, …; those of further students `<run id>-s2`, `<run id>-s2-2`, …"""
        base = f"{run_id}-s{self.student + 1}" if self.student else run_id
        number = len(self.attempts) + 1
        attempt = Attempt(
            job_name=f"{base}-{number}" if number > 1 else base, key=key, round=round_
        )
        self.attempts.append(attempt)
        self.job, self.ended = None, None
        return attempt


def request_key(student: StudentSpec, datasets: list[Dataset | None]) -> str:
    """Hash of what a job is trained with: the student's settings and the contents of its datasets."""
    settings = student.model_dump(mode="json", exclude_none=True, exclude=set(WITHOUT_EFFECT))
    hashes = [dataset.sha256 if dataset else None for dataset in datasets]
    return hashlib.sha256(json.dumps([settings, hashes], sort_keys=True).encode()).hexdigest()
