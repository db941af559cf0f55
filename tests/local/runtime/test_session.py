"""Which cloud a command works with: the one that serves its data directory, if there is one."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from local.cli.commands.arguments import DEFAULT_PORT
from local.runtime.cloud import LOCK_FILE
from local.runtime.endpoints import Endpoints
from local.runtime.failures import UsageError
from local.runtime.locks import FileLock
from local.runtime.options import CloudOptions
from local.runtime.ports import LOOPBACK, RANGE, free_port
from local.runtime.session import NotJoined, choose_port, is_served, refuse_to_change, session
from tests.support.stub_host import host
from tests.support.views import endpoints


def joined(options: CloudOptions) -> Endpoints:
    """The endpoints of a command's cloud."""
    with session(options) as cloud:
        cloud.check()
        return cloud.endpoints


async def test_a_command_joins_the_cloud_that_serves_its_data_directory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(request: web.Request) -> web.Response:
        return web.Response(status=200 if request.path == "/admin/host/status" else 404)

    async with host(answer) as url:
        with FileLock(tmp_path / LOCK_FILE):
            endpoints(url).write(tmp_path)
            cloud = await asyncio.to_thread(joined, CloudOptions(data_dir=tmp_path))
    assert cloud == endpoints(url)
    assert f"Using the app that already serves {tmp_path} at {url}." in capsys.readouterr().out


async def test_a_command_waits_for_a_cloud_that_is_only_just_starting(tmp_path: Path) -> None:
    statuses = iter([404, 503, 200])
    async with host(lambda _: web.Response(status=next(statuses))) as url:
        with FileLock(tmp_path / LOCK_FILE):
            endpoints(url).write(tmp_path)
            cloud = await asyncio.to_thread(joined, CloudOptions(data_dir=tmp_path))
    assert cloud == endpoints(url)
    assert list(statuses) == []


def test_a_cloud_that_never_answers_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.runtime.session.JOIN_SECONDS", 0.3)
    with (
        FileLock(tmp_path / LOCK_FILE),
        pytest.raises(NotJoined, match="but no host answers there after 0 s: stop it"),
    ):
        joined(CloudOptions(data_dir=tmp_path))


def test_a_data_directory_is_served_while_someone_holds_its_lock(tmp_path: Path) -> None:
    assert not is_served(tmp_path / "new")
    with FileLock(tmp_path / LOCK_FILE):
        assert is_served(tmp_path)
    assert not is_served(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"--port": {"port": 8080}},
        {"--teacher-url": {"teacher_url": "http://t/v1", "teacher_model": "gpt"}},
        {"--teacher-option": {"teacher_options": ("--rpm=1",)}},
        {"--azureml-url": {"azureml_url": "http://a"}},
        {"--azureml-option": {"azureml_options": ("--pace=1",)}},
        {"--openai-url": {"openai_url": "http://o/v1"}},
        {"--openai-option": {"openai_options": ("--pace=1",)}},
        {"--port": {"port": 8080}, "--azureml-url": {"azureml_url": "http://a"}},
    ],
)
def test_options_that_a_running_cloud_cannot_take_on_are_refused(
    tmp_path: Path, changes: dict[str, dict[str, object]]
) -> None:
    options = CloudOptions(data_dir=tmp_path)
    refuse_to_change(options)
    for fields in changes.values():
        options = replace(options, **fields)
    with FileLock(tmp_path / LOCK_FILE), pytest.raises(UsageError) as wrong:
        joined(options)
    assert f"so {', '.join(changes)} would have no effect" in str(wrong.value)
    assert wrong.value.exit_code == 2


def test_a_requested_port_is_taken_or_refused() -> None:
    port = free_port()
    assert choose_port(port, free_instead=True) == port
    with socket.create_server((LOOPBACK, port)):
        for free_instead in (True, False):
            with pytest.raises(
                UsageError, match=f"port {port} is taken by another program: choose another with"
            ):
                choose_port(port, free_instead=free_instead)


def test_a_taken_default_port_is_replaced_or_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    default = free_port()
    monkeypatch.setattr("local.runtime.session.DEFAULT_PORT", default)
    assert choose_port(None, free_instead=False) == default
    with socket.create_server((LOOPBACK, default)):
        assert choose_port(None, free_instead=True) in RANGE
        with pytest.raises(UsageError, match=f"port {default} is taken"):
            choose_port(None, free_instead=False)


def test_the_default_port_is_that_of_the_functions_core_tools() -> None:
    assert DEFAULT_PORT == 7071
