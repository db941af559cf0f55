"""`python -m tests.support.storage_proxy`: an unreliable blob service in front of a real one.

Requests pass unchanged, so signatures stay right. Some of them meet a fault, drawn by a seed: 503
as from a throttled account; 412 as for a blob that somebody else has leased; a connection that
breaks before the request arrives; and, worst of all, one that breaks afterwards, when everything
was done and nobody knows. A hostile one quotes the account's key in every error.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import aiohttp
from aiohttp import web
from yarl import URL

from local.emulators.echo import spellings
from local.runtime.lifeline import exit_with_parent, told_to_stop
from local.runtime.ports import LOOPBACK

FAULTS = ("throttled", "leased", "lost_request", "lost_response")
MAX_BYTES = 1024**3
OF_THE_CONNECTION = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "content-length"}
)
AUTO = ("Content-Type", "User-Agent", "Accept", "Accept-Encoding")  # not to be added
ERROR = (
    "<?xml version='1.0' encoding='utf-8'?>"
    "<Error><Code>{code}</Code><Message>{message}</Message></Error>"
)


class Proxy:
    """Passes requests on to `target`; `rate` is the share that meets a fault."""

    def __init__(self, target: str, rate: float, seed: int, quoted: str = "") -> None:
        self._target = target.rstrip("/")
        self._rate = rate
        self._quoted = quoted
        self._lottery = random.Random(seed)
        self._session: aiohttp.ClientSession | None = None
        self.faults: Counter[str] = Counter()
        self.operations: Counter[str] = Counter()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.operations[_operation(request)] += 1
        fault = self._draw(request)
        if fault == "throttled":
            return self._error(503, "ServerBusy")
        if fault == "leased":
            return self._error(412, "LeaseIdMissing")
        body = await request.read()
        if fault == "lost_request":
            return _cut(request)
        try:
            answer, content = await self._pass_on(request, body)
        except aiohttp.ClientError:  # the service itself is down
            return _cut(request)
        if fault == "lost_response":
            return _cut(request)
        if answer.status >= 400:
            content = content.replace(b"</Message>", f" {self._quoted}</Message>".encode())
        return _answer(request, answer, content)

    def _error(self, status: int, code: str) -> web.Response:
        return web.Response(
            status=status,
            text=ERROR.format(code=code, message=f"- {self._quoted}"),
            content_type="application/xml",
            headers={"x-ms-error-code": code},
        )

    async def _pass_on(
        self, request: web.Request, body: bytes
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0)
            self._session = aiohttp.ClientSession(connector=connector, auto_decompress=False)
        headers = [
            (name, value)
            for name, value in request.headers.items()
            if name.lower() != "transfer-encoding"
        ]
        url = self._target + request.raw_path
        async with self._session.request(
            request.method,
            URL(url, encoded=True),
            headers=headers,
            data=body or None,
            skip_auto_headers=AUTO,
            allow_redirects=False,
        ) as answer:
            return answer, await answer.read()

    def _draw(self, request: web.Request) -> str | None:
        if self._lottery.random() >= self._rate:
            return None
        fault = self._lottery.choice(FAULTS)
        if fault == "leased" and (request.method != "PUT" or "/shards/" not in request.path):
            fault = "throttled"
        self.faults[fault] += 1
        return fault

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def _operation(request: web.Request) -> str:
    """Return the method and the component it is for: `PUT block`, `GET`."""
    return " ".join(filter(None, (request.method, request.query.get("comp"))))


def _answer(
    request: web.Request, answer: aiohttp.ClientResponse, content: bytes
) -> web.StreamResponse:
    """Return the service's answer with its own headers."""
    head = request.method == "HEAD"
    response = web.Response(status=answer.status, body=None if head else content)
    for name, value in answer.headers.items():
        if name.lower() == "content-type":
            response.headers[name] = value
        elif name.lower() not in OF_THE_CONNECTION:
            response.headers.add(name, value)
    if head and "Content-Length" in answer.headers:
        response.headers["Content-Length"] = answer.headers["Content-Length"]
    return response


def _cut(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)  # never reaches the client


async def run(proxy: Proxy, port: int) -> None:
    """Serve until a signal says stop."""
    stop = told_to_stop()
    application = web.Application(client_max_size=MAX_BYTES)
    application.router.add_route("*", "/{path:.*}", proxy.handle)
    runner = web.AppRunner(application, access_log=None, auto_decompress=False)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, port).start()
    print(f"storage proxy at http://{LOOPBACK}:{port}", flush=True)
    try:
        await stop.wait()
    finally:
        print(json.dumps({"faults": proxy.faults, "operations": proxy.operations}), flush=True)
        await runner.cleanup()
        await proxy.close()


def main(arguments: Sequence[str] | None = None) -> int:
    flags = argparse.ArgumentParser(
        prog="python -m tests.support.storage_proxy", description=(__doc__ or "").splitlines()[0]
    )
    flags.add_argument("--port", type=int, required=True, help="port on 127.0.0.1")
    flags.add_argument(
        "--target", required=True, help="URL of the blob service, without the account"
    )
    flags.add_argument("--fault-rate", type=float, default=0.0, help="0 to 1, of the requests")
    flags.add_argument("--seed", type=int, default=0, help="of the fault lottery")
    flags.add_argument("--echo-key-file", type=Path, help="quote the key in this file in errors")
    flags.add_argument("--lifeline", action="store_true", help="end when standard input ends")
    parsed = flags.parse_args(arguments)
    if parsed.lifeline:
        exit_with_parent()
    key_file: Path | None = parsed.echo_key_file
    quoted = escape(" ".join(spellings(key_file.read_text().strip()))) if key_file else ""
    proxy = Proxy(parsed.target, parsed.fault_rate, parsed.seed, quoted)
    asyncio.run(run(proxy, parsed.port))
    return 0


if __name__ == "__main__":
    sys.exit(main())
