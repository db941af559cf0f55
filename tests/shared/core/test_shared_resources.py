"""What activities share: opened once, closed when nobody uses it any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from shared.core.shared_resources import shared


class Opened:
    """Counts what is opened and closed; the first `failing` openings fail."""

    def __init__(self, failing: int = 0) -> None:
        self.opened = self.closed = 0
        self.failing = failing

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[int]:
        await asyncio.sleep(0.01)
        if self.failing:
            self.failing -= 1
            raise ConnectionError("not now")
        self.opened += 1
        yield self.opened
        self.closed += 1


async def test_those_who_use_it_at_the_same_time_use_the_same() -> None:
    resource = Opened()

    async def use() -> int:
        async with shared("key", resource.open) as value:
            await asyncio.sleep(0.05)
            assert not resource.closed
            return value

    assert await asyncio.gather(use(), use(), use()) == [1, 1, 1]
    assert (resource.opened, resource.closed) == (1, 1)


async def test_it_is_opened_anew_after_the_last_has_left() -> None:
    resource = Opened()
    for expected in (1, 2):
        async with shared("key", resource.open) as value:
            assert value == expected
    assert resource.closed == 2


async def test_each_key_has_its_own() -> None:
    one, other = Opened(), Opened()
    async with shared("one", one.open), shared("other", other.open):
        assert (one.opened, other.opened) == (1, 1)


async def test_who_comes_after_a_failed_opening_tries_again() -> None:
    resource = Opened(failing=1)

    async def use() -> int:
        async with shared("key", resource.open) as value:
            return value

    first, second = await asyncio.gather(use(), use(), return_exceptions=True)
    assert isinstance(first, ConnectionError)
    assert second == 1
    assert (resource.opened, resource.closed) == (1, 1)


async def test_an_error_of_one_user_leaves_it_open_for_the_others() -> None:
    resource = Opened()
    async with shared("key", resource.open):
        with pytest.raises(ValueError, match="mine"):
            async with shared("key", resource.open):
                raise ValueError("mine")
        assert not resource.closed
    assert resource.closed == 1


async def test_who_is_cancelled_while_opening_leaves_nothing_behind() -> None:
    resource = Opened()

    async def use() -> int:
        async with shared("key", resource.open) as value:
            return value

    alone = asyncio.create_task(use())
    await asyncio.sleep(0.001)
    alone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await alone
    assert resource.opened == 0
    assert await use() == 1
    assert (resource.opened, resource.closed) == (1, 1)


@pytest.mark.parametrize("cancelled", [0, 1], ids=["who opens", "who waits for it"])
async def test_the_others_have_it_when_one_is_cancelled_before_it_is_open(cancelled: int) -> None:
    resource = Opened()

    async def use() -> int:
        async with shared("key", resource.open) as value:
            await asyncio.sleep(0.01)
            assert not resource.closed
            return value

    users = [asyncio.create_task(use()) for _ in range(3)]
    await asyncio.sleep(0.001)
    users[cancelled].cancel()
    values = await asyncio.gather(*users, return_exceptions=True)
    assert isinstance(values.pop(cancelled), asyncio.CancelledError)
    assert values == [1, 1]
    assert (resource.opened, resource.closed) == (1, 1)
    async with shared("key", resource.open) as value:
        assert value == 2
