"""An SQLite file of an emulator's records: what it has answered survives a restart."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")
SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL,
    record TEXT NOT NULL, UNIQUE (kind, id)
);
"""


class Database:
    """One file, one process, one thread. Without a path everything is kept in memory."""

    def __init__(self, path: Path | None) -> None:
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
        self.connection = sqlite3.connect(path or ":memory:", isolation_level=None)
        self.close = self.connection.close
        try:
            self.connection.execute("PRAGMA journal_mode = WAL")
            self.connection.execute("PRAGMA synchronous = NORMAL")
            self.connection.executescript(SCHEMA)
        except sqlite3.Error:
            self.close()
            raise


class Collection(Generic[T]):
    """The records of one kind: a dataclass or pydantic model, identified by `key`."""

    def __init__(self, database: Database, kind: type[T], key: Callable[[T], str]) -> None:
        self._connection = database.connection
        self._kind = kind.__name__
        self._key = key
        self._adapter = TypeAdapter(kind)

    def get(self, record_id: str) -> T | None:
        records = self._select("id = ?", record_id)
        return records[0] if records else None

    def all(self) -> list[T]:
        """Return every record, newest first."""
        return self._select("TRUE")

    def save(self, record: T) -> None:
        """Insert a record, or replace the one with the same key."""
        statement = (
            "INSERT INTO records (kind, id, record) VALUES (?, ?, ?)"
            " ON CONFLICT (kind, id) DO UPDATE SET record = excluded.record"
        )
        text = self._adapter.dump_json(record).decode()
        self._connection.execute(statement, (self._kind, self._key(record), text))

    def delete(self, record_id: str) -> None:
        statement = "DELETE FROM records WHERE kind = ? AND id = ?"
        self._connection.execute(statement, (self._kind, record_id))

    def _select(self, condition: str, *values: str) -> list[T]:
        select = "SELECT record FROM records WHERE kind = ? AND"
        statement = f"{select} {condition} ORDER BY number DESC"
        rows = self._connection.execute(statement, (self._kind, *values))
        return [self._adapter.validate_json(row[0]) for row in rows]
