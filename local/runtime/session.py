"""The cloud of a command: the one that serves the data directory, or one for the command alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from azure.storage.blob import BlobServiceClient

from local.runtime.client import storage_client
from local.runtime.cloud import LOCK_FILE, LocalCloud
from local.runtime.endpoints import Endpoints
from local.runtime.failures import LocalError, UsageError
from local.runtime.locks import FileLock
from local.runtime.options import CloudOptions
from local.runtime.ports import DEFAULT_PORT, free_port, is_free
from local.runtime.supervisor import answers

JOIN_SECONDS = 60.0
STARTING = "Starting storage, teacher, fine-tuning emulators and the Functions host."


class NotJoined(LocalError):
    """Another process holds the data directory, but its host does not come up."""


@dataclass(frozen=True, slots=True)
class Session:
    """A cloud to work with. `check` raises if a process of it that we started has ended."""

    endpoints: Endpoints
    check: Callable[[], None]

    def storage(self) -> BlobServiceClient:
        """Return a client of the storage."""
        return storage_client(self.endpoints.storage_connection_string)


@contextmanager
def session(options: CloudOptions) -> Generator[Session]:
    """Join the cloud of this data directory, or start one and stop it afterwards.

    Raises UsageError (options that a running cloud cannot adopt, a taken port), NotJoined,
    ChildFailed.
    """
    if is_served(options.data_dir):
        refuse_to_change(options)
        endpoints = _join(options.data_dir)
        print(
            f"Using the app that already serves {options.data_dir} at {endpoints.host_url}.",
            flush=True,
        )
        yield Session(endpoints, lambda: None)
        return
    print(STARTING, flush=True)
    with LocalCloud(options, choose_port(options.port, free_instead=True)) as cloud:
        yield Session(cloud.endpoints, cloud.check)


def is_served(data_dir: Path) -> bool:
    """Whether another process serves this data directory."""
    lock = FileLock(data_dir / LOCK_FILE)
    if not lock.acquire(wait=False):
        return True
    lock.release()
    return False


def choose_port(requested: int | None, *, free_instead: bool) -> int:
    """Return the host's port: the requested one, the default, or with `free_instead` any.

    Raises UsageError if it is taken.
    """
    port = requested or DEFAULT_PORT
    if is_free(port):
        return port
    if requested is None and free_instead:
        return free_port()
    raise UsageError(f"port {port} is taken by another program: choose another with --port")


def refuse_to_change(options: CloudOptions) -> None:
    """Raises UsageError for options that would have no effect on a running cloud."""
    values = {
        "--port": options.port,
        "--teacher-url": options.teacher_url,
        "--teacher-option": options.teacher_options,
        "--azureml-url": options.azureml_url,
        "--azureml-option": options.azureml_options,
        "--openai-url": options.openai_url,
        "--openai-option": options.openai_options,
    }
    without_effect = [option for option, value in values.items() if value]
    if without_effect:
        raise UsageError(
            f"{options.data_dir} is already being served, so {', '.join(without_effect)} would "
            "have no effect: stop that one first, or choose another --data-dir"
        )


def _join(data_dir: Path) -> Endpoints:
    deadline = time.monotonic() + JOIN_SECONDS
    while time.monotonic() < deadline:
        endpoints = Endpoints.read(data_dir)
        if endpoints and answers(f"{endpoints.host_url}/admin/host/status"):
            return endpoints
        time.sleep(0.2)
    raise NotJoined(
        f"another process holds {data_dir}, but no host answers there after "
        f"{JOIN_SECONDS:.0f} s: stop it first"
    )
