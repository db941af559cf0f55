"""Small apps in a temporary folder, indexed or served by the host in this process."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import aiohttp

from local.functions_host.functions import FunctionApp
from local.functions_host.host import RunningHost, serve
from local.functions_host.indexing import load_app
from local.functions_host.worker.worker import MODULE, choose_worker

HEADER = """
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
CALLS = []
"""
PATIENCE = 60.0


def write_app(
    folder: Path, code: str, *, host_json: Mapping[str, Any] | None = None, header: str = HEADER
) -> Path:
    """Write `function_app.py` (header and code) and `host.json`; return their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "function_app.py").write_text(header + dedent(code))
    (folder / "host.json").write_text(json.dumps({"version": "2.0", **(host_json or {})}))
    return folder


def index(
    folder: Path, code: str, settings: Mapping[str, str] | None = None, *, header: str = HEADER
) -> FunctionApp:
    """Return the app of this code as the host reads it, with these app settings."""
    write_app(folder, code, header=header)
    return index_folder(folder, settings)


def index_folder(folder: Path, settings: Mapping[str, str] | None = None) -> FunctionApp:
    """Return the app in this folder as the host reads it, with these app settings."""
    with process_restored(), closing(choose_worker()) as worker:
        return asyncio.run(load_app(worker, folder, {**os.environ, **(settings or {})}))


@contextmanager
def process_restored() -> Generator[None]:
    """Undo what a worker does to its process: environment, working directory, imported app."""
    path = list(sys.path)
    environment = dict(os.environ)
    folder = Path.cwd()
    imported = sys.modules.pop(MODULE, None)
    try:
        yield
    finally:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.path[:] = path
        sys.modules.pop(MODULE, None)
        if imported is not None:
            sys.modules[MODULE] = imported


class ServedApp:
    """A host that serves an app, and a client. `calls` is what functions appended to CALLS."""

    def __init__(self, host: RunningHost, session: aiohttp.ClientSession, calls: list[Any]) -> None:
        self.host = host
        self.session = session
        self.calls = calls

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, str]:
        """Status and text of the answer."""
        async with self.session.request(method, path, **options) as response:
            return response.status, await response.text()

    async def get(self, path: str, **options: Any) -> tuple[int, str]:
        return await self.ask("GET", path, **options)

    async def post(self, path: str, **options: Any) -> tuple[int, str]:
        return await self.ask("POST", path, **options)


@asynccontextmanager
async def served(
    folder: Path,
    code: str,
    settings: Mapping[str, str] | None = None,
    *,
    host_json: Mapping[str, Any] | None = None,
) -> AsyncGenerator[ServedApp]:
    """Serve this code from `folder` / app, with its data in `folder` / data. May be repeated."""
    app_dir = write_app(folder / "app", code, host_json=host_json)
    environment = {**os.environ, **(settings or {})}
    with process_restored():
        async with serve(
            app_dir=app_dir, data_dir=folder / "data", port=0, environment=environment
        ) as host:
            app: Any = sys.modules[MODULE]
            async with aiohttp.ClientSession(
                host.url, timeout=aiohttp.ClientTimeout(PATIENCE)
            ) as session:
                yield ServedApp(host, session, app.CALLS)


async def until(condition: Callable[[], object]) -> None:
    """Wait for what the host does by itself and tells nobody."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)
