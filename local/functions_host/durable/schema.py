"""Tables of the task hub's SQLite file."""

VERSION = 3
SCHEMA = """
CREATE TABLE instances (
    instance_id TEXT PRIMARY KEY, status TEXT NOT NULL, record TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE history (
    instance_id TEXT NOT NULL, position INTEGER NOT NULL, event TEXT NOT NULL,
    PRIMARY KEY (instance_id, position)
) WITHOUT ROWID;
CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, instance_id TEXT NOT NULL, execution_id TEXT,
    kind INTEGER NOT NULL, due REAL NOT NULL, event TEXT NOT NULL
);
CREATE INDEX messages_due ON messages (due);
CREATE INDEX messages_instance ON messages (instance_id, due);
CREATE TABLE activities (
    id INTEGER PRIMARY KEY AUTOINCREMENT, instance_id TEXT NOT NULL, execution_id TEXT NOT NULL,
    task_id INTEGER NOT NULL, name TEXT NOT NULL, input TEXT
);
"""
