"""The task hub's file: transactions, messages and their time, and what is left after a restart."""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from local.functions_host.durable.events import Event, Kind, Status, event, time_text
from local.functions_host.durable.records import (
    Inbox,
    Instance,
    Message,
    Parent,
)
from local.functions_host.durable.schema import SCHEMA
from local.functions_host.durable.store import Store, StoreError
from tests.support.durable_simulation import BEGINNING, completed, fired, raised, started

NOW = 1000.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "hub.sqlite")
    yield opened
    opened.close()


def instance(
    instance_id: str = "one", status: Status = Status.RUNNING, created: str = ""
) -> Instance:
    return Instance(
        instance_id=instance_id,
        execution_id="first",
        name="orchestrator",
        status=status,
        input="[1]",
        output=None,
        custom_status='{"stage": 1}',
        created=created or time_text(BEGINNING),
        updated=time_text(BEGINNING),
        parent=Parent(instance_id="parent", execution_id="its", task_id=3),
    )


def message(
    payload: Event, *, execution: str | None = "first", due: float = 0.0, instance_id: str = "one"
) -> Message:
    return Message(instance_id=instance_id, execution_id=execution, event=payload, due=due)


def take(store: Store, now: float = NOW) -> Inbox:
    """What is due for the one instance: something is."""
    inbox = store.inbox("one", now)
    assert inbox is not None
    return inbox


def test_an_instance_is_read_as_it_was_written(store: Store) -> None:
    store.put_instance(instance())
    assert store.instance("one") == instance()
    assert store.instance("two") is None


def test_a_transaction_that_breaks_leaves_nothing(store: Store) -> None:
    with pytest.raises(RuntimeError), store.transaction():
        store.put_instance(instance())
        store.send([message(completed(0))])
        raise RuntimeError
    assert store.instance("one") is None
    assert store.ready(NOW) == []
    with store.transaction():
        store.put_instance(instance())
    assert store.instance("one") is not None


def test_messages_stay_until_they_are_consumed(store: Store) -> None:
    store.put_instance(instance())
    store.send([message(completed(0)), message(completed(1))])
    for _ in range(2):
        assert take(store).events == [completed(0), completed(1)]
    store.consume(take(store).message_ids[:1])
    inbox = take(store)
    assert inbox.events == [completed(1)]
    store.consume(inbox.message_ids)
    assert store.inbox("one", NOW) is None
    assert store.ready(NOW) == []


def test_a_message_that_is_due_later_is_not_seen_before(store: Store) -> None:
    store.put_instance(instance())
    store.send([message(fired(0), due=NOW + 5), message(fired(1), due=NOW + 3)])
    assert store.ready(NOW) == []
    assert store.inbox("one", NOW) is None
    assert store.next_due(NOW) == NOW + 3
    assert store.ready(NOW + 3) == ["one"]
    assert take(store, NOW + 3).events == [fired(1)]
    assert store.next_due(NOW + 3) == NOW + 5
    assert store.next_due(NOW + 5) is None


def test_messages_for_an_execution_that_is_over_are_dropped(store: Store) -> None:
    store.put_instance(replace(instance(), execution_id="second"))
    store.send(
        [
            message(fired(0)),
            message(raised("x"), execution=None),
            message(completed(0), execution="second"),
        ]
    )
    inbox = take(store)
    assert inbox.events == [raised("x"), completed(0)]
    store.consume(inbox.message_ids)
    assert store.inbox("one", NOW) is None
    assert store.ready(NOW) == []


def test_what_begins_an_execution_comes_before_all_that_was_sent_earlier(store: Store) -> None:
    store.put_instance(instance())
    begins = started("null", BEGINNING)
    store.send(
        [
            message(raised("x"), execution=None),
            message(begins),
            message(raised("y"), execution=None),
        ]
    )
    assert take(store).events == [begins, raised("x"), raised("y")]


@pytest.mark.parametrize("gone", [None, Status.COMPLETED, Status.FAILED, Status.TERMINATED])
def test_messages_for_what_is_gone_are_dropped(store: Store, gone: Status | None) -> None:
    if gone is not None:
        store.put_instance(instance(status=gone))
    store.send([message(completed(0))])
    assert store.inbox("one", NOW) is None
    assert store.ready(NOW) == []


