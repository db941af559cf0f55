"""HTTP/1.1 to one teacher: POST and its reply, one request in flight per kept connection.

A small function instance runs out of processor time per request: about 90 µs here and 220 µs with
aiohttp, measured side by side. Replies are parsed by httptools (llhttp, which Node uses).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

import httptools
from aiohappyeyeballs import start_connection  # pyright: ignore[reportUnknownVariableType]

MAX_REPLY_BYTES = 32 * 1024 * 1024
# a connection that was idle for longer may have been closed by the server
IDLE_SECONDS = 60.0
# delay before the other address family is tried as well (RFC 8305)
FAMILY_SECONDS = 0.25


class NoReply(Exception):
    """The connection could not be made, broke, or did not carry HTTP."""


class Reply:
    """One HTTP reply. Header names are in lower case."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body


class _Connection(asyncio.Protocol):
    """One connection and the reply that it waits for. The parser calls the methods `on_…`."""

    def __init__(self) -> None:
        self.idle_since = 0.0
        self.reusable = True
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Reply] | None = None
        self._deadline = 0.0  # of the request in flight, by the loop's clock
        self._timer: asyncio.TimerHandle | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._start_reply()

    def _start_reply(self) -> None:
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._size = 0
        self._has_whole_head = False

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing() and self.reusable

    def request(self, data: bytes, deadline: float) -> asyncio.Future[Reply]:
        """Send one request. The future is its reply, or fails with TimeoutError or NoReply.

        The deadline is a time of the event loop's clock.
        """
        assert self._transport is not None
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        self._deadline = deadline
        # One timer serves many requests, as most are answered long before their deadline: when it
        # fires, it is set anew for the request in flight by then.
        if self._timer is None or self._timer.when() > deadline:
            self._set_timer(loop, deadline)
        self._transport.write(data)
        return self._waiting

    def _set_timer(self, loop: asyncio.AbstractEventLoop, moment: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(moment, self._check_deadline, loop)

    def _check_deadline(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if self._waiting is None:
            return
        if loop.time() < self._deadline:
            self._set_timer(loop, self._deadline)
        else:
            self._fail(TimeoutError())

    def abort(self) -> None:
        """Close the connection at once."""
        self.reusable = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._waiting is None:
            # unsolicited data must not be read as the reply to the next request
            self.abort()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(NoReply(f"the reply is not HTTP: {error}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.reusable = False
        has_length = "content-length" in self._headers or "transfer-encoding" in self._headers
        is_whole = self._has_whole_head and not has_length
        if self._waiting is not None and exc is None and is_whole:
            self.on_message_complete()
        self._fail(NoReply(f"the connection was lost: {exc or 'closed by the server'}"))

    def on_message_begin(self) -> None:
        if self._waiting is None:
            # a second reply to one request
            self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._has_whole_head = True

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size > MAX_REPLY_BYTES:
            self._fail(NoReply(f"the reply is larger than {MAX_REPLY_BYTES} bytes"))
        else:
            self._body.append(body)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        reply = Reply(status, self._headers, b"".join(self._body))
        if not self._parser.should_keep_alive():
            self.reusable = False
        self._start_reply()
        if status < 200:
            # "100 Continue": the reply is still to come
            return
        waiting = self._waiting
        self._waiting = None
        if waiting is not None and not waiting.done():
            waiting.set_result(reply)

    def _fail(self, error: Exception) -> None:
        waiting = self._waiting
        self._waiting = None
        self.abort()
        if waiting is not None and not waiting.done():
            waiting.set_exception(error)


class Connections:
    """Connections to the host of one URL. Open it as a context; POSTs go to `url`."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname
        self._host = parts.hostname
        self._tls = parts.scheme == "https"
        self._port = parts.port or (443 if self._tls else 80)
        self._context: ssl.SSLContext | None = None
        self._idle: list[_Connection] = []
        host = parts.netloc.rpartition("@")[2]
        request_line = f"POST {parts.path or '/'} HTTP/1.1\r\n"
        head = f"{request_line}Host: {host}\r\nContent-Type: application/json\r\n"
        self._head = head.encode()

    async def __aenter__(self) -> Connections:
        if self._tls:
            self._context = ssl.create_default_context()
        return self

    async def __aexit__(self, *_: object) -> None:
        for connection in self._idle:
            connection.abort()
        self._idle.clear()
        # the event loop closes them in its next turn
        await asyncio.sleep(0)

    async def post(self, headers: bytes, body: bytes, timeout: float) -> Reply:
        """Return the reply to one request. Raises NoReply and TimeoutError.

        `headers` are further header lines, each with its line end; `timeout` is in seconds.
        """
        request = b"%b%bContent-Length: %d\r\n\r\n%b" % (self._head, headers, len(body), body)
        deadline = asyncio.get_running_loop().time() + timeout
        connection = self._idle_connection()
        if connection is None:
            async with asyncio.timeout_at(deadline):
                connection = await self._connect()
        try:
            reply = await connection.request(request, deadline)
        except BaseException:
            connection.abort()
            raise
        if connection.is_open:
            connection.idle_since = time.monotonic()
            self._idle.append(connection)
        else:
            connection.abort()
        return reply

    def _idle_connection(self) -> _Connection | None:
        """Return the open connection used last, and close those that were idle too long."""
        oldest = time.monotonic() - IDLE_SECONDS
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and connection.idle_since > oldest:
                return connection
            connection.abort()
        return None

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        try:
            addresses = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            # Not create_connection's own race: cancelled in the turn in which it is won, it leaves
            # the socket open.
            connected = await start_connection(addresses, happy_eyeballs_delay=FAMILY_SECONDS)
            name = self._host if self._tls else None
            _, connection = await loop.create_connection(
                _Connection, sock=connected, ssl=self._context, server_hostname=name
            )
        # also raised by TLS and name resolution
        except OSError as error:
            raise NoReply(f"no connection to {self._host}:{self._port}: {error}") from None
        return connection


def header_line(name: str, value: str) -> bytes:
    """Return one header line. Raises ValueError for a value that would break the request."""
    with contextlib.suppress(UnicodeEncodeError):
        line = value.encode("latin-1")
        if not set(line) & set(b"\r\n\0"):
            return b"%b: %b\r\n" % (name.encode(), line)
    raise ValueError(f"header {name} contains characters that HTTP does not allow")
