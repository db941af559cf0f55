"""Jobs, their statuses over time, and registered models."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from local.emulators.database import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS jobs (
    name TEXT PRIMARY KEY, properties TEXT NOT NULL, status TEXT NOT NULL, created TEXT NOT NULL,
    message TEXT, model_version INTEGER
);
CREATE TABLE IF NOT EXISTS statuses (job TEXT NOT NULL, status TEXT NOT NULL, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS models (
    name TEXT NOT NULL, version INTEGER NOT NULL, job TEXT NOT NULL, created TEXT NOT NULL,
    PRIMARY KEY (name, version)
);
"""
TERMINAL = frozenset({"Completed", "Failed", "Canceled"})


@dataclass(frozen=True, slots=True)
class JobRecord:
    """`properties` is the accepted body, `model_version` the version of the model registered."""

    name: str
    properties: dict[str, Any]
    status: str
    created: str
    message: str | None
    model_version: int | None

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
class ModelRecord:
    name: str
    version: int
    job: str
    created: str


class StatusChange(NamedTuple):
    """A status that a job had, and when it came to it."""

    status: str
    at: str  # ISO 8601


class Store:
    """The emulator's database. `path` None keeps everything in memory."""

    def __init__(self, path: Path | None) -> None:
        self._database = Database(path, SCHEMA)
        self.close = self._database.close

    def signing_key(self) -> bytes:
        """Return the key of this emulator's tokens, made at its first start."""
        insert = "INSERT OR IGNORE INTO secrets VALUES ('signing', ?)"
        self._database.rows(insert, secrets.token_bytes(32))
        return bytes(self._database.value("SELECT value FROM secrets WHERE name = 'signing'"))

    def job(self, name: str) -> JobRecord | None:
        rows = self._database.rows("SELECT * FROM jobs WHERE name = ?", name)
        return _job(rows[0]) if rows else None

    def jobs(self) -> list[JobRecord]:
        """Return every job, newest first."""
        return [_job(row) for row in self._database.rows("SELECT * FROM jobs ORDER BY rowid DESC")]

    def add_job(self, name: str, properties: dict[str, Any]) -> None:
        insert = "INSERT INTO jobs VALUES (?, ?, 'NotStarted', ?, NULL, NULL)"
        with self._database.transaction():
            self._database.rows(insert, name, json.dumps(properties), _now())
            self._note_status(name, "NotStarted")

    def change_job(self, name: str, properties: dict[str, Any]) -> None:
        update = "UPDATE jobs SET properties = ? WHERE name = ?"
        self._database.rows(update, json.dumps(properties), name)

    def set_status(self, name: str, status: str, message: str | None = None) -> None:
        with self._database.transaction():
            self._set_status(name, status, message)

    def complete(self, job: JobRecord) -> None:
        """End a job and register the next version of its model, if it has one: both or neither."""
        with self._database.transaction():
            if job.model_name:
                self._register(job.name, job.model_name)
            self._set_status(job.name, "Completed", None)

    def statuses(self, job: str) -> list[StatusChange]:
        """Return the statuses of a job in order."""
        select = "SELECT status, at FROM statuses WHERE job = ? ORDER BY rowid"
        return [StatusChange(*row) for row in self._database.rows(select, job)]

    def models(self, name: str) -> list[ModelRecord]:
        """Return every version of a model, newest first."""
        select = "SELECT * FROM models WHERE name = ? ORDER BY version DESC"
        return [ModelRecord(*row) for row in self._database.rows(select, name)]

    def _register(self, job: str, model: str) -> None:
        latest = self._database.value("SELECT MAX(version) FROM models WHERE name = ?", model)
        version = (latest or 0) + 1
        insert = "INSERT INTO models VALUES (?, ?, ?, ?)"
        self._database.rows(insert, model, version, job, _now())
        self._database.rows("UPDATE jobs SET model_version = ? WHERE name = ?", version, job)

    def _set_status(self, name: str, status: str, message: str | None) -> None:
        update = "UPDATE jobs SET status = ?, message = ? WHERE name = ?"
        self._database.rows(update, status, message, name)
        self._note_status(name, status)

    def _note_status(self, name: str, status: str) -> None:
        self._database.rows("INSERT INTO statuses VALUES (?, ?, ?)", name, status, _now())


def _job(row: tuple[Any, ...]) -> JobRecord:
    name, properties, *rest = row
    return JobRecord(name, json.loads(properties), *rest)


def _now() -> str:
    return datetime.now(UTC).isoformat()
