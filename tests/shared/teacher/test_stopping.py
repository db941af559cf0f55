"""A client that is stopped sends nothing more, and lets what is in flight go on."""

from __future__ import annotations

import asyncio

import pytest

from shared.teacher import NotSent
from tests.support.http_teacher import HELLO, Script, teacher_of


async def test_requests_in_flight_are_answered_and_those_that_wait_are_not_sent() -> None:
    script = Script("one", "two")
    async with teacher_of(script, concurrency=2) as teacher:
        asks = [asyncio.create_task(teacher.complete(HELLO)) for _ in range(5)]
        async with asyncio.timeout(5):
            while script.in_flight < 2:
                await asyncio.sleep(0.001)
            teacher.stop()
            outcomes = await asyncio.gather(*asks, return_exceptions=True)
        with pytest.raises(NotSent):
            await teacher.complete(HELLO)
    answered = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert sorted(completion.text for completion in answered) == ["one", "two"]
    assert sum(isinstance(outcome, NotSent) for outcome in outcomes) == 3
    assert len(script.bodies) == 2


async def test_a_request_that_waits_to_be_repeated_is_not() -> None:
    script = Script((500, {}, {"retry-after": "30"}), (500, {}, {"retry-after": "30"}))
    async with teacher_of(script) as teacher:
        ask = asyncio.create_task(teacher.complete(HELLO))
        async with asyncio.timeout(5):
            while not script.bodies or script.in_flight:
                await asyncio.sleep(0.001)
            teacher.stop()
            with pytest.raises(NotSent):
                await ask
    assert len(script.bodies) == 1


async def test_a_cancellation_while_the_client_stops_prevails() -> None:
    script = Script("hang")
    async with teacher_of(script, concurrency=1) as teacher:
        first = asyncio.create_task(teacher.complete(HELLO))
        second = asyncio.create_task(teacher.complete(HELLO))
        async with asyncio.timeout(5):
            while not script.in_flight:
                await asyncio.sleep(0.001)
            teacher.stop()
            first.cancel()
            second.cancel()
            outcomes = await asyncio.gather(first, second, return_exceptions=True)
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
