"""Workers on one stream: everything is done once, by no more workers than are needed, and a failure ends all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.generation.worker_pool import Crew


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
        crew.hire()
        await asyncio.sleep(0.001 * (item % 3))

    crew = Crew(batches(5, 0, 1, 14), do, most=4)
    await crew.work()
    assert begun == list(range(20))


@pytest.mark.parametrize(("asked", "most", "expected"), [(100, 3, 3), (1, 50, 2), (0, 50, 1)])
async def test_workers_are_hired_when_asked_for_up_to_the_most(
    asked: int, most: int, expected: int
) -> None:
    workers: set[object] = set()

    async def do(item: int) -> None:
        if item == 0:
            for _ in range(asked):
                crew.hire()
        workers.add(asyncio.current_task())
        await asyncio.sleep(0.001)

    crew = Crew(batches(40), do, most)
    await crew.work()
    assert len(workers) == expected


async def test_nothing_to_do_ends_at_once() -> None:
    async def do(item: int) -> None:
        raise AssertionError(item)

    await Crew(batches(), do, most=4).work()
    await Crew(batches(0, 0), do, most=4).work()


async def test_a_failure_ends_all_and_nobody_is_hired_after_it() -> None:
    done: list[int] = []

    async def do(item: int) -> None:
        crew.hire()
        try:
            await asyncio.sleep(0.001)
            if item == 2:
                raise ValueError("no")
            await asyncio.sleep(5)
            done.append(item)
        finally:
            crew.hire()  # as the limiter may, when a place becomes free

    crew = Crew(batches(100), do, most=10)
    with pytest.raises(BaseExceptionGroup) as failures:
        await crew.work()
    assert [str(failure) for failure in failures.value.exceptions] == ["no"]
    assert done == []


async def test_a_crew_that_is_cancelled_hires_nobody_while_it_goes() -> None:
    begun: list[int] = []

    async def do(item: int) -> None:
        begun.append(item)
        crew.hire()
        try:
            await asyncio.sleep(5)
        finally:
            crew.hire()

    crew = Crew(batches(100), do, most=50)
    working = asyncio.create_task(crew.work())
    async with asyncio.timeout(5):
        while len(begun) < 50:
            await asyncio.sleep(0.001)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert len(begun) == 50