def test_a_suspended_instance_heeds_orders_alone_and_loses_nothing(store: Store) -> None:
    store.put_instance(instance(status=Status.SUSPENDED))
    store.send([message(completed(0)), message(fired(1))])
    assert store.ready(NOW) == []
    resumed = event(Kind.EXECUTION_RESUMED, BEGINNING, Reason="")
    store.send([message(resumed, execution=None)])
    assert store.ready(NOW) == ["one"]
    inbox = take(store)
    assert inbox.events == [resumed]
    store.consume(inbox.message_ids)
    store.put_instance(instance())
    assert take(store).events == [completed(0), fired(1)]


def test_history_counts_as_played_once_it_is_written(store: Store) -> None:
    store.append_history("one", 0, [raised("a"), raised("b")])
    store.append_history("one", 2, [raised("c")])
    assert [(past["Name"], past["IsPlayed"]) for past in store.history("one")] == [
        ("a", True),
        ("b", True),
        ("c", True),
    ]
    with pytest.raises(sqlite3.IntegrityError):
        store.append_history("one", 1, [raised("again")])


def test_an_activity_ends_once_and_tells_its_instance(store: Store) -> None:
    store.put_instance(instance())
    store.schedule("one", "first", 4, "work", '{"shard": 1}')
    store.schedule("one", "first", 5, "work", None)
    first, second = store.waiting(after=0, limit=10)
    assert (first.task_id, first.name, first.input, second.input) == (
        4,
        "work",
        '{"shard": 1}',
        None,
    )
    assert store.waiting(after=first.id, limit=10) == [second]
    for _ in range(2):
        store.end_activity(first, completed(4))
    assert take(store).events == [completed(4)]
    assert store.waiting(after=0, limit=10) == [second]


def test_the_end_of_an_activity_of_a_forgotten_instance_tells_nobody(store: Store) -> None:
    store.put_instance(instance())
    store.schedule("one", "first", 0, "work", None)
    [activity] = store.waiting(after=0, limit=1)
    store.delete("one")
    store.put_instance(instance())
    store.end_activity(activity, completed(0))
    assert store.inbox("one", NOW) is None


def test_events_for_the_instance_outlive_its_execution(store: Store) -> None:
    store.put_instance(instance())
    store.append_history("one", 0, [completed(0)])
    store.schedule("one", "first", 1, "work", None)
    store.send([message(fired(0), due=NOW + 1), message(raised("kept"), execution=None)])
    store.delete_execution("one", "first")
    assert store.history("one") == []
    assert store.waiting(after=0, limit=10) == []
    assert store.next_due(NOW) is None
    assert take(store).events == [raised("kept")]


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "hub.sqlite"
    before = Store(path)
    before.put_instance(instance())
    before.append_history("one", 0, [completed(0)])
    before.send([message(fired(1), due=NOW + 1)])
    before.schedule("one", "first", 2, "work", "5")
    before.close()
    after = Store(path)
    try:
        inbox = take(after, NOW + 1)
        assert inbox.instance == instance()
        assert inbox.history == [{**completed(0), "IsPlayed": True}]
        assert inbox.events == [fired(1)]
        assert [activity.task_id for activity in after.waiting(after=0, limit=10)] == [2]
    finally:
        after.close()


def test_a_file_of_another_version_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "hub.sqlite"
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    for _ in range(2):
        with pytest.raises(StoreError, match="another version"):
            Store(path)


def test_a_file_that_is_no_database_is_refused_and_closed(tmp_path: Path) -> None:
    path = tmp_path / "hub.sqlite"
    path.write_bytes(b"not a database at all, and longer than a header" * 10)
    with pytest.raises(sqlite3.DatabaseError):
        Store(path)
    gc.collect()  # an open connection would be an unraisable warning, from Python 3.13 on


def test_a_first_start_that_was_cut_off_leaves_no_half_made_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "hub.sqlite"
    with monkeypatch.context() as patch:
        patch.setattr("local.functions_host.durable.schema.SCHEMA", SCHEMA + "THE POWER FAILS;")
        with pytest.raises(sqlite3.OperationalError):
            Store(path)
    store = Store(path)
    store.put_instance(instance())
    store.close()
