"""Files, jobs and their events."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.emulators.azure_openai.options import TERMINAL
from local.emulators.database import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, filename TEXT NOT NULL,
    purpose TEXT NOT NULL, bytes INTEGER NOT NULL, created INTEGER NOT NULL, status TEXT NOT NULL,
    details TEXT, rows INTEGER
);
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, body TEXT NOT NULL,
    created INTEGER NOT NULL, status TEXT NOT NULL, stage INTEGER NOT NULL DEFAULT 0,
    held INTEGER NOT NULL DEFAULT 0, rows INTEGER NOT NULL, error TEXT, finished INTEGER, model TEXT
);
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, job TEXT NOT NULL,
    created INTEGER NOT NULL, level TEXT NOT NULL, message TEXT NOT NULL, data TEXT
);
CREATE INDEX IF NOT EXISTS events_of_jobs ON events (job);
"""


@dataclass(frozen=True, slots=True)
class FileRecord:
    """`rows` is known once the file was checked; `details` says why it cannot be used."""

    number: int
    id: str
    filename: str
    purpose: str
    bytes: int
    created: int
    status: str
    details: str | None
    rows: int | None


@dataclass(frozen=True, slots=True)
class JobRecord:
    """`body` is the accepted request, `stage` the place in the course; `held` jobs are paused."""

    number: int
    id: str
    body: dict[str, Any]
    created: int
    status: str
    stage: int
    held: bool
    rows: int  # of the training file
    error: dict[str, Any] | None
    finished: int | None
    model: str | None

    @property
    def is_terminal(self) -> bool:
        return self.status in TERMINAL

    @property
    def label(self) -> str:
        """What is the same for this job in every emulator: the caller's name of it, or its number."""
        metadata: dict[str, str] = self.body.get("metadata") or {}
        return metadata.get("job") or str(self.number)


@dataclass(frozen=True, slots=True)
class EventRecord:
    number: int
    id: str
    job: str
    created: int
    level: str
    message: str
    data: dict[str, float] | None


class Store:
    """The emulator's database. `path` None keeps everything in memory."""

    def __init__(self, path: Path | None) -> None:
        self._database = Database(path, SCHEMA)
        self.close = self._database.close

    def add_file(self, file_id: str, filename: str, purpose: str, size: int) -> FileRecord:
        insert = (
            "INSERT INTO files (id, filename, purpose, bytes, created, status)"
            " VALUES (?, ?, ?, ?, ?, 'pending')"
        )
        self._database.rows(insert, file_id, filename, purpose, size, _now())
        file = self.file(file_id)
        assert file is not None
        return file

    def file(self, file_id: str) -> FileRecord | None:
        rows = self._database.rows("SELECT * FROM files WHERE id = ?", file_id)
        return FileRecord(*rows[0]) if rows else None

    def files(self) -> list[FileRecord]:
        """Return every file, newest first."""
        rows = self._database.rows("SELECT * FROM files ORDER BY number DESC")
        return [FileRecord(*row) for row in rows]

    def check_file(self, file_id: str, status: str, rows: int, details: str | None) -> None:
        """Store the result of a check."""
        update = "UPDATE files SET status = ?, rows = ?, details = ? WHERE id = ?"
        self._database.rows(update, status, rows, details, file_id)

    def delete_file(self, file_id: str) -> None:
        self._database.rows("DELETE FROM files WHERE id = ?", file_id)

    def add_job(self, body: dict[str, Any], rows: int, status: str) -> JobRecord:
        job_id = new_id("ftjob")
        insert = "INSERT INTO jobs (id, body, created, rows, status) VALUES (?, ?, ?, ?, ?)"
        self._database.rows(insert, job_id, json.dumps(body), _now(), rows, status)
        job = self.job(job_id)
        assert job is not None
        return job

    def job(self, job_id: str) -> JobRecord | None:
        rows = self._database.rows("SELECT * FROM jobs WHERE id = ?", job_id)
        return _job(rows[0]) if rows else None

    def jobs(self) -> list[JobRecord]:
        """Return every job, newest first."""
        return [_job(row) for row in self._database.rows("SELECT * FROM jobs ORDER BY number DESC")]

    def set_status(self, job_id: str, status: str, stage: int) -> None:
        update = "UPDATE jobs SET status = ?, stage = ? WHERE id = ?"
        self._database.rows(update, status, stage, job_id)

    def hold(self, job_id: str, held: bool, status: str) -> None:
        update = "UPDATE jobs SET held = ?, status = ? WHERE id = ?"
        self._database.rows(update, int(held), status, job_id)

    def finish(
        self,
        job_id: str,
        status: str,
        *,
        error: dict[str, Any] | None = None,
        model: str | None = None,
    ) -> None:
        update = (
            "UPDATE jobs SET status = ?, error = ?, model = ?, finished = ?, held = 0 WHERE id = ?"
        )
        self._database.rows(update, status, _json(error), model, _now(), job_id)

    def add_event(
        self,
        job_id: str,
        message: str,
        *,
        level: str = "info",
        data: dict[str, float] | None = None,
    ) -> None:
        insert = (
            "INSERT INTO events (id, job, created, level, message, data) VALUES (?, ?, ?, ?, ?, ?)"
        )
        self._database.rows(insert, new_id("ftevent"), job_id, _now(), level, message, _json(data))

    def events(self, job_id: str) -> list[EventRecord]:
        """Return a job's events, newest first."""
        select = "SELECT * FROM events WHERE job = ? ORDER BY number DESC"
        return [_event(row) for row in self._database.rows(select, job_id)]

    def count_metrics(self, job_id: str) -> int:
        select = "SELECT COUNT(*) FROM events WHERE job = ? AND data IS NOT NULL"
        return self._database.value(select, job_id)


def new_id(kind: str) -> str:
    return f"{kind}-{secrets.token_hex(16)}"


def _job(row: tuple[Any, ...]) -> JobRecord:
    number, job_id, body, created, status, stage, held, rows, error, finished, model = row
    return JobRecord(
        number=number,
        id=job_id,
        body=json.loads(body),
        created=created,
        status=status,
        stage=stage,
        held=bool(held),
        rows=rows,
        error=_parsed(error),
        finished=finished,
        model=model,
    )


def _event(row: tuple[Any, ...]) -> EventRecord:
    number, event_id, job, created, level, message, data = row
    return EventRecord(number, event_id, job, created, level, message, _parsed(data))


def _json(value: dict[str, Any] | None) -> str | None:
    return json.dumps(value) if value else None


def _parsed(text: str | None) -> dict[str, Any] | None:
    return json.loads(text) if text else None


def _now() -> int:
    return int(time.time())
