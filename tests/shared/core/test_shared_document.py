"""A document that several workers change at once loses no change."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from pydantic import BaseModel

from shared.core import shared_document as module
from shared.core.errors import PermanentError, TransientError
from shared.core.shared_document import SharedDocument
from shared.core.storage import Storage


class Count(BaseModel):
    value: int = 0


async def add_one(count: Count) -> int:
    count.value += 1
    return count.value


async def add_nothing(count: Count) -> int:
    return count.value


@pytest.fixture
def name() -> str:
    return f"test-{uuid4().hex[:12]}/count.json"


async def test_no_change_of_many_writers_is_lost(storage: Storage, name: str) -> None:
    document = SharedDocument(storage, name, Count)
    results = await asyncio.gather(*(document.change(add_one) for _ in range(12)))
    assert sorted(results) == list(range(1, 13))
    assert await document.read() == Count(value=12)


async def test_what_changes_nothing_writes_nothing(storage: Storage, name: str) -> None:
    document = SharedDocument(storage, name, Count)
    assert await document.change(add_nothing) == 0
    assert await storage.read_version(name) is None


async def test_a_writer_that_is_always_too_late_gives_up_for_now(
    storage: Storage, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_ATTEMPTS", 3)
    document = SharedDocument(storage, name, Count)

    async def add_after_another(count: Count) -> int:
        await document.change(add_one)
        return await add_one(count)

    with pytest.raises(TransientError, match="too many writers"):
        await document.change(add_after_another)
    assert await document.read() == Count(value=3)


async def test_a_document_that_cannot_be_read_is_named_with_the_remedy(
    storage: Storage, name: str
) -> None:
    await storage.write(name, b'{"value": 3')
    with pytest.raises(PermanentError, match=f"runs/{name} can't be read.*delete it"):
        await SharedDocument(storage, name, Count).change(add_one)
