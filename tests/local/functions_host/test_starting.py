"""A host that cannot start says why and leaves nothing behind: the next one can."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from local.functions_host.errors import DataDirectoryInUse, HostError, IndexingError
from local.functions_host.host import LOCK_FILE, serve
from local.functions_host.keys import FILE_NAME
from local.runtime.ports import LOOPBACK
from tests.support.functions_host import process_restored, served, write_app


async def _cannot_serve(app_dir: Path, data_dir: Path, port: int = 0) -> None:
    with process_restored():
        async with serve(app_dir=app_dir, data_dir=data_dir, port=port, environment=os.environ):
            raise AssertionError("it serves")


async def test_keys_and_port_are_the_hosts_own(tmp_path: Path) -> None:
    async with served(tmp_path, "") as app:
        first = app.host.keys
        url = urlsplit(app.host.url)
        assert url.hostname == LOOPBACK
        assert url.port
    async with served(tmp_path, "") as app:
        assert app.host.keys == first


async def test_nobody_is_served_after_the_host_has_ended(tmp_path: Path) -> None:
    async with served(tmp_path, "") as app:
        assert (await app.get("/admin/host/status"))[0] == 200
    async with aiohttp.ClientSession(app.host.url, timeout=aiohttp.ClientTimeout(1)) as session:
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get("/admin/host/status")


async def test_a_second_host_in_the_same_data_directory_is_refused_until_the_first_has_ended(
    tmp_path: Path,
) -> None:
    async with served(tmp_path, ""):
        with pytest.raises(DataDirectoryInUse, match="stop it, or choose another --data-dir"):
            await _cannot_serve(tmp_path / "app", tmp_path / "data")
    async with served(tmp_path, "") as app:
        assert (await app.get("/admin/host/status"))[0] == 200


async def test_a_taken_port_is_an_os_error_and_frees_the_data_directory(tmp_path: Path) -> None:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), LOOPBACK, 0)
    async with server:
        with pytest.raises(OSError, match="address already in use"):
            await _cannot_serve(
                write_app(tmp_path / "app", ""),
                tmp_path / "data",
                server.sockets[0].getsockname()[1],
            )
    async with served(tmp_path, "") as app:
        assert (await app.get("/admin/host/status"))[0] == 200


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import not_installed_anywhere\n", "not_installed_anywhere"),
        (
            '@app.route("{id")\ndef f(req: func.HttpRequest) -> str: ...\n',
            "f has a route that this host cannot serve",
        ),
        (
            '@app.blob_trigger(arg_name="x", path="c/{n}", connection="NO")\n'
            "def f(x: bytes): ...\n",
            "f needs the connection string NO,",
        ),
    ],
    ids=["import", "route", "connection"],
)
async def test_an_app_that_cannot_be_served_frees_the_data_directory(
    tmp_path: Path, code: str, reason: str
) -> None:
    with pytest.raises(IndexingError, match=reason):
        await _cannot_serve(write_app(tmp_path / "app", code), tmp_path / "data")
    async with served(tmp_path, "") as app:
        assert (await app.get("/admin/host/status"))[0] == 200


@pytest.mark.parametrize("name", [FILE_NAME, "taskhub.sqlite"])
async def test_a_damaged_file_in_the_data_directory_is_a_host_error_that_names_it(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / name).write_text("no such thing " * 100)
    with pytest.raises(HostError, match=name):
        await _cannot_serve(write_app(tmp_path / "app", ""), tmp_path / "data")


async def test_a_lock_file_that_a_crash_left_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / LOCK_FILE).touch()
    async with served(tmp_path, "") as app:
        assert (await app.get("/admin/host/status"))[0] == 200
