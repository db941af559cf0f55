"""Ports stay the same from start to start, as histories hold their URLs; taken ones are
replaced.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local.runtime.failures import LocalError
from local.runtime.ports import LOOPBACK, RANGE, NoFreePort, PortBook, free_port, is_free

NAMES = ("blob", "queue", "table")


@contextmanager
def listening(port: int = 0) -> Generator[int]:
    with socket.create_server((LOOPBACK, port)) as server:
        yield int(server.getsockname()[1])


def test_each_name_gets_a_free_port_of_its_own(tmp_path: Path) -> None:
    ports = PortBook(tmp_path / "ports.json").claim(NAMES)
    assert tuple(ports) == NAMES
    assert len(set(ports.values())) == len(NAMES)
    assert all(port in RANGE and is_free(port) for port in ports.values())


def test_the_next_start_gets_the_same_ports(tmp_path: Path) -> None:
    first = PortBook(tmp_path / "deep" / "ports.json").claim(NAMES)
    assert PortBook(tmp_path / "deep" / "ports.json").claim(reversed(NAMES)) == first


def test_a_port_that_someone_has_taken_is_replaced_and_the_others_stay(tmp_path: Path) -> None:
    first = PortBook(tmp_path / "ports.json").claim(NAMES)
    with listening(first["queue"]):
        second = PortBook(tmp_path / "ports.json").claim(NAMES)
    assert second["queue"] not in first.values()
    assert (second["blob"], second["table"]) == (first["blob"], first["table"])
    assert PortBook(tmp_path / "ports.json").claim(NAMES) == second


def test_ports_of_names_that_are_not_asked_for_are_remembered_and_kept_free(tmp_path: Path) -> None:
    noted = {f"other {port}": port for port in RANGE if port % 2}
    (tmp_path / "ports.json").write_text(json.dumps(noted))
    claimed = PortBook(tmp_path / "ports.json").claim(map(str, range(20)))
    assert not set(claimed.values()) & set(noted.values())
    assert json.loads((tmp_path / "ports.json").read_text()) == {**noted, **claimed}


def test_a_port_that_was_noted_twice_is_given_once(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "ports.json").write_text(json.dumps(dict.fromkeys(NAMES, port)))
    claimed = PortBook(tmp_path / "ports.json").claim(NAMES)
    assert claimed["blob"] == port
    assert len(set(claimed.values())) == len(NAMES)


@pytest.mark.parametrize(
    "text", ["", '{"blob": 2', "[]", "null", '{"blob": "x", "queue": 0, "table": 70000}']
)
def test_a_damaged_book_costs_nothing_but_new_ports(tmp_path: Path, text: str) -> None:
    (tmp_path / "ports.json").write_text(text)
    claimed = PortBook(tmp_path / "ports.json").claim(NAMES)
    assert all(port in RANGE for port in claimed.values())
    assert json.loads((tmp_path / "ports.json").read_text()) == claimed


def test_without_a_file_nothing_is_remembered() -> None:
    assert all(port in RANGE for port in PortBook().claim(NAMES).values())


def test_a_port_is_free_only_while_nobody_listens() -> None:
    with listening() as port:
        assert not is_free(port)
    assert is_free(port)


def test_a_port_with_connections_of_the_last_start_in_time_wait_is_free() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        port = int(server.getsockname()[1])
        with socket.create_connection((LOOPBACK, port)) as client:
            server.accept()[0].close()  # who closes first is the one that lingers
            assert client.recv(1) == b""
    assert is_free(port)


def test_when_all_are_taken_a_sentence_says_so() -> None:
    with pytest.raises(
        NoFreePort, match=r"no free port on 127\.0\.0\.1 between 20000 and 29999"
    ) as failed:
        free_port(avoid=RANGE)
    assert isinstance(failed.value, LocalError)
