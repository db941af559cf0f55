"""Jobs, their statuses over time, and registered models, in one SQLite file: what was answered survives a restart."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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
    """`properties` is the body as it was accepted; `model_version` is that of the model registered at the end."""

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
    def model_output(self) -> str | None:
        """The output that is registered as a model at the end."""
        outputs: dict[str, dict[str, Any]] = self.properties.get("outputs") or {}
        return next((name for name, output in outputs.items() if output.get("assetName")), None)

    @property
    def model_name(self) -> str | None:
        return (
            self.properties["outputs"][self.model_output]["assetName"]
            if self.model_output
            else None
        )


@dataclass(frozen=True, slots=True)
class ModelRecord:
    name: str
    version: int
    job: str
    created: str


class Store:
    """One file, one process, one thread. `path` None keeps everything in memory."""

    def __init__(self, path: Path | None) -> None:
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path or ":memory:", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.executescript(SCHEMA)

    def close(self) -> None:
        self._database.close()

    def signing_key(self) -> bytes:
        """The key of this emulator's tokens, made at its first start."""
        insert = "INSERT OR IGNORE INTO secrets VALUES ('signing', ?)"
        self._database.execute(insert, (secrets.token_bytes(32),))
        row = self._database.execute("SELECT value FROM secrets WHERE name = 'signing'").fetchone()
        return bytes(row[0])

    def job(self, name: str) -> JobRecord | None:
        jobs = self._jobs("WHERE name = ?", name)
        return jobs[0] if jobs else None

    def jobs(self) -> list[JobRecord]:
        """Every job, newest first."""
        return self._jobs("ORDER BY created DESC, rowid DESC")

    def add_job(self, name: str, properties: dict[str, Any]) -> None:
        with self._transaction():
            values = (name, json.dumps(properties), "NotStarted", _now())
            self._database.execute("INSERT INTO jobs VALUES (?, ?, ?, ?, NULL, NULL)", values)
            self._note_status(name, "NotStarted")

    def change_job(self, name: str, properties: dict[str, Any]) -> None:
        self._database.execute(
            "UPDATE jobs SET properties = ? WHERE name = ?", (json.dumps(properties), name)
        )

    def set_status(self, name: str, status: str, message: str | None = None) -> None:
        with self._transaction():
            self._set_status(name, status, message)

    def complete(self, name: str) -> None:
        """Register the next version of the job's model, where it has one, and end the job: both or neither."""
        with self._transaction():
            job = self.job(name)
            assert job is not None
            if job.model_name:
                self._register(name, job.model_name)
            self._set_status(name, "Completed", None)

    def statuses(self, job: str) -> list[tuple[str, str]]:
        """(status, when) in order."""
        rows = self._database.execute(
            "SELECT status, at FROM statuses WHERE job = ? ORDER BY rowid", (job,)
        )
        return [(status, at) for status, at in rows]

    def models(self, name: str) -> list[ModelRecord]:
        """Every version of a model, newest first."""
        rows = self._database.execute(
            "SELECT name, version, job, created FROM models WHERE name = ? ORDER BY version DESC",
            (name,),
        )
        return [ModelRecord(*row) for row in rows]

    def _jobs(self, where: str, *values: str) -> list[JobRecord]:
        columns = "name, properties, status, created, message, model_version"
        rows = self._database.execute(f"SELECT {columns} FROM jobs {where}", values)  # noqa: S608 -- our own texts
        return [JobRecord(row[0], json.loads(row[1]), *row[2:]) for row in rows]

    def _register(self, job: str, model: str) -> None:
        latest = self._database.execute("SELECT MAX(version) FROM models WHERE name = ?", (model,))
        version = (latest.fetchone()[0] or 0) + 1
        self._database.execute(
            "INSERT INTO models VALUES (?, ?, ?, ?)", (model, version, job, _now())
        )
        self._database.execute("UPDATE jobs SET model_version = ? WHERE name = ?", (version, job))

    def _set_status(self, name: str, status: str, message: str | None) -> None:
        self._database.execute(
            "UPDATE jobs SET status = ?, message = ? WHERE name = ?", (status, message, name)
        )
        self._note_status(name, status)

    def _note_status(self, name: str, status: str) -> None:
        self._database.execute("INSERT INTO statuses VALUES (?, ?, ?)", (name, status, _now()))

    @contextmanager
    def _transaction(self) -> Generator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")


def _now() -> str:
    return datetime.now(UTC).isoformat()
