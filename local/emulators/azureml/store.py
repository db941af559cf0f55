"""Jobs with their statuses over time, and the models that they registered."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from local.emulators.database import Collection, Database

TERMINAL = frozenset({"Completed", "Failed", "Canceled"})


class StatusChange(NamedTuple):
    """A status that a job had, and when it came to it."""

    status: str
    at: str  # ISO 8601


@dataclass(frozen=True, slots=True)
class JobRecord:
    """`properties` is the accepted body, `model_version` the version of the model registered."""

    name: str
    properties: dict[str, Any]
    status: str
    created: str
    message: str | None = None
    model_version: int | None = None
    statuses: list[StatusChange] = field(default_factory=list[StatusChange])

    @property
    def is_terminal(self) -> bool:
        return self.status in TERMINAL

    @property
    def is_command(self) -> bool:
        return self.properties["jobType"] == "Command"

    @property
    def model_output(self) -> str | None:
        """The output that is registered as a model at the end."""
        outputs: dict[str, dict[str, Any]] = self.properties.get("outputs") or {}
        return next((name for name, output in outputs.items() if output.get("assetName")), None)

    @property
    def model_name(self) -> str | None:
        output = self.model_output
        return self.properties["outputs"][output]["assetName"] if output else None


@dataclass(frozen=True, slots=True)
class _SigningKey:
    """The key of this emulator's tokens, in hex."""

    value: str


class Store:
    """The emulator's database. `path` None keeps everything in memory."""

    def __init__(self, path: Path | None) -> None:
        self._database = Database(path)
        self._jobs = Collection(self._database, JobRecord, lambda job: job.name)
        self.close = self._database.close
        self.job = self._jobs.get
        self.jobs = self._jobs.all

    def signing_key(self) -> bytes:
        """Return the key of this emulator's tokens, made at its first start."""
        keys = Collection(self._database, _SigningKey, lambda _: "key")
        if not keys.all():
            keys.save(_SigningKey(secrets.token_hex(32)))
        return bytes.fromhex(keys.all()[0].value)

    def add_job(self, name: str, properties: dict[str, Any]) -> None:
        first = StatusChange("NotStarted", _now())
        self._jobs.save(JobRecord(name, properties, first.status, first.at, statuses=[first]))

    def change_job(self, name: str, properties: dict[str, Any]) -> None:
        self._jobs.save(replace(self._existing(name), properties=properties))

    def set_status(self, name: str, status: str, message: str | None = None) -> None:
        self._jobs.save(_with_status(self._existing(name), status, message))

    def complete(self, name: str) -> None:
        """End a job and register the next version of its model, if it has one: both or neither."""
        job = self._existing(name)
        if job.model_name:
            job = replace(job, model_version=len(self.models(job.model_name)) + 1)
        self._jobs.save(_with_status(job, "Completed", None))

    def models(self, name: str) -> list[JobRecord]:
        """Return the jobs that registered the versions of a model, newest first."""
        versions = {job.model_version: job for job in self.jobs() if job.model_name == name}
        return [versions[version] for version in sorted(filter(None, versions), reverse=True)]

    def _existing(self, name: str) -> JobRecord:
        job = self.job(name)
        assert job is not None
        return job


def _with_status(job: JobRecord, status: str, message: str | None) -> JobRecord:
    statuses = [*job.statuses, StatusChange(status, _now())]
    return replace(job, status=status, message=message, statuses=statuses)


def _now() -> str:
    return datetime.now(UTC).isoformat()
