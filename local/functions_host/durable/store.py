"""The task hub: one SQLite file. What is acted on was committed before: a kill loses nothing.

A message is an event on its way to an instance; timers are messages that are due later. Consuming
messages and recording what came of them is one transaction, and so is an activity's end and the
message that reports it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from local.functions_host.durable import schema
from local.functions_host.durable.events import Event, Kind, Status
from local.functions_host.durable.records import Activity, Inbox, Instance, Message, Parent

MAX_MESSAGES = 1000  # of one episode
# Read by a suspended instance; a second suspension too, as it would else suspend what was resumed.
CONTROL = (
    int(Kind.EXECUTION_SUSPENDED),
    int(Kind.EXECUTION_RESUMED),
    int(Kind.EXECUTION_TERMINATED),
)


class StoreError(Exception):
    """The file is not a task hub of this version."""


class Store:
    """The task hub in this file. Not for use from several threads."""

    def __init__(self, path: Path) -> None:
        """Raises StoreError for a file that another version wrote."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self.default_version = ""  # of new orchestrations: host.json's defaultVersion
        self._db = sqlite3.connect(path, isolation_level=None)
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
            # safe against kill -9; only a power cut could lose the last moments
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Generator[None]:
        """All or nothing. Transactions do not nest."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # instances

    def instance(self, instance_id: str) -> Instance | None:
        """Return an instance, None if there is none of this id."""
        sql = "SELECT record FROM instances WHERE instance_id = ?"
        row = self._db.execute(sql, (instance_id,)).fetchone()
        return _instance(row[0]) if row else None

    def history(self, instance_id: str) -> list[Event]:
        """Return the events of the latest execution."""
        sql = "SELECT event FROM history WHERE instance_id = ? ORDER BY position"
        return [json.loads(text) for (text,) in self._db.execute(sql, (instance_id,))]

    def put_instance(self, instance: Instance) -> None:
        """Write an instance, over one of the same id."""
        values = (instance.instance_id, instance.status, _dumps(asdict(instance)))
        self._db.execute("INSERT OR REPLACE INTO instances VALUES (?, ?, ?)", values)

    def delete(self, instance_id: str) -> None:
        """Delete an instance with its history, messages and waiting activities."""
        for table in ("instances", "history", "messages", "activities"):
            self._db.execute(f"DELETE FROM {table} WHERE instance_id = ?", (instance_id,))

    def delete_execution(self, instance_id: str, execution_id: str) -> None:
        """Delete an execution's history, messages and activities, not the instance's events."""
        self._db.execute("DELETE FROM history WHERE instance_id = ?", (instance_id,))
        for table in ("messages", "activities"):
            sql = f"DELETE FROM {table} WHERE instance_id = ? AND execution_id = ?"
            self._db.execute(sql, (instance_id, execution_id))

    # messages

    def send(self, messages: Iterable[Message]) -> None:
        """Send messages; each is delivered once it is due."""
        rows = [
            (
                message.instance_id,
                message.execution_id,
                message.event["EventType"],
                message.due,
                _dumps(message.event),
            )
            for message in messages
        ]
        columns = "instance_id, execution_id, kind, due, event"
        self._db.executemany(f"INSERT INTO messages ({columns}) VALUES (?, ?, ?, ?, ?)", rows)

    def ready(self, now: float) -> list[str]:
        """Return the ids of the instances that have messages to read."""
        sql = f"""SELECT DISTINCT m.instance_id FROM messages m LEFT JOIN instances i
            USING (instance_id) WHERE m.due <= ?
            AND (i.status IS NOT '{Status.SUSPENDED}' OR m.kind IN {CONTROL})"""
        return [instance_id for (instance_id,) in self._db.execute(sql, (now,))]

    def next_due(self, now: float) -> float | None:
        """Return when the next timer is due, of those that are not due yet."""
        [due] = self._db.execute("SELECT min(due) FROM messages WHERE due > ?", (now,)).fetchone()
        return due

    def inbox(self, instance_id: str, now: float) -> Inbox | None:
        """Return an instance and what is due for it, None if nothing is.

        Messages stay until `consume`; those for executions that are over are dropped. What begins
        an execution comes first, whatever was sent before.
        """
        instance = self.instance(instance_id)
        if instance is None or instance.status.is_terminal:
            self.drop_messages(instance_id)
            return None
        suspended = f" AND kind IN {CONTROL}" if instance.status is Status.SUSPENDED else ""
        sql = f"""SELECT id, execution_id, event FROM messages
            WHERE instance_id = ? AND due <= ?{suspended}
            ORDER BY kind <> {int(Kind.EXECUTION_STARTED)}, id LIMIT {MAX_MESSAGES}"""
        stale: list[int] = []
        message_ids: list[int] = []
        events: list[Event] = []
        for message_id, execution, text in self._db.execute(sql, (instance_id, now)).fetchall():
            if execution in (None, instance.execution_id):
                message_ids.append(message_id)
                events.append(json.loads(text))
            else:
                stale.append(message_id)
        self.consume(stale)
        if not message_ids:
            return None
        history = self.history(instance_id)
        return Inbox(instance=instance, history=history, message_ids=message_ids, events=events)

    def consume(self, message_ids: Sequence[int]) -> None:
        """Delete messages that were read."""
        rows = [(message_id,) for message_id in message_ids]
        self._db.executemany("DELETE FROM messages WHERE id = ?", rows)

    def drop_messages(self, instance_id: str) -> None:
        """Delete the messages and timers of an instance that has ended."""
        self._db.execute("DELETE FROM messages WHERE instance_id = ?", (instance_id,))

    def append_history(self, instance_id: str, position: int, events: Sequence[Event]) -> None:
        """Add events from this position on. From now on they count as played."""
        rows = [
            (instance_id, position + offset, _dumps({**event, "IsPlayed": True}))
            for offset, event in enumerate(events)
        ]
        self._db.executemany("INSERT INTO history VALUES (?, ?, ?)", rows)

    # activities

    def schedule(
        self, instance_id: str, execution_id: str, task_id: int, name: str, input_: Any
    ) -> None:
        """Add an activity that waits to be run."""
        columns = "instance_id, execution_id, task_id, name, input"
        values = (instance_id, execution_id, task_id, name, json.dumps(input_))
        self._db.execute(f"INSERT INTO activities ({columns}) VALUES (?, ?, ?, ?, ?)", values)

    def has_activities(self, instance_id: str) -> bool:
        """Return whether an instance has activities that have not ended."""
        sql = "SELECT 1 FROM activities WHERE instance_id = ? LIMIT 1"
        return self._db.execute(sql, (instance_id,)).fetchone() is not None

    def waiting(self, after: int, limit: int) -> list[Activity]:
        """Return activities with a number above `after`, oldest first."""
        columns = "id, instance_id, execution_id, task_id, name, input"
        sql = f"SELECT {columns} FROM activities WHERE id > ? ORDER BY id LIMIT ?"
        rows = self._db.execute(sql, (after, limit))
        return [_activity(dict(zip(columns.split(", "), row, strict=True))) for row in rows]

    def end_activity(self, activity: Activity, outcome: Event) -> None:
        """Delete an activity that has ended and send its outcome to its instance."""
        message = Message(
            instance_id=activity.instance_id, execution_id=activity.execution_id, event=outcome
        )
        with self.transaction():
            deleted = self._db.execute("DELETE FROM activities WHERE id = ?", (activity.id,))
            if deleted.rowcount:  # else the instance was purged meanwhile
                self.send([message])

    def _prepare(self) -> None:
        [version] = self._db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            # one transaction: a host that is killed here must not leave tables without a version
            script = f"BEGIN; {schema.SCHEMA} PRAGMA user_version = {schema.VERSION}; COMMIT;"
            self._db.executescript(script)
        elif version != schema.VERSION:
            raise StoreError(
                f"{self._path} was written by another version:"
                " remove it, or choose another data directory"
            )


_dumps: Callable[[Any], str] = json.JSONEncoder(separators=(",", ":")).encode


def _instance(record: str) -> Instance:
    fields: dict[str, Any] = json.loads(record)
    fields["status"] = Status(fields["status"])
    if fields["parent"] is not None:
        fields["parent"] = Parent(**fields["parent"])
    return Instance(**fields)


def _activity(fields: dict[str, Any]) -> Activity:
    return Activity(**{**fields, "input": json.loads(fields["input"])})
