"""The few operations on blobs that runs are built of: conditional where two could write, whole
where one reads.
"""

from __future__ import annotations

from uuid import uuid4

import pytest

from shared.core import storage as module
from shared.core.errors import NotFound, PermanentError, ShardContended
from shared.core.paths import RUNS
from shared.core.storage import Storage


@pytest.fixture
def name() -> str:
    return f"test-{uuid4().hex[:12]}/blob"


async def read(storage: Storage, name: str, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in storage.stream(name, start, end)])


async def test_a_document_is_read_as_it_was_written(storage: Storage, name: str) -> None:
    await storage.write(name, b'{"a": 1}')
    assert (await storage.read(name), await storage.read_json(name)) == (b'{"a": 1}', {"a": 1})
    assert await storage.read_path(f"{RUNS}/{name}") == b'{"a": 1}'


async def test_only_the_first_to_create_a_blob_writes_it(storage: Storage, name: str) -> None:
    assert await storage.create(name, b"first")
    assert not await storage.create(name, b"second")
    assert await storage.read(name) == b"first"


@pytest.mark.parametrize(("start", "end"), [(0, None), (3, None), (3, 7), (9, 10), (4, 4), (0, 99)])
async def test_a_byte_range_is_exactly_that(
    storage: Storage, name: str, start: int, end: int | None
) -> None:
    await storage.write(name, b"0123456789")
    assert await read(storage, name, start, end) == b"0123456789"[start:end]


async def test_an_empty_blob_is_empty_and_a_missing_one_is_named(
    storage: Storage, name: str
) -> None:
    await storage.write(name, b"")
    assert (await read(storage, name), await read(storage, name, 5), await storage.read(name)) == (
        b"",
        b"",
        b"",
    )
    for reading in (read(storage, f"{name}-gone"), storage.read(f"{name}-gone")):
        with pytest.raises(NotFound, match=f"{name}-gone"):
            await reading


async def test_a_document_of_the_users_has_a_size_limit(
    storage: Storage, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_DOCUMENT_BYTES", 10)
    await storage.write(name, b"x" * 10)
    assert len(await storage.read(name)) == 10
    await storage.write(name, b"x" * 11)
    with pytest.raises(PermanentError, match="larger than 10 bytes"):
        await storage.read(name)


async def test_a_dataset_is_copied_once_and_only_in_the_version_asked_for(
    storage: Storage, name: str
) -> None:
    source = f"{RUNS}/{name}"
    await storage.write(name, b"one")
    properties = await storage.properties(source)
    assert properties is not None
    await storage.copy_in(source, f"{name}-copy", properties.etag)
    await storage.write(name, b"two")
    await storage.copy_in(source, f"{name}-copy", properties.etag)
    assert await storage.read(f"{name}-copy") == b"one"
    with pytest.raises(PermanentError) as error:
        await storage.copy_in(source, f"{name}-late", properties.etag)
    assert error.value.code == "dataset_changed"
    assert await storage.properties(f"{RUNS}/{name}-late") is None


async def test_appending_at_a_position_that_has_moved_is_noticed(
    storage: Storage, name: str
) -> None:
    assert await storage.journal_position(name) == 0
    await storage.append(name, b"one", 0)
    with pytest.raises(ShardContended):
        await storage.append(name, b"two", 0)
    assert await storage.journal_position(name) == 3


async def test_opening_a_journal_never_empties_it(storage: Storage, name: str) -> None:
    await storage.journal_position(name)
    await storage.append(name, b"one", 0)
    assert await storage.journal_position(name) == 3
    assert await read(storage, name) == b"one"


async def test_metadata_is_listed_by_prefix_in_order(storage: Storage, name: str) -> None:
    for number in (2, 0, 1):
        await storage.write(f"{name}/{number}", b"")
        await storage.set_metadata(f"{name}/{number}", {"number": str(number)})
    await storage.write(f"{name}-other", b"")
    listed = [metadata async for _, metadata in storage.metadata_under(f"{name}/")]
    assert listed == [{"number": "0"}, {"number": "1"}, {"number": "2"}]


async def test_a_blobs_uri_carries_no_signature(storage: Storage, name: str) -> None:
    assert storage.uri(name).endswith(f"/{RUNS}/{name}")
