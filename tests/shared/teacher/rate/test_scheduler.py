"""The scheduler: never too many requests at once, in turn, none while the teacher pauses us."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import Counter
from contextlib import ExitStack
from functools import partial

import pytest

from shared.teacher.rate.scheduler import Lane, RequestScheduler, Turn, process_scheduler


async def ask(scheduler: RequestScheduler, lane: Lane, seconds: float = 0.0) -> None:
    """One request."""
    turn = await scheduler.begin(lane)
    try:
        await asyncio.sleep(seconds)
    finally:
        scheduler.end(lane, turn)


def refuse(scheduler: RequestScheduler, turn: Turn, retry_after: float) -> None:
    """Refuse a request so often that only a quota can be the reason."""
    rate = scheduler.gates[0].rate
    while rate.record_refusal(time.monotonic(), turn.number, retry_after):
        pass


async def ask_in_turn(scheduler: RequestScheduler, order: list[str], name: str, lane: Lane) -> None:
    """One request, which appends its name to the order once it has begun."""
    turn = await scheduler.begin(lane)
    order.append(name)
    await asyncio.sleep(0)
    scheduler.end(lane, turn)


async def test_requests_in_flight_never_exceed_the_ceiling() -> None:
    scheduler = RequestScheduler()
    most = 0

    async def request(lane: Lane) -> None:
        nonlocal most
        turn = await scheduler.begin(lane)
        most = max(most, scheduler.in_flight)
        await asyncio.sleep(0)
        scheduler.end(lane, turn)

    with scheduler.lane("run", 3) as lane:
        await asyncio.gather(*(request(lane) for _ in range(30)))
    assert (most, scheduler.in_flight) == (3, 0)


async def test_each_run_keeps_to_its_own_concurrency() -> None:
    scheduler = RequestScheduler()
    with scheduler.lane("small", 1) as small, scheduler.lane("large", 4) as large:
        asking = [
            asyncio.create_task(scheduler.begin(lane)) for lane in (small, small, large, large)
        ]
        await asyncio.sleep(0.01)
        assert (small.run.in_flight, large.run.in_flight) == (1, 2)
        scheduler.end(small, asking[0].result())
        await asyncio.sleep(0.01)
        assert all(task.done() for task in asking)
        for lane, task in zip((small, large, large), asking[1:], strict=True):
            scheduler.end(lane, task.result())


async def test_shards_take_turns_however_many_requests_each_has_waiting() -> None:
    scheduler = RequestScheduler()
    order: list[str] = []
    request = partial(ask_in_turn, scheduler, order)

    with scheduler.lane("run", 1) as first, scheduler.lane("run", 1) as second:
        many = [request("first", first) for _ in range(40)]
        few = [request("second", second) for _ in range(10)]
        await asyncio.gather(*many, *few)
    assert Counter(order[:20]) == {"first": 10, "second": 10}


@pytest.mark.parametrize("is_paced", [False, True], ids=["by places", "by pace"])
async def test_a_small_run_beside_a_large_one_has_half_of_the_turns(*, is_paced: bool) -> None:
    scheduler = RequestScheduler()
    order: list[str] = []
    request = partial(ask_in_turn, scheduler, order)

    with ExitStack() as lanes:
        large = [lanes.enter_context(scheduler.lane("large", 4)) for _ in range(16)]
        small = lanes.enter_context(scheduler.lane("small", 4))
        # all places are taken until every request waits
        holding = [await scheduler.begin(large[0]) for _ in range(4)]
        if is_paced:
            refuse(scheduler, holding[0], retry_after=0.02)
        asking = [asyncio.create_task(request("large", lane)) for lane in large for _ in range(20)]
        asking += [asyncio.create_task(request("small", small)) for _ in range(20)]
        await asyncio.sleep(0)
        for turn in holding:
            scheduler.end(large[0], turn)
        while len(order) < 40:
            await asyncio.sleep(0.001)
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
    assert Counter(order[:40]) == {"large": 20, "small": 20}
    assert all({*order[place : place + 2]} == {"large", "small"} for place in range(0, 40, 2))


async def test_what_one_run_asks_again_takes_no_turns_from_another() -> None:
    scheduler = RequestScheduler()
    order: list[str] = []

    async def request(name: str, lane: Lane, *, again: bool) -> None:
        turn = await scheduler.begin(lane, is_retry=again)
        order.append(name)
        await asyncio.sleep(0)
        scheduler.end(lane, turn)

    with scheduler.lane("refused", 1) as refused, scheduler.lane("run", 1) as run:
        await asyncio.gather(
            *(request("refused", refused, again=True) for _ in range(20)),
            *(request("run", run, again=False) for _ in range(20)),
        )
    assert Counter(order[:20]) == {"refused": 10, "run": 10}


async def test_all_shards_of_a_run_share_its_one_ceiling() -> None:
    scheduler = RequestScheduler()
    most = Counter[str]()

    async def request(name: str, lane: Lane) -> None:
        turn = await scheduler.begin(lane)
        most[name] = max(most[name], lane.run.in_flight)
        most["all"] = max(most["all"], scheduler.in_flight)
        await asyncio.sleep(0)
        scheduler.end(lane, turn)

    with (
        scheduler.lane("small", 2) as one,
        scheduler.lane("small", 2) as two,
        scheduler.lane("large", 5) as other,
    ):
        lanes = [("small", one), ("small", two), ("large", other)]
        await asyncio.gather(*(request(name, lane) for name, lane in lanes for _ in range(20)))
    # together, runs have as many as the largest of them may
    assert most == {"small": 2, "large": 3, "all": 5}


async def test_shards_have_equal_shares_also_when_the_pace_is_what_holds_them_back() -> None:
    scheduler = RequestScheduler()
    order: list[str] = []
    request = partial(ask_in_turn, scheduler, order)

    with scheduler.lane("run", 8) as first, scheduler.lane("run", 8) as second:
        for _ in range(30):
            scheduler.end(first, await scheduler.begin(first))
        # all places are taken until every request waits
        holding = [await scheduler.begin(first) for _ in range(8)]
        refuse(scheduler, holding[0], retry_after=0.02)
        assert scheduler.gates[0].rate.rate < math.inf
        tasks = [asyncio.create_task(request("first", first)) for _ in range(40)]
        tasks += [asyncio.create_task(request("second", second)) for _ in range(40)]
        await asyncio.sleep(0)
        for turn in holding:
            scheduler.end(first, turn)
        await asyncio.gather(*tasks)
    assert all({*order[place : place + 2]} == {"first", "second"} for place in range(0, 80, 2))


async def test_a_run_that_may_not_begin_takes_no_turns_from_the_others() -> None:
    scheduler = RequestScheduler()
    order: list[str] = []
    request = partial(ask_in_turn, scheduler, order)

    with (
        scheduler.lane("full", 1) as full,
        scheduler.lane("run", 4) as first,
        scheduler.lane("run", 4) as second,
    ):
        turn = await scheduler.begin(full)
        waiting = asyncio.create_task(request("full", full))
        await asyncio.gather(
            *(request("first", first) for _ in range(20)),
            *(request("second", second) for _ in range(20)),
        )
        # the first four began before others waited
        assert Counter(order[4:24]) == {"first": 10, "second": 10}
        scheduler.end(full, turn)
        await waiting
    assert scheduler.in_flight == 0


@pytest.mark.parametrize("again_by", [0, 1], ids=["the same shard", "another shard"])
async def test_what_is_asked_again_goes_before_what_was_not_asked_yet(again_by: int) -> None:
    scheduler = RequestScheduler()
    order: list[str] = []

    async def request(name: str, lane: Lane, *, again: bool) -> None:
        turn = await scheduler.begin(lane, is_retry=again)
        order.append(name)
        scheduler.end(lane, turn)

    with scheduler.lane("run", 1) as first, scheduler.lane("run", 1) as second:
        turn = await scheduler.begin(first)
        waiting = [asyncio.create_task(request("new", first, again=False)) for _ in range(3)]
        lane = (first, second)[again_by]
        waiting.append(asyncio.create_task(request("again", lane, again=True)))
        await asyncio.sleep(0.01)
        scheduler.end(first, turn)
        await asyncio.gather(*waiting)
    assert order == ["again", "new", "new", "new"]


async def test_a_refusal_holds_everyone_back_who_has_not_begun() -> None:
    scheduler = RequestScheduler()
    with scheduler.lane("run", 5) as lane, scheduler.lane("other", 5) as other:
        turn = await scheduler.begin(lane)
        scheduler.end(lane, turn)
        refuse(scheduler, turn, retry_after=0.2)
        began = time.monotonic()
        await asyncio.gather(ask(scheduler, lane), ask(scheduler, other))
    assert time.monotonic() - began >= 0.2


async def test_a_request_that_is_cancelled_leaves_its_place_to_the_next() -> None:
    scheduler = RequestScheduler()
    with scheduler.lane("run", 1) as lane:
        turn = await scheduler.begin(lane)
        waiting = asyncio.create_task(scheduler.begin(lane))
        granted = asyncio.create_task(scheduler.begin(lane))
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.sleep(0)
        # the place goes to `granted`, which is cancelled before it can know
        scheduler.end(lane, turn)
        granted.cancel()
        await asyncio.gather(waiting, granted, return_exceptions=True)
        async with asyncio.timeout(1):
            await ask(scheduler, lane)
    assert scheduler.in_flight == 0


async def test_no_cancelled_request_keeps_a_place_whenever_it_is_cancelled() -> None:
    scheduler = RequestScheduler()
    chance = random.Random(1)
    with scheduler.lane("run", 4) as lane, scheduler.lane("other", 2) as other:
        for _ in range(20):
            asking = [
                asyncio.create_task(ask(scheduler, chance.choice([lane, other]), 0.002))
                for _ in range(30)
            ]
            for task in chance.sample(asking, 20):
                if chance.random() < 0.5:
                    await asyncio.sleep(0)
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
            assert (scheduler.in_flight, lane.run.in_flight, other.run.in_flight) == (0, 0, 0)


async def test_requests_that_are_cancelled_during_a_pause_leave_nothing_behind() -> None:
    scheduler = RequestScheduler()
    with scheduler.lane("run", 2) as lane:
        turn = await scheduler.begin(lane)
        scheduler.end(lane, turn)
        refuse(scheduler, turn, retry_after=0.1)
        waiting = [asyncio.create_task(scheduler.begin(lane)) for _ in range(5)]
        await asyncio.sleep(0.01)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        async with asyncio.timeout(2):
            await ask(scheduler, lane)
    assert scheduler.in_flight == 0


async def test_all_shards_of_a_process_share_one_limiter_a_teacher() -> None:
    shared = process_scheduler(("http://a/v1", "m"))
    assert process_scheduler(("http://a/v1", "m")) is shared
    assert process_scheduler(("http://a/v1", "n")) is not shared
    assert process_scheduler(("http://b/v1", "m")) is not shared


def test_each_event_loop_has_limiters_of_its_own_as_futures_belong_to_one() -> None:
    async def use() -> RequestScheduler:
        return process_scheduler(("http://a/v1", "m"))

    assert asyncio.run(use()) is not asyncio.run(use())
