"""Polled blob triggers on a real Azurite: each version of a blob is processed once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from local.functions_host import blobs
from local.functions_host.blobs import BlobVersion
from tests.support.containers import POLLED, Container
from tests.support.functions_host import served, until

STREAM = """
    @app.blob_trigger(arg_name="data", path="%CONTAINER%/{name}", connection="STORAGE")
    async def arrived(data: func.InputStream) -> None:
        CALLS.append(data)
    """
TEXT = """
    @app.blob_trigger(arg_name="data", path="%CONTAINER%/{name}", connection="STORAGE")
    async def arrived(data: bytes) -> None:
        CALLS.append(data)
    """
COUNTING = """
    import asyncio

    RUNNING = []

    @app.blob_trigger(arg_name="data", path="%CONTAINER%/{name}", connection="STORAGE")
    async def arrived(data: func.InputStream) -> None:
        RUNNING.append(data.name)
        await asyncio.sleep(0.02)
        CALLS.append(len(RUNNING))
        RUNNING.remove(data.name)
    """
IMPORT = """
    from azure.core.exceptions import ResourceNotFoundError
"""
FAILING = """
    @app.blob_trigger(arg_name="data", path="%CONTAINER%/in/{name}.txt", connection="STORAGE")
    def arrived(data: func.InputStream) -> None:
        attempt = len([name for name, _ in CALLS if name == data.name])
        CALLS.append((data.name, attempt))
        if "in/bad" in data.name or ("in/hiccup" in data.name and attempt == 0):
            raise RuntimeError(f"cannot read {data.name}")
    """


async def test_the_function_gets_the_blob_with_its_name_place_and_properties(
    tmp_path: Path, container: Container
) -> None:
    await container.put("Deep/er č 1.txt", b"\x00bytes\xff", owner="me")
    async with served(tmp_path, STREAM, container.settings) as app:
        await until(lambda: app.calls)
    (stream,) = app.calls
    assert stream.name == f"{container.name}/Deep/er č 1.txt"
    assert stream.uri == container.client.get_blob_client("Deep/er č 1.txt").url
    assert (stream.length, stream.read()) == (7, b"\x00bytes\xff")
    assert stream.metadata == {"owner": "me"}
    assert stream.blob_properties["ETag"]
    assert stream.blob_properties["BlobType"] == "BlockBlob"


@pytest.mark.parametrize("data", [b"\x00\xff", b""])
async def test_a_function_may_ask_for_the_bytes_alone(
    tmp_path: Path, container: Container, data: bytes
) -> None:
    await container.put("x", data)
    async with served(tmp_path, TEXT, container.settings) as app:
        await until(lambda: app.calls)
    assert app.calls == [data]


async def test_of_a_backlog_the_newest_come_first_and_each_once(
    tmp_path: Path, container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blobs, "BACKLOG", 2)
    monkeypatch.setattr(blobs, "BACKLOG_SECONDS", 0.0)
    monkeypatch.setattr(blobs, "list_versions", with_ages_by_name(blobs.list_versions))
    for name in "abcdef":
        await container.put(name, name.encode())
    one_at_a_time = {"extensions": {"blobs": {"maxDegreeOfParallelism": 1}}}
    async with served(tmp_path, TEXT, container.settings, host_json=one_at_a_time) as app:
        await until(lambda: len(app.calls) == 6)
        assert app.calls[:3] == [b"f", b"e", b"d"]
        assert sorted(app.calls) == [b"a", b"b", b"c", b"d", b"e", b"f"]


def with_ages_by_name(list_versions: Any) -> Any:
    """Return a listing in which `b` is a second newer than `a`."""

    async def aged(container: Any) -> list[BlobVersion]:
        versions = await list_versions(container)
        return [replace(version, modified=float(ord(version.name[0]))) for version in versions]

    return aged


async def test_only_blobs_of_the_pattern_call_the_function(
    tmp_path: Path, container: Container
) -> None:
    await container.put("in/a.csv", b"other type")
    await container.put("out/a.txt", b"other folder")
    expected = await container.put("in/a.txt", b"this one")
    async with served(tmp_path, POLLED, container.settings) as app:
        assert await container.seen(app) == [expected]


async def test_a_blob_that_arrives_while_the_host_runs_calls_once(
    tmp_path: Path, container: Container
) -> None:
    async with served(tmp_path, POLLED, container.settings) as app:
        assert await container.seen(app) == []
        expected = await container.put("in/a.txt", b"new")
        assert await container.seen(app) == [expected]
        assert await container.seen(app) == [expected]


async def test_a_restarted_host_calls_only_for_what_is_new(
    tmp_path: Path, container: Container
) -> None:
    first = await container.put("in/first.txt", b"1")
    async with served(tmp_path / "one", POLLED, container.settings) as app:
        assert await container.seen(app) == [first]
    second = await container.put("in/second.txt", b"2")
    async with served(
        tmp_path / "two", POLLED, container.settings
    ) as app:  # receipts are in storage, not on disk
        assert await container.seen(app) == [second]


async def test_an_overwritten_blob_is_a_new_version(tmp_path: Path, container: Container) -> None:
    first = await container.put("in/a.txt", b"same bytes")
    async with served(tmp_path, POLLED, container.settings) as app:
        assert await container.seen(app) == [first]
        again = await container.put("in/a.txt", b"same bytes")
        assert await container.seen(app) == [first, again]
    third = await container.put("in/a.txt", b"other bytes")
    async with served(tmp_path, POLLED, container.settings) as app:
        assert await container.seen(app) == [third]


async def test_two_functions_on_one_blob_are_both_called(
    tmp_path: Path, container: Container
) -> None:
    await container.put("in/a.txt", b"x")
    second = POLLED.replace("def arrived", "def also").replace("data.read()", "'also'")
    async with served(tmp_path, POLLED + second, container.settings) as app:
        await until(lambda: len(app.calls) == 2)
    assert {content for _, content in app.calls} == {b"x", "also"}


async def test_a_container_that_comes_later_is_found(
    tmp_path: Path, container: Container, caplog: pytest.LogCaptureFixture
) -> None:
    await container.client.delete_container()
    async with served(tmp_path, POLLED, container.settings) as app:
        await app.get("/")  # the host looks and serves meanwhile
        await container.client.create_container()
        expected = await container.put("in/a.txt", b"x")
        assert await container.seen(app) == [expected]
    assert "scan of container" not in caplog.text


@pytest.mark.parametrize("limit", [1, 2])
async def test_no_more_blobs_are_worked_on_at_a_time_than_host_json_says(
    tmp_path: Path, container: Container, limit: int
) -> None:
    for name in "abcd":
        await container.put(name, b"x")
    blobs = {"maxDegreeOfParallelism": limit}
    async with served(
        tmp_path, COUNTING, container.settings, host_json={"extensions": {"blobs": blobs}}
    ) as app:
        await until(lambda: len(app.calls) == 4)
    assert max(app.calls) == limit


async def test_a_failing_function_is_tried_again(tmp_path: Path, container: Container) -> None:
    path, _ = await container.put("in/hiccup.txt", b"x")
    async with served(tmp_path, FAILING, container.settings) as app:
        assert await container.seen(app) == [(path, 0), (path, 1)]


async def test_a_storage_error_of_the_functions_own_counts_as_its_failure(
    tmp_path: Path, container: Container
) -> None:
    path, _ = await container.put("in/bad.txt", b"x")
    code = FAILING.replace("RuntimeError(", "ResourceNotFoundError(")
    threshold = {"extensions": {"blobs": {"poisonBlobThreshold": 2}}}
    async with served(tmp_path, IMPORT + code, container.settings, host_json=threshold) as app:
        assert await container.seen(app) == [(path, 0), (path, 1)]


async def test_a_blob_that_always_fails_is_given_up_and_stays_so(
    tmp_path: Path, container: Container, caplog: pytest.LogCaptureFixture
) -> None:
    path, _ = await container.put("in/bad.txt", b"x")
    threshold = {"extensions": {"blobs": {"poisonBlobThreshold": 3}}}
    async with served(tmp_path, FAILING, container.settings, host_json=threshold) as app:
        assert await container.seen(app) == [(path, 0), (path, 1), (path, 2)]
    assert "arrived gives up blob in/bad.txt after 3 attempts" in caplog.text
    assert f"RuntimeError: cannot read {path}" in caplog.text
    async with served(tmp_path, POLLED, container.settings) as app:
        assert await container.seen(app) == []
