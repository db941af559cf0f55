"""A forward proxy as companies run them: absolute URLs for http, `CONNECT` for https."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from aiohttp import encode_basic_auth

LOOPBACK = "127.0.0.1"
HEAD_END = b"\r\n\r\n"
OF_THE_PROXY = ("proxy-authorization", "connection")


@dataclass(frozen=True, slots=True)
class ProxiedRequest:
    """The head of one request as the proxy reads it. Header names are in lower case."""

    method: str
    target: str
    headers: dict[str, str]


@dataclass
class ForwardProxy:
    """A running proxy. Made by `forward_proxy`."""

    port: int = 0
    scheme: str = "http"
    credentials: tuple[str, str] | None = None
    forbidden: Sequence[str] = ()  # targets that are answered with 403
    connections: int = 0
    requests: list[ProxiedRequest] = field(default_factory=list[ProxiedRequest])

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.address}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle one connection of a client until either side ends it."""
        self.connections += 1
        try:
            while True:
                request = _parse(await reader.readuntil(HEAD_END))
                self.requests.append(request)
                refusal = self._refusal(request)
                if refusal is not None:
                    await _read_body(request, reader)
                    writer.write(b"HTTP/1.1 %b\r\nContent-Length: 0\r\n\r\n" % refusal)
                elif request.method == "CONNECT":
                    await _tunnel(request.target, reader, writer)
                    return
                else:
                    await _forward(request, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _refusal(self, request: ProxiedRequest) -> bytes | None:
        if self.credentials is not None:
            expected = encode_basic_auth(*self.credentials)
            if request.headers.get("proxy-authorization") != expected:
                return b"407 Proxy Authentication Required"
        if any(target in request.target for target in self.forbidden):
            return b"403 Forbidden"
        return None


@asynccontextmanager
async def forward_proxy(
    *,
    credentials: tuple[str, str] | None = None,
    forbidden: Sequence[str] = (),
    tls: ssl.SSLContext | None = None,
) -> AsyncGenerator[ForwardProxy]:
    """Serve a proxy on a free port while the context lasts."""
    proxy = ForwardProxy(credentials=credentials, forbidden=forbidden)
    proxy.scheme = "https" if tls else "http"
    server = await asyncio.start_server(proxy.serve, LOOPBACK, 0, ssl=tls)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await asyncio.sleep(0.01)


def _parse(head: bytes) -> ProxiedRequest:
    request_line, *lines = head.decode("latin-1").rstrip().split("\r\n")
    method, target, _ = request_line.split(" ")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return ProxiedRequest(method, target, headers)


async def _read_body(request: ProxiedRequest, reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly(int(request.headers.get("content-length", 0)))


async def _tunnel(target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Connect, say so, and copy both ways until both sides have ended."""
    host, _, port = target.rpartition(":")
    try:
        from_server, to_server = await asyncio.open_connection(host, int(port))
    except OSError:
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        return
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    await asyncio.gather(_copy(reader, to_server), _copy(from_server, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def _forward(
    request: ProxiedRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Send one request on without what is meant for the proxy, and its reply back."""
    body = await _read_body(request, reader)
    parts = urlsplit(request.target)
    lines = [f"{request.method} {parts.path} HTTP/1.1"]
    for name, value in request.headers.items():
        if name not in OF_THE_PROXY:
            lines.append(f"{name}: {value}")
    lines.append("connection: close")
    from_server, to_server = await asyncio.open_connection(parts.hostname, parts.port)
    to_server.write("\r\n".join(lines).encode("latin-1") + HEAD_END + body)
    head = await from_server.readuntil(HEAD_END)
    kept = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
    writer.write(b"\r\n".join(kept) + await from_server.read())
    to_server.close()
