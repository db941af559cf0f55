"""The queue of runs on real storage: never more at work than allowed, and no slot without a run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.core.paths import RUN_QUEUE
from shared.core.shared_document import SharedDocument
from shared.core.storage import Storage
from shared.runs.contracts import LEAVE_QUEUE, PREPARE_RUN, TAKE_TURN, Event
from shared.runs.run_queue import RunQueue
from tests.activities.conftest import Configure
from tests.support.activities import DurableClient, call

NEXT = 1


class App:
    """Runs named by letters, which were started in the order of the alphabet."""

    def __init__(self, storage: Storage, configure: Configure) -> None:
        self.client = DurableClient()
        self._document = SharedDocument(storage, RUN_QUEUE, RunQueue)
        self._configure = configure

    def allow(self, limit: int | None) -> None:
        self._configure(MAX_ACTIVE_RUNS=None if limit is None else str(limit))

    def show(self, run: str, status: str | None) -> None:
        """Set the runtime status of a run; None is a run that was purged."""
        if status is None:
            del self.client.statuses[run]
        else:
            self.client.statuses[run] = {"runtimeStatus": status}

    async def take(self, *runs: str, round_: int = 0) -> list[int]:
        """Return the place of each run, 0 for one whose turn it is."""
        return [await self.take_one(run, round_=round_) for run in runs]

    async def take_one(self, run: str, *, round_: int = 0) -> int:
        self.client.statuses.setdefault(run, {"runtimeStatus": "Running"})
        return (await call(TAKE_TURN, request(run, round_), self.client))["place"]

    async def leave(self, run: str, *, round_: int = 0) -> None:
        assert (await call(LEAVE_QUEUE, request(run, round_), self.client))["status"] == "ok"

    async def queue(self) -> tuple[str, str]:
        """Return the runs at work, and those that wait, in order."""
        queue = await self._document.read()
        return (
            "".join(run.run_id for run in queue.active),
            "".join(run.run_id for run in queue.waiting),
        )

    @property
    def told(self) -> list[str]:
        """The runs that were told of their turn, each once."""
        events = [(run, name) for run, name, _ in self.client.events]
        assert {name for _, name in events} <= {Event.TURN}
        return list(dict.fromkeys(run for run, _ in events))


def request(run: str, round_: int) -> dict[str, Any]:
    minute = ord(run) - ord("a") + 20 * round_
    started = f"2026-01-01T00:{minute:02}:00+00:00"
    return {"run_id": run, "round": round_, "started": started}


@pytest.fixture
async def runs(app: Configure, storage: Storage) -> AsyncIterator[App]:
    """An app that allows one run at a time. Tests of one worker share its storage."""
    await storage.delete(RUN_QUEUE)
    apps = App(storage, app)
    apps.allow(1)
    yield apps
    await storage.delete(RUN_QUEUE)


async def test_runs_wait_in_the_order_in_which_they_were_started(runs: App) -> None:
    assert await runs.take("b", "d", "c", "a") == [0, NEXT, NEXT, NEXT]
    assert await runs.queue() == ("b", "acd")
    for left, then in (("b", "a"), ("a", "c"), ("c", "d")):
        await runs.leave(left)
        assert (await runs.queue())[0] == then
        assert await runs.take_one(then) == 0
    assert runs.told == ["a", "c", "d"]
    await runs.leave("d")
    assert await runs.queue() == ("", "")


async def test_however_many_ask_at_once_no_more_than_allowed_begin(runs: App) -> None:
    runs.allow(3)
    places = await asyncio.gather(*(runs.take_one(run) for run in "abcdefghijkl"))
    assert places.count(0) == 3
    active, waiting = await runs.queue()
    assert (len(active), sorted(active + waiting)) == (3, list("abcdefghijkl"))
    await asyncio.gather(*(runs.leave(run) for run in active))
    assert await runs.queue() == (waiting[:3], waiting[3:])


async def test_an_activity_that_is_executed_twice_changes_nothing(runs: App) -> None:
    await runs.take("a", "b", "c")
    assert await runs.take("a", "b", "c") == [0, NEXT, 2]
    await runs.leave("a")
    await runs.leave("a")
    assert await runs.queue() == ("b", "c")


async def test_a_worker_that_was_killed_before_it_told_anyone_tells_it_when_it_repeats(
    runs: App,
) -> None:
    await runs.take("a", "b")
    runs.client.events_break = ConnectionError("killed")
    await runs.leave("a")
    assert runs.told == []
    runs.client.events_break = None
    await runs.leave("a")
    assert runs.told == ["b"]


async def test_a_run_that_knows_of_its_turn_is_not_told_again(runs: App) -> None:
    await runs.take("a", "b")
    await runs.leave("a")
    assert await runs.take_one("b") == 0
    runs.client.events.clear()
    await runs.take("c")
    assert runs.told == []


@pytest.mark.parametrize("status", ["Terminated", "Failed", "Completed", None])
async def test_the_slot_of_a_run_that_no_longer_lives_is_found_free(
    runs: App, status: str | None
) -> None:
    await runs.take("a", "b")
    runs.show("a", status)
    assert await runs.take_one("b") == 0
    assert await runs.queue() == ("b", "")


async def test_a_waiting_run_that_no_longer_lives_gets_no_slot(runs: App) -> None:
    await runs.take("a", "b", "c", "d")
    runs.show("b", "Terminated")
    runs.show("c", None)
    await runs.leave("a")
    assert await runs.queue() == ("d", "")


async def test_a_paused_run_keeps_its_slot(runs: App) -> None:
    await runs.take("a", "b")
    runs.show("a", "Suspended")
    assert await runs.take_one("b") == NEXT


async def test_the_turn_of_a_paused_run_passes_to_the_next_one_and_comes_again(runs: App) -> None:
    await runs.take("a", "b", "c")
    runs.show("b", "Suspended")
    await runs.leave("a")
    assert await runs.queue() == ("c", "b")
    runs.show("b", "Running")
    await runs.leave("c")
    assert await runs.queue() == ("b", "")


async def test_a_task_hub_that_cannot_be_read_frees_no_slot(runs: App) -> None:
    await runs.take("a", "b")
    runs.client.breaks = ConnectionError("no route to the task hub")
    assert await runs.take_one("b") == NEXT


async def test_a_later_round_gives_up_the_slot_that_its_earlier_one_left_behind(runs: App) -> None:
    await runs.take("a", "b")  # and a is terminated, and resumed
    assert await runs.take_one("a", round_=1) == NEXT
    assert await runs.queue() == ("b", "a")
    await runs.leave("a", round_=0)  # by an execution that comes late
    assert await runs.queue() == ("b", "a")


async def test_a_changed_limit_counts_from_the_next_look(runs: App) -> None:
    await runs.take("a", "b", "c", "d")
    runs.allow(3)
    assert await runs.take_one("d") == NEXT
    assert await runs.queue() == ("abc", "d")
    runs.allow(1)
    await runs.leave("a")
    assert await runs.queue() == ("bc", "d")
    runs.allow(None)
    assert await runs.take_one("d") == 0


async def test_only_runs_of_an_app_with_a_limit_are_queued(runs: App, new_run: Any) -> None:
    for limit, is_queued in ((2, True), (None, False)):
        runs.allow(limit)
        run = new_run()
        await run.arrive(b"{}\n")
        assert (await call(PREPARE_RUN, run.request))["is_queued"] is is_queued
