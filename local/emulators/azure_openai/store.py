"""Files and jobs, in the shape in which the API shows them, with what only the emulator needs."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from local.emulators.azure_openai.options import TERMINAL
from local.emulators.database import Collection, Database


def _now() -> int:
    return int(time.time())


def new_id(kind: str) -> Callable[[], str]:
    """Return a factory of ids."""
    return lambda: f"{kind}-{secrets.token_hex(16)}"


class File(BaseModel):
    object: Literal["file"] = "file"
    id: str
    bytes: int
    created_at: int = Field(default_factory=_now)
    filename: str
    purpose: str
    status: str = "pending"
    status_details: str | None = None  # why it cannot be used

    rows: int = 0  # known once the file was checked

    def shown(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude={"rows"}, exclude_none=True)


class Event(BaseModel):
    object: Literal["fine_tuning.job.event"] = "fine_tuning.job.event"
    id: str = Field(default_factory=new_id("ftevent"))
    created_at: int = Field(default_factory=_now)
    level: str = "info"
    message: str
    type: Literal["message", "metrics"] = "message"
    data: dict[str, Any] = Field(default_factory=dict[str, Any])

    def shown(self) -> dict[str, Any]:
        return self.model_dump(mode="json")


class Job(BaseModel):
    object: Literal["fine_tuning.job"] = "fine_tuning.job"
    id: str = Field(default_factory=new_id("ftjob"))
    model: str
    training_type: str
    created_at: int = Field(default_factory=_now)
    finished_at: int | None = None
    fine_tuned_model: str | None = None
    organization_id: None = None  # OpenAI says a text and a list, Azure answers null
    result_files: None = None
    status: str
    training_file: str
    validation_file: str | None = None
    hyperparameters: dict[str, Any]
    method: dict[str, Any]
    trained_tokens: int | None = None
    error: dict[str, Any] | None = None
    seed: int = 0
    suffix: str | None = None
    metadata: dict[str, str] | None = None
    integrations: list[Any] = Field(default_factory=list[Any])

    number: int  # 1 for the first job of this emulator
    rows: int  # of the training file
    stage: int = 0  # place in the course
    events: list[Event] = Field(default_factory=list[Event])  # oldest first

    @property
    def is_terminal(self) -> bool:
        return self.status in TERMINAL

    @property
    def label(self) -> str:
        """The job's name in every emulator: the caller's name of it, or its number."""
        return (self.metadata or {}).get("job") or str(self.number)

    def shown(self) -> dict[str, Any]:
        hidden = {"number", "rows", "stage", "events", "training_type"}
        shown = self.model_dump(mode="json", exclude=hidden)
        return {**shown, "trainingType": self.training_type}


class Store:
    """The emulator's database. `path` None keeps everything in memory."""

    def __init__(self, path: Path | None) -> None:
        database = Database(path)
        self.close = database.close
        self.files = Collection(database, File, lambda file: file.id)
        self.jobs = Collection(database, Job, lambda job: job.id)

    def change_job(self, job_id: str, **changes: Any) -> Job:
        """Return the job with these fields changed."""
        job = self.jobs.get(job_id)
        assert job is not None
        changed = job.model_copy(update=changes)
        self.jobs.save(changed)
        return changed

    def finish(self, job_id: str, status: str, **changes: Any) -> None:
        """End a job."""
        self.change_job(job_id, status=status, finished_at=_now(), **changes)

    def add_event(self, job_id: str, message: str, **fields: Any) -> None:
        job = self.jobs.get(job_id)
        assert job is not None
        self.change_job(job_id, events=[*job.events, Event(message=message, **fields)])
