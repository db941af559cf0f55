"""The whole local cloud, started once: its endpoints are true, and nothing of it stays behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import psutil
import pytest

from local.runtime.children import ChildFailed
from local.runtime.client import RunsClient, storage_client
from local.runtime.cloud import LOCK_FILE, AlreadyRunning, LocalCloud
from local.runtime.endpoints import FILE_NAME, Endpoints
from local.runtime.options import CloudOptions
from local.runtime.ports import free_port, is_free
from tests.support.polling import wait_for
from tests.support.programs import is_held

DOCUMENTED = {
    *("host_url", "function_key", "reader_key", "master_key", "system_key"),
    *("storage_connection_string", "teacher_url", "azureml_url", "azure_openai_url"),
    "stand_ins",
}
DIRECT = build_opener(ProxyHandler({}))
PROCESSES = 5  # Azurite, teacher, emulators of AzureML and Azure OpenAI, host


def children() -> set[int]:
    """Processes that this one has started, and theirs, that are still there."""
    return {child.pid for child in psutil.Process().children(recursive=True)}


def status_of(url: str, key: str = "") -> int:
    try:
        with DIRECT.open(Request(url, headers={"x-functions-key": key}), timeout=30) as answer:
            return answer.status
    except HTTPError as error:
        with error:
            return error.code


@dataclass(frozen=True)
class Cloud:
    """A running cloud, and the port of its host."""

    running: LocalCloud
    options: CloudOptions
    port: int

    @property
    def endpoints(self) -> Endpoints:
        return self.running.endpoints


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Run one cloud for all tests that change nothing."""
    options = CloudOptions(data_dir=tmp_path_factory.mktemp("cloud"))
    port = free_port()
    with LocalCloud(options, port) as running:
        yield Cloud(running, options, port)


def test_endpoints_are_written_with_the_documented_fields_and_no_others(cloud: Cloud) -> None:
    written: dict[str, Any] = json.loads((cloud.options.data_dir / FILE_NAME).read_text())
    assert written.keys() == DOCUMENTED == {field.name for field in fields(Endpoints)}
    texts = [value for name, value in written.items() if name != "stand_ins"]
    assert all(isinstance(value, str) and value for value in texts)
    assert Endpoints.read(cloud.options.data_dir) == cloud.endpoints
    assert cloud.endpoints.host_url == f"http://127.0.0.1:{cloud.port}"


def test_the_host_answers_with_the_function_key_alone(cloud: Cloud) -> None:
    assert list(RunsClient(cloud.endpoints).list()) == []
    assert RunsClient(cloud.endpoints).get("nli-nobody-0123456789ab") is None
    assert status_of(f"{cloud.endpoints.host_url}/api/runs") == 401


def test_each_key_opens_what_it_is_for(cloud: Cloud) -> None:
    base, keys = cloud.endpoints.host_url, cloud.endpoints
    durable = f"{base}/runtime/webhooks/durabletask/instances/nobody"
    assert status_of(durable, keys.system_key) == 404  # there is no such run
    assert status_of(durable, keys.function_key) == 401
    assert status_of(f"{base}/api/runs", keys.master_key) == 200
    assert len({keys.function_key, keys.master_key, keys.system_key}) == 3


def test_storage_answers_and_has_the_containers(cloud: Cloud) -> None:
    with storage_client(cloud.endpoints.storage_connection_string) as storage:
        assert {"datasets", "runs"} <= {container.name for container in storage.list_containers()}


def test_teacher_and_emulators_answer(cloud: Cloud) -> None:
    assert cloud.endpoints.teacher_url.endswith("/v1")
    assert status_of(f"{cloud.endpoints.teacher_url}/models") == 200
    assert status_of(f"{cloud.endpoints.azureml_url}/healthz") == 200
    assert cloud.endpoints.azure_openai_url.endswith("/openai/v1")
    assert (
        status_of(f"{cloud.endpoints.azure_openai_url.removesuffix('/openai/v1')}/healthz") == 200
    )


def test_each_process_has_a_log(cloud: Cloud) -> None:
    logs = {log.name for log in cloud.options.logs.iterdir()}
    assert logs == {"azurite.log", "azureml.log", "azure_openai.log", "host.log", "teacher.log"}


def test_no_key_is_in_a_log(cloud: Cloud) -> None:
    text = "".join(log.read_text() for log in cloud.options.logs.iterdir())
    assert "Functions host at" in text
    for key in (
        cloud.endpoints.function_key,
        cloud.endpoints.master_key,
        cloud.endpoints.system_key,
    ):
        assert key not in text


def test_a_second_cloud_in_the_same_data_directory_is_refused_and_does_no_harm(
    cloud: Cloud,
) -> None:
    with (
        pytest.raises(AlreadyRunning, match="is already served by another `up`, `demo` or `run`"),
        LocalCloud(cloud.options, free_port()),
    ):
        pass
    cloud.running.check()
    assert Endpoints.read(cloud.options.data_dir) == cloud.endpoints


@pytest.mark.slow
def test_a_cloud_that_does_not_come_up_leaves_nothing_behind(tmp_path: Path) -> None:
    before = children()
    options = CloudOptions(data_dir=tmp_path, teacher_options=("--rpm=lots",))
    with (
        pytest.raises(ChildFailed, match="teacher ended with exit code 2") as failed,
        LocalCloud(options, free_port()),
    ):
        pass
    assert "invalid int value: 'lots'" in str(failed.value)
    assert children() == before
    assert not (tmp_path / FILE_NAME).exists()
    assert not is_held(tmp_path / LOCK_FILE)


@pytest.mark.slow
def test_a_cloud_that_lost_a_process_says_which_and_still_stops_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = children()
    nowhere = "http://127.0.0.1:1"
    options = CloudOptions(
        data_dir=tmp_path,
        teacher_url=f"{nowhere}/v1",
        azureml_url=nowhere,
        openai_url=f"{nowhere}/openai/v1",
    )
    with LocalCloud(options, free_port()) as running:
        assert running.endpoints.teacher_url == "http://127.0.0.1:1/v1"
        started = [psutil.Process(pid) for pid in children() - before]
        assert len(started) == PROCESSES - 3
        next(process for process in started if "local.functions_host" in process.cmdline()).kill()
        with pytest.raises(
            ChildFailed, match=r"host was ended by signal 9.*(\n.*)*Nothing is lost"
        ):
            wait_for(lambda: running.check() is not None, "the failure")
    assert children() == before


def test_a_stopped_cloud_leaves_neither_processes_nor_ports_nor_endpoints(tmp_path: Path) -> None:
    before = children()
    options = CloudOptions(data_dir=tmp_path)
    port = free_port()
    with LocalCloud(options, port):
        ports = [port, *json.loads((tmp_path / "ports.json").read_text()).values()]
        assert len(children() - before) == PROCESSES
        assert not any(map(is_free, ports))
    assert children() == before
    assert all(map(is_free, ports))
    assert not (tmp_path / FILE_NAME).exists()
    assert not is_held(tmp_path / LOCK_FILE)
