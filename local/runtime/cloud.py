"""The local cloud: Azurite, teacher, emulators of AzureML and Azure OpenAI, and the Functions host.

Only one may use a data directory at a time; others find it through its `endpoints.json`.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any, Self

from local.bootstrap import ROOT
from local.emulators.azurite import Azurite
from local.runtime import services
from local.runtime.client import make_containers
from local.runtime.endpoints import Endpoints, remove_endpoints
from local.runtime.failures import LocalError
from local.runtime.locks import FileLock
from local.runtime.options import CloudOptions
from local.runtime.ports import LOOPBACK, PortBook
from local.runtime.services import Addresses
from local.runtime.supervisor import Supervisor

LOCK_FILE = "up.lock"


class AlreadyRunning(LocalError):
    """Another process serves this data directory."""


class LocalCloud:
    """All the processes, for the length of a `with` block, in which `endpoints` is set.

    `port` is that of the Functions host.
    """

    endpoints: Endpoints

    def __init__(self, options: CloudOptions, port: int) -> None:
        self._options = options
        self._port = port
        self._ports = PortBook(options.data_dir / "ports.json")
        self._lock = FileLock(options.data_dir / LOCK_FILE)
        self._supervisor = Supervisor(options.logs, ROOT)
        self._azurite = Azurite(
            options.data_dir / "azurite", log=options.logs / "azurite.log", ports=self._ports
        )

    def __enter__(self) -> Self:
        """Raises AlreadyRunning, ChildFailed."""
        if not self._lock.acquire(wait=False):
            raise AlreadyRunning(
                f"{self._options.data_dir} is already served by another `up`, `demo` or `run`"
            )
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def check(self) -> None:
        """Raises ChildFailed if one of the processes has ended."""
        self._supervisor.check()

    def _start(self) -> None:
        options = self._options
        # A killed cloud leaves the file behind.
        remove_endpoints(options.data_dir)
        self._azurite.start()
        self._supervisor.watch(self._azurite.child)
        make_containers(self._azurite.connection_string)
        addresses = self._start_stand_ins()
        environment = services.host_settings(options, addresses, os.environ)
        self._supervisor.start(services.host(options, self._port, environment))
        self.endpoints = _endpoints(
            addresses, self._port, read_keys(options.data_dir), options.stand_ins
        )
        self.endpoints.write(options.data_dir)

    def _start_stand_ins(self) -> Addresses:
        """Start the teacher and the emulators that the options don't replace."""
        options = self._options
        ports = self._ports.claim(["teacher", "azureml", "azure_openai"])
        addresses = Addresses(
            storage=self._azurite.connection_string,
            teacher_url=options.teacher_url or f"http://{LOOPBACK}:{ports['teacher']}/v1",
            azureml_url=options.azureml_url or f"http://{LOOPBACK}:{ports['azureml']}",
            openai_url=options.openai_url or f"http://{LOOPBACK}:{ports['azure_openai']}/openai/v1",
            identity_header=secrets.token_hex(16),
        )
        environment = services.child_environment(addresses)
        stand_ins: list[services.Service] = []
        if options.teacher_url is None:
            stand_ins.append(services.teacher(options, ports["teacher"], environment))
        if options.azureml_url is None:
            stand_ins.append(services.azureml(options, ports["azureml"], environment))
        if options.openai_url is None:
            stand_ins.append(services.azure_openai(options, ports["azure_openai"], environment))
        self._supervisor.start(*stand_ins)
        return addresses

    def _stop(self) -> None:
        remove_endpoints(self._options.data_dir)
        self._supervisor.stop()
        self._lock.release()


def read_keys(data_dir: Path) -> dict[str, Any]:
    """Return the host's keys, which it writes before it is ready."""
    return json.loads((data_dir / "keys.json").read_text())


def _endpoints(
    addresses: Addresses, port: int, keys: dict[str, Any], stand_ins: tuple[str, ...]
) -> Endpoints:
    return Endpoints(
        host_url=f"http://{LOOPBACK}:{port}",
        function_key=keys["function_key"],
        reader_key=keys["reader_key"],
        master_key=keys["master_key"],
        system_key=keys["system_key"],
        storage_connection_string=addresses.storage,
        teacher_url=addresses.teacher_url,
        azureml_url=addresses.azureml_url,
        azure_openai_url=addresses.openai_url,
        stand_ins=list(stand_ins),
    )
