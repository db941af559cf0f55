"""The limiter: never too many requests at once, and none while the teacher asks to be left alone."""

from __future__ import annotations

import asyncio
import time

from shared.teacher.limiter import Limiter, process_limiter


async def test_requests_in_flight_never_exceed_the_ceiling() -> None:
    limiter, running, most = Limiter(3), 0, 0

    async def request() -> None:
        nonlocal running, most
        async with limiter.slot():
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1

    await asyncio.gather(*(request() for _ in range(30)))
    assert most == 3


async def test_a_pause_holds_back_everyone_who_has_not_begun() -> None:
    limiter = Limiter(5)
    limiter.pause(0.2)
    began = time.monotonic()

    async def request() -> float:
        async with limiter.slot():
            return time.monotonic() - began

    waits = await asyncio.gather(*(request() for _ in range(5)))
    assert min(waits) >= 0.2


async def test_a_shorter_pause_never_shortens_a_longer_one_and_a_longer_one_extends_it() -> None:
    limiter = Limiter(1)
    for seconds in (0.2, 0.01):
        limiter.pause(seconds)
    began = time.monotonic()
    waiting = asyncio.create_task(begin(limiter))
    await asyncio.sleep(0.05)
    limiter.pause(0.25)
    assert await waiting - began >= 0.3


async def begin(limiter: Limiter) -> float:
    """When a request could begin."""
    async with limiter.slot():
        return time.monotonic()


async def test_a_request_that_fails_or_is_cancelled_gives_its_place_back() -> None:
    limiter = Limiter(1)
    for error in (ValueError("no"), asyncio.CancelledError()):
        try:
            async with limiter.slot():
                raise error
        except (ValueError, asyncio.CancelledError):
            continue
    async with asyncio.timeout(1):
        await begin(limiter)


async def test_all_shards_of_a_process_share_one_limiter_a_teacher() -> None:
    shared = process_limiter("http://a/v1", 4)
    assert process_limiter("http://a/v1", 4) is shared
    assert process_limiter("http://b/v1", 4) is not shared


def test_each_event_loop_has_limiters_of_its_own_as_semaphores_belong_to_one() -> None:
    async def use() -> Limiter:
        return process_limiter("http://a/v1", 4)

    assert asyncio.run(use()) is not asyncio.run(use())
