"""The host as a process, with the app beside this module, and its management API."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from local.functions_host.durable.links import PATH
from local.functions_host.keys import FILE_NAME

REPOSITORY = Path(__file__).parents[2]
APP = Path(__file__).with_name("durable_app")
ANNOUNCEMENT = "Functions host at "
PATIENCE = 60.0
LOOK_SECONDS = 0.02
TERMINAL = ("Completed", "Failed", "Terminated")
Links = dict[str, str]


class HostProcess:
    """`python -m local.functions_host` on this data directory, started."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._log = data_dir.with_suffix(".log")
        command = [sys.executable, "-m", "local.functions_host", "--port", "0", "--lifeline"]
        with self._log.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                [*command, "--data-dir", str(data_dir), "--app-dir", str(APP)],
                cwd=REPOSITORY,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.url = self._announced_url()
        self.keys: dict[str, str] = json.loads((data_dir / FILE_NAME).read_text())

    def log(self) -> str:
        return self._log.read_bytes()[self._log_start :].decode()

    def kill(self) -> None:
        """As the kernel does when memory runs out."""
        self._process.kill()
        self._close()

    def stop(self) -> int:
        """End it as the end of its parent does, and return its exit code."""
        return self._close()

    def _close(self) -> int:
        assert self._process.stdin is not None
        self._process.stdin.close()  # the lifeline
        return self._process.wait(PATIENCE)

    def _announced_url(self) -> str:
        give_up = time.monotonic() + PATIENCE
        while ANNOUNCEMENT not in self.log() or "\n" not in self.log().partition(ANNOUNCEMENT)[2]:
            if self._process.poll() is not None or time.monotonic() > give_up:
                self.kill()
                raise AssertionError(f"the host did not start\n{self.log()}")
            time.sleep(LOOK_SECONDS)
        return self.log().partition(ANNOUNCEMENT)[2].partition(",")[0]


@contextmanager
def host_process(data_dir: Path) -> Generator[HostProcess]:
    host = HostProcess(data_dir)
    try:
        yield host
    finally:
        host.stop()


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is parsed where it is JSON, None where there is none."""

    status: int
    body: Any
    headers: Mapping[str, str]


class Api:
    """The management API of a running host, with its key unless told otherwise."""

    def __init__(self, session: aiohttp.ClientSession, url: str, key: str) -> None:
        self._session = session
        self.url = url
        self._key = key

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        """`path` is below the API's base, or a whole URL, which then is asked as it is."""
        if path.startswith("http"):
            return await self.plain(method, path, **options)
        headers = {"x-functions-key": self._key, **options.pop("headers", {})}
        return await self.plain(method, f"{self.url}{PATH}/{path}", headers=headers, **options)

    async def plain(self, method: str, url: str | URL, **options: Any) -> Answer:
        """Without a key."""
        async with self._session.request(method, url, **options) as response:
            text = await response.text()
            is_json = response.content_type == "application/json"
            return Answer(
                response.status, json.loads(text) if is_json else text or None, response.headers
            )

    async def start(self, name: str, input_: Any = None, instance_id: str = "") -> Links:
        """Start an instance and return its links.

        The input is encoded twice, as the SDK's client does and its orchestrators expect.
        """
        answer = await self.ask(
            "POST", f"orchestrators/{name}/{instance_id}", json=json.dumps(input_)
        )
        assert answer.status == 202, answer.body
        return answer.body

    async def wait(self, instance_id: str, *statuses: str) -> dict[str, Any]:
        """Wait for one of these statuses, by default for the end, and return the instance."""
        give_up = time.monotonic() + PATIENCE
        while True:
            body = (await self.ask("GET", f"instances/{instance_id}")).body
            if body["runtimeStatus"] in (statuses or TERMINAL):
                return body
            assert time.monotonic() < give_up, body
            await asyncio.sleep(LOOK_SECONDS)

    async def run(self, name: str, input_: Any = None, instance_id: str = "") -> dict[str, Any]:
        """Start an instance and return it when it has ended."""
        return await self.wait((await self.start(name, input_, instance_id))["id"])
