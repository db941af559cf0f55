"""Workers on one stream: each item is processed once, and a failure ends them all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.generation.worker_pool import WorkerPool


async def batches(*sizes: int) -> AsyncIterator[list[int]]:
    """0, 1, 2, … in batches of these sizes."""
    number = 0
    for size in sizes:
        await asyncio.sleep(0)
        yield list(range(number, number + size))
        number += size


async def test_everything_is_done_once_and_begun_in_order() -> None:
    begun: list[int] = []

    async def do(item: int) -> None:
        begun.append(item)
        pool.add_worker()
        await asyncio.sleep(0.001 * (item % 3))

    pool = WorkerPool(batches(5, 0, 1, 14), do, max_workers=4)
    await pool.run()
    assert begun == list(range(20))


@pytest.mark.parametrize(("asked", "most", "expected"), [(100, 3, 3), (1, 50, 2), (0, 50, 1)])
async def test_workers_are_hired_when_asked_for_up_to_the_most(
    asked: int, most: int, expected: int
) -> None:
    workers: set[object] = set()

    async def do(item: int) -> None:
        if item == 0:
            for _ in range(asked):
                pool.add_worker()
        workers.add(asyncio.current_task())
        await asyncio.sleep(0.001)

    pool = WorkerPool(batches(40), do, most)
    await pool.run()
    assert len(workers) == expected


async def test_nothing_to_do_ends_at_once() -> None:
    async def do(item: int) -> None:
        raise AssertionError(item)

    await WorkerPool(batches(), do, max_workers=4).run()
    await WorkerPool(batches(0, 0), do, max_workers=4).run()


async def test_a_failure_ends_all_and_nobody_is_hired_after_it() -> None:
    done: list[int] = []

    async def do(item: int) -> None:
        pool.add_worker()
        try:
            await asyncio.sleep(0.001)
            if item == 2:
                raise ValueError("no")
            await asyncio.sleep(5)
            done.append(item)
        finally:
            pool.add_worker()  # as the limiter may, when a place becomes free

    pool = WorkerPool(batches(100), do, max_workers=10)
    with pytest.raises(BaseExceptionGroup) as failures:
        await pool.run()
    assert [str(failure) for failure in failures.value.exceptions] == ["no"]
    assert done == []


async def test_a_crew_that_is_cancelled_hires_nobody_while_it_goes() -> None:
    begun: list[int] = []

    async def do(item: int) -> None:
        begun.append(item)
        pool.add_worker()
        try:
            await asyncio.sleep(5)
        finally:
            pool.add_worker()

    pool = WorkerPool(batches(100), do, max_workers=50)
    working = asyncio.create_task(pool.run())
    async with asyncio.timeout(5):
        while len(begun) < 50:
            await asyncio.sleep(0.001)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert len(begun) == 50


async def test_a_failure_does_not_wait_for_items_that_are_yet_to_come() -> None:
    async def two_and_no_more() -> AsyncIterator[list[int]]:
        yield [0]
        yield [1]
        await asyncio.sleep(60)

    async def do(item: int) -> None:
        pool.add_worker()
        await asyncio.sleep(0.02)
        if item:
            raise ValueError("no")

    pool = WorkerPool(two_and_no_more(), do, max_workers=4, stop_seconds=60)
    async with asyncio.timeout(10):
        with pytest.raises(ExceptionGroup):
            await pool.run()


async def test_a_pool_that_is_stopped_lets_its_workers_finish_what_they_have_begun() -> None:
    begun: list[int] = []
    done: list[int] = []
    stops: list[bool] = []

    async def do(item: int) -> None:
        begun.append(item)
        pool.add_worker()
        await asyncio.sleep(0.02 if item % 2 else 30)
        done.append(item)

    pool = WorkerPool(
        batches(100), do, max_workers=4, stop_seconds=0.3, on_stop=lambda: stops.append(True)
    )
    running = asyncio.create_task(pool.run())
    async with asyncio.timeout(5):
        while len(begun) < 4:
            await asyncio.sleep(0)
        pool.stop()
        await running
    assert (begun, done, stops) == ([0, 1, 2, 3], [1, 3], [True])
