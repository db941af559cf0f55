"""The task hub: one SQLite file. Whatever is acted on was committed before, so that a killed host goes on where it was.

A message is an event on its way to an instance; timers are messages that are due later. Taking in messages and recording
what came of them is one transaction, and so is an activity's end and the message that tells of it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from local.functions_host.durable.events import Event, Kind, Status, time_text

SCHEMA_VERSION = 1
MAX_MESSAGES = 1000  # taken in at once
# what a suspended instance heeds; a second suspension too, as it would else suspend what was resumed
CONTROL = (
    int(Kind.EXECUTION_SUSPENDED),
    int(Kind.EXECUTION_RESUMED),
    int(Kind.EXECUTION_TERMINATED),
)

SCHEMA = """
CREATE TABLE instances (
    instance_id TEXT PRIMARY KEY, execution_id TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL,
    input TEXT, output TEXT, custom_status TEXT, created TEXT NOT NULL, updated TEXT NOT NULL,
    parent_id TEXT, parent_execution_id TEXT, parent_task_id INTEGER
) WITHOUT ROWID;
CREATE INDEX instances_created ON instances (created, instance_id);
CREATE TABLE history (
    instance_id TEXT NOT NULL, position INTEGER NOT NULL, event TEXT NOT NULL, PRIMARY KEY (instance_id, position)
) WITHOUT ROWID;
CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, instance_id TEXT NOT NULL, execution_id TEXT, kind INTEGER NOT NULL,
    due REAL NOT NULL, event TEXT NOT NULL
);
CREATE INDEX messages_due ON messages (due);
CREATE INDEX messages_instance ON messages (instance_id, due);
CREATE TABLE activities (
    id INTEGER PRIMARY KEY AUTOINCREMENT, instance_id TEXT NOT NULL, execution_id TEXT NOT NULL, task_id INTEGER NOT NULL,
    name TEXT NOT NULL, input TEXT
);
"""


class StoreError(Exception):
    """The file is no task hub of this version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """Who waits for a sub-orchestration: the execution, and the id of its task."""

    instance_id: str
    execution_id: str
    task_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One orchestration. `input`, `output` and `custom_status` are JSON texts; times as in events."""

    instance_id: str
    execution_id: str
    name: str
    status: Status
    input: str | None
    output: str | None
    custom_status: str | None
    created: str
    updated: str
    parent: Parent | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """An event for an instance; `execution_id` None: for whichever execution is the latest. `due`: seconds since the epoch."""

    instance_id: str
    execution_id: str | None
    event: Event
    due: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """An activity that was scheduled and has not ended. `input` is what its trigger gets: mostly JSON text."""

    id: int
    instance_id: str
    execution_id: str
    task_id: int
    name: str
    input: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """An instance with its history and the messages that are due (at least one), as read at one moment."""

    instance: Instance
    history: list[Event]
    message_ids: list[int]
    news: list[Event]  # one for each id


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceQuery:
    """Conditions of a listing. `after` is the instance id that the page before ended with."""

    prefix: str = ""
    created_from: str | None = None
    created_to: str | None = None
    statuses: tuple[Status, ...] = ()
    after: str = ""
    limit: int = 100


class Store:
    """The task hub in this file. Not for use from several threads."""

    def __init__(self, path: Path) -> None:
        """Raises StoreError for a file that another version wrote."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self.default_version = ""  # that new orchestrations get: host.json's defaultVersion
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute(
            "PRAGMA synchronous=NORMAL"
        )  # safe against kill -9; only a power cut could lose the last moments
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
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
        found = self._db.execute(
            f"SELECT {_COLUMNS} FROM instances WHERE instance_id = ?", (instance_id,)
        ).fetchone()
        return _instance(found) if found else None

    def find(self, query: InstanceQuery) -> list[Instance]:
        """Instances that meet the conditions, in order of id."""
        conditions, values = (
            ["instance_id > ?", "substr(instance_id, 1, ?) = ?"],
            [query.after, len(query.prefix), query.prefix],
        )
        if query.created_from:
            conditions, values = [*conditions, "created >= ?"], [*values, query.created_from]
        if query.created_to:
            conditions, values = [*conditions, "created <= ?"], [*values, query.created_to]
        if query.statuses:
            conditions.append(f"status IN ({', '.join('?' * len(query.statuses))})")
            values += list(query.statuses)
        sql = f"SELECT {_COLUMNS} FROM instances WHERE {' AND '.join(conditions)} ORDER BY instance_id LIMIT ?"
        return [_instance(row) for row in self._db.execute(sql, (*values, query.limit))]

    def history(self, instance_id: str) -> list[Event]:
        sql = "SELECT event FROM history WHERE instance_id = ? ORDER BY position"
        return [json.loads(text) for (text,) in self._db.execute(sql, (instance_id,))]

    def put_instance(self, instance: Instance) -> None:
        """Write an instance, over one of the same id."""
        parent = instance.parent
        values = (
            instance.instance_id,
            instance.execution_id,
            instance.name,
            instance.status,
            instance.input,
            instance.output,
            instance.custom_status,
            instance.created,
            instance.updated,
            *(
                (parent.instance_id, parent.execution_id, parent.task_id)
                if parent
                else (None, None, None)
            ),
        )
        self._db.execute(
            f"INSERT OR REPLACE INTO instances ({_COLUMNS}) VALUES ({', '.join('?' * 12)})", values
        )

    def forget(self, instance_id: str, *, instance: bool = True) -> None:
        """Delete an instance's history, messages and waiting activities; and the instance itself, unless told otherwise."""
        for table in ("history", "messages", "activities", *(("instances",) if instance else ())):
            self._db.execute(f"DELETE FROM {table} WHERE instance_id = ?", (instance_id,))

    def forget_execution(self, instance_id: str, execution_id: str) -> None:
        """Delete an execution's history and what is on its way to it; events for the instance as such stay."""
        self._db.execute("DELETE FROM history WHERE instance_id = ?", (instance_id,))
        for table in ("messages", "activities"):
            sql = f"DELETE FROM {table} WHERE instance_id = ? AND execution_id = ?"
            self._db.execute(sql, (instance_id, execution_id))

    # messages

    def send(self, messages: Iterable[Message]) -> None:
        rows = [
            (one.instance_id, one.execution_id, one.event["EventType"], one.due, _dumps(one.event))
            for one in messages
        ]
        sql = "INSERT INTO messages (instance_id, execution_id, kind, due, event) VALUES (?, ?, ?, ?, ?)"
        self._db.executemany(sql, rows)

    def ready(self, now: float) -> list[str]:
        """Ids of the instances that have something to take in."""
        sql = f"""SELECT DISTINCT m.instance_id FROM messages m LEFT JOIN instances i USING (instance_id)
            WHERE m.due <= ? AND (i.status IS NOT '{Status.SUSPENDED}' OR m.kind IN {CONTROL})"""
        return [instance_id for (instance_id,) in self._db.execute(sql, (now,))]

    def next_due(self, now: float) -> float | None:
        """When the next timer is due, of those that are not due yet."""
        [due] = self._db.execute("SELECT min(due) FROM messages WHERE due > ?", (now,)).fetchone()
        return due

    def take(self, instance_id: str, now: float) -> Taken | None:
        """An instance and what is due for it, None if nothing is. Messages stay until `consume`.

        Messages for executions that are over are dropped. What begins an execution comes first, whatever was sent before.
        """
        instance = self.instance(instance_id)
        if instance is None or instance.status.is_terminal:
            self._db.execute("DELETE FROM messages WHERE instance_id = ?", (instance_id,))
            return None
        suspended = f" AND kind IN {CONTROL}" if instance.status is Status.SUSPENDED else ""
        sql = f"""SELECT id, execution_id, event FROM messages
            WHERE instance_id = ? AND due <= ?{suspended} ORDER BY kind <> {int(Kind.EXECUTION_STARTED)}, id
            LIMIT {MAX_MESSAGES}"""
        rows = self._db.execute(sql, (instance_id, now)).fetchall()
        self.consume(
            [
                message_id
                for message_id, execution, _ in rows
                if execution not in (None, instance.execution_id)
            ]
        )
        valid = [
            (message_id, text)
            for message_id, execution, text in rows
            if execution in (None, instance.execution_id)
        ]
        if not valid:
            return None
        ids, news = [message_id for message_id, _ in valid], [json.loads(text) for _, text in valid]
        return Taken(
            instance=instance, history=self.history(instance_id), message_ids=ids, news=news
        )

    def consume(self, message_ids: Sequence[int]) -> None:
        self._db.executemany("DELETE FROM messages WHERE id = ?", [(one,) for one in message_ids])

    def append_history(self, instance_id: str, position: int, events: Sequence[Event]) -> None:
        """Add events from this position on. From now on they count as played."""
        rows = [
            (instance_id, position + n, _dumps({**one, "IsPlayed": True}))
            for n, one in enumerate(events)
        ]
        self._db.executemany(
            "INSERT INTO history (instance_id, position, event) VALUES (?, ?, ?)", rows
        )

    # activities

    def schedule(
        self, instance_id: str, execution_id: str, task_id: int, name: str, input_: Any
    ) -> None:
        sql = "INSERT INTO activities (instance_id, execution_id, task_id, name, input) VALUES (?, ?, ?, ?, ?)"
        self._db.execute(sql, (instance_id, execution_id, task_id, name, json.dumps(input_)))

    def has_activities(self, instance_id: str) -> bool:
        """Whether an instance has activities that have not ended."""
        found = self._db.execute(
            "SELECT 1 FROM activities WHERE instance_id = ? LIMIT 1", (instance_id,)
        ).fetchone()
        return found is not None

    def waiting(self, after: int, limit: int) -> list[Activity]:
        """Activities with a number above `after`, oldest first."""
        sql = """SELECT id, instance_id, execution_id, task_id, name, input FROM activities
            WHERE id > ? ORDER BY id LIMIT ?"""
        return [
            Activity(
                id=row[0],
                instance_id=row[1],
                execution_id=row[2],
                task_id=row[3],
                name=row[4],
                input=json.loads(row[5]),
            )
            for row in self._db.execute(sql, (after, limit))
        ]

    def end_activity(self, activity: Activity, outcome: Event) -> None:
        """The activity has ended; its instance is told. One transaction."""
        with self.transaction():
            found = self._db.execute("DELETE FROM activities WHERE id = ?", (activity.id,)).rowcount
            if found:  # else the instance was purged meanwhile
                message = Message(
                    instance_id=activity.instance_id,
                    execution_id=activity.execution_id,
                    event=outcome,
                )
                self.send([message])

    def drop_timers(self, instance_id: str) -> None:
        """An instance that has ended needs its messages no longer."""
        self._db.execute("DELETE FROM messages WHERE instance_id = ?", (instance_id,))

    def touch(self, instance_id: str, status: Status, moment: datetime) -> None:
        sql = "UPDATE instances SET status = ?, updated = ? WHERE instance_id = ?"
        self._db.execute(sql, (status, time_text(moment), instance_id))

    def _prepare(self) -> None:
        [version] = self._db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            # one transaction: a host that is killed here must not leave tables without a version
            self._db.executescript(
                f"BEGIN; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
            )
        elif version != SCHEMA_VERSION:
            raise StoreError(
                f"{self._path} was written by another version: remove it, or choose another data directory"
            )


_COLUMNS = (
    "instance_id, execution_id, name, status, input, output, custom_status, created, updated, "
    "parent_id, parent_execution_id, parent_task_id"
)
_dumps: Callable[[Any], str] = json.JSONEncoder(separators=(",", ":")).encode


def _instance(row: Sequence[Any]) -> Instance:
    parent = Parent(instance_id=row[9], execution_id=row[10], task_id=row[11]) if row[9] else None
    return Instance(
        instance_id=row[0],
        execution_id=row[1],
        name=row[2],
        status=Status(row[3]),
        input=row[4],
        output=row[5],
        custom_status=row[6],
        created=row[7],
        updated=row[8],
        parent=parent,
    )
