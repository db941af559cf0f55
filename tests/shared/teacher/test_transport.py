"""The transport against servers on raw sockets: each reply goes to its own request."""

from __future__ import annotations

import asyncio
import gc
import gzip
import socket
import ssl
import struct
import tomllib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from shared.core.errors import SettingsError
from shared.teacher import transport
from shared.teacher.transport import Connections, NoReply, Reply, header
from tests.support.certificates import serve_as
from tests.support.in_a_thread import PATIENCE

ROOT = Path(__file__).parents[3]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter, int], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """Return the body of the next request. Raises IncompleteReadError once the client closed."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return await reader.readexactly(length)


@asynccontextmanager
async def server(
    serve: Serve, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncGenerator[tuple[Connections, list[int]]]:
    """Open connections to a server that handles each, numbered from 0, with `serve`.

    Yields the connections, and the numbers of those that were made.
    """
    made: list[int] = []
    writers: list[asyncio.StreamWriter] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made.append(len(made))
        writers.append(writer)
        try:
            await serve(reader, writer, made[-1])
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(connected, host, 0, ssl=tls)
    port = listening.sockets[0].getsockname()[1]
    try:
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        async with Connections(
            f"{'https' if tls else 'http'}://{place}/v1/chat/completions"
        ) as connections:
            yield connections, made
    finally:
        listening.close()
        for writer in writers:
            writer.close()
        await asyncio.sleep(0.01)


async def ask(connections: Connections, body: bytes = b"{}", timeout: float = 5) -> Reply:
    return await connections.post({}, body, timeout)


def answering(*parts: bytes) -> Serve:
    """Answers every request with these bytes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        while True:
            await read_request(reader)
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0)

    return serve


async def test_a_connection_is_kept_for_the_next_request() -> None:
    async with server(answering(OK)) as (connections, made):
        for _ in range(3):
            assert (await ask(connections)).body == b"hi"
    assert made == [0]


async def test_requests_at_the_same_time_have_a_connection_each() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        while True:
            body = await read_request(reader)
            await asyncio.sleep(0.02)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    async with server(serve) as (connections, made):
        replies = await asyncio.gather(*[ask(connections, b"%d" % number) for number in range(20)])
        assert [reply.body for reply in replies] == [b"%d" % number for number in range(20)]
    assert len(made) == 20


@pytest.mark.parametrize(
    "parts",
    [
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n",
            b"1\r\ni\r\n0\r\n\r\n",
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\n", OK),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK,),
        # as Apache offers
        (b"HTTP/1.1 200 OK\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nhi",),
        # as gateways do that describe each guardrail and upstream
        (b"HTTP/1.1 200 OK\r\nX-Policy: " + b"a" * 20_000 + b"\r\nContent-Length: 2\r\n\r\nhi",),
        (b"HTTP/1.1 200 OK\r\n" + b"X-More: 1\r\n" * 200 + b"Content-Length: 2\r\n\r\nhi",),
        (b"HTTP/1.1 2", b"00 OK\r\nContent-Le", b"ngth: 2\r\n\r\nh", b"i"),
    ],
)
async def test_replies_of_every_form_are_read(parts: tuple[bytes, ...]) -> None:
    async with server(answering(*parts)) as (connections, made):
        for _ in range(2):
            reply = await ask(connections)
            assert (reply.status, reply.body) == (200, b"hi")
    assert made == [0]


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n",
    ],
)
async def test_a_reply_that_ends_with_its_connection_is_whole(head: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await read_request(reader)
        writer.write(head + b"hi")

    async with server(serve) as (connections, made):
        assert [(await ask(connections)).body for _ in range(2)] == [b"hi", b"hi"]
    assert made == [0, 1]


async def test_a_connection_that_the_server_closed_meanwhile_is_not_used() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await read_request(reader)
        writer.write(OK)

    async with server(serve) as (connections, made):
        await ask(connections)
        await asyncio.sleep(0.05)
        await ask(connections)
    assert made == [0, 1]


async def test_what_nobody_asked_for_is_never_taken_for_a_reply() -> None:
    async def serve(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        await read_request(reader)
        unsolicited = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfalse"
        writer.write(OK + unsolicited if number == 0 else OK)
        await reader.read()

    async with server(serve) as (connections, _):
        await ask(connections)
        await asyncio.sleep(0.05)
        assert (await ask(connections)).body == b"hi"


async def test_what_comes_on_an_idle_connection_ends_it() -> None:
    async def serve(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        while True:
            await read_request(reader)
            writer.write(OK)
            if number == 0:
                await asyncio.sleep(0.02)
                writer.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")

    async with server(serve) as (connections, made):
        await ask(connections)
        await asyncio.sleep(0.06)
        assert (await ask(connections)).status == 200
    assert made == [0, 1]


async def test_a_connection_that_told_to_close_is_not_used_though_the_server_left_it_open() -> None:
    closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi"
    async with server(answering(closing)) as (connections, made):
        assert [(await ask(connections)).body for _ in range(2)] == [b"hi", b"hi"]
    assert made == [0, 1]


async def test_a_connection_that_was_idle_for_long_is_not_trusted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transport, "IDLE_SECONDS", 0.0)
    async with server(answering(OK)) as (connections, made):
        await ask(connections)
        await ask(connections)
    assert made == [0, 1]


@pytest.mark.parametrize("how", ["timeout", "cancelled"])
async def test_a_request_that_is_given_up_ends_its_connection(how: str) -> None:
    begun = asyncio.Event()
    ended = asyncio.Event()

    async def serve(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        body = await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        if number > 0:
            return
        try:
            await read_request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfa")
            begun.set()
            await reader.read()
        finally:
            ended.set()

    async with server(serve) as (connections, made):
        # the connection is made before, so that the time-out cannot end while it is
        await ask(connections, b"first")
        timeout = 0.05 if how == "timeout" else PATIENCE
        asking = asyncio.create_task(ask(connections, b"second", timeout))
        if how == "cancelled":
            await begun.wait()
            asking.cancel()
        with pytest.raises(TimeoutError if how == "timeout" else asyncio.CancelledError):
            await asking
        async with asyncio.timeout(PATIENCE):
            await ended.wait()
        assert (await ask(connections, b"third")).body == b"third"
    assert made == [0, 1]


async def test_connecting_that_is_given_up_at_any_moment_leaves_no_socket_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed = 0

    async def resolved(host: str, port: int, **_: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))]

    # resolved at once, so that turns are spent on connecting
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolved)

    async def serve(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        nonlocal closed
        try:
            await reader.read()  # until the client's end is closed
        finally:
            closed += 1

    gc.disable()  # a forgotten socket stays as it was left
    try:
        async with server(serve) as (connections, made):
            for turns in range(30):  # of the loop, until it is given up: connecting takes fewer
                asking = asyncio.create_task(connections.post({}, b"{}", PATIENCE))
                for _ in range(turns):
                    await asyncio.sleep(0)
                asking.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await asking
            assert made
            async with asyncio.timeout(PATIENCE):
                while closed < len(made):
                    await asyncio.sleep(0.01)
    finally:
        gc.enable()


async def test_replies_are_those_of_their_requests_when_others_are_cancelled() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        while True:
            body = await read_request(reader)
            await asyncio.sleep(int(body) % 7 / 1000)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    async with server(serve) as (connections, _):
        for wave in range(5):
            # Connections for all, as CPython's race of address families leaves a socket to the
            # garbage collector when it is cancelled at the moment that it is won.
            await asyncio.gather(*[ask(connections, b"%d" % number) for number in range(30)])
            asking = [
                asyncio.create_task(ask(connections, b"%d" % (30 * wave + each)))
                for each in range(30)
            ]
            await asyncio.sleep(0.002 * wave)
            for task in asking[::3]:
                task.cancel()
            for number, outcome in enumerate(await asyncio.gather(*asking, return_exceptions=True)):
                if isinstance(outcome, Reply):
                    assert outcome.body == b"%d" % (30 * wave + number)
                else:
                    assert isinstance(outcome, asyncio.CancelledError)


async def test_a_late_reply_is_never_given_to_another_request() -> None:
    async def serve(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        while True:
            await read_request(reader)
            await asyncio.sleep(0.3 if number == 0 else 0)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number)

    async with server(serve) as (connections, _):
        with pytest.raises(TimeoutError):
            await ask(connections, timeout=0.1)
        asking = asyncio.create_task(ask(connections))
        assert (await asking).body == b"1"
        await asyncio.sleep(0.3)
        assert (await ask(connections)).body == b"1"


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent",
        b"SSH-2.0-x\r\n\r\n",
    ],
)
async def test_what_is_no_whole_reply_is_none(sent: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await read_request(reader)
        writer.write(sent)

    async with server(serve) as (connections, _):
        with pytest.raises(NoReply):
            await ask(connections)


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
    ],
)
async def test_a_connection_that_is_reset_brings_no_reply(sent: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await read_request(reader)
        writer.write(sent)
        await asyncio.sleep(0.02)
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        writer.transport.abort()

    async with server(serve) as (connections, _):
        with pytest.raises(NoReply, match="lost"):
            await ask(connections)


@pytest.mark.parametrize(
    "garbage", [b"\0\1\2\3", b"HTTP/9.9 yes\r\n\r\n", b"HTTP/1.1 200 OK\r\nno header\r\n\r\n"]
)
async def test_what_is_no_http_is_no_reply_though_the_connection_stays(garbage: bytes) -> None:
    async with server(answering(garbage)) as (connections, made):
        for _ in range(2):
            with pytest.raises(NoReply, match="not HTTP"):
                await ask(connections)
    assert made == [0, 1]


@pytest.mark.parametrize("head", [b"Content-Length: 4000", b"Transfer-Encoding: chunked", b"X: y"])
async def test_a_reply_that_is_too_large_is_given_up_before_it_is_whole(
    head: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "MAX_REPLY_BYTES", 1000)
    part = b"1f4\r\n" + b"x" * 500 + b"\r\n" if b"chunked" in head else b"x" * 500
    sending = answering(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % head, part, part, part)
    async with server(sending) as (connections, made):
        for _ in range(2):
            with pytest.raises(NoReply, match="larger than 1000 bytes"):
                await ask(connections)
    assert made == [0, 1]


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
async def test_an_address_of_ipv6_is_reached_and_named_in_brackets() -> None:
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)

    try:
        async with server(serve, "::1") as (connections, _):
            assert (await ask(connections)).body == b"hi"
    except OSError as error:  # a container without it
        pytest.skip(f"no IPv6: {error}")
    assert heads[0].startswith(b"POST /v1/chat/completions HTTP/1.1\r\nHost: [::1]:")


async def test_a_server_that_vouches_for_itself_is_refused(tmp_path: Path) -> None:
    context, _ = serve_as(tmp_path, "127.0.0.1")
    async with server(answering(OK), tls=context) as (connections, _):
        with pytest.raises(NoReply, match=r"certificate verify failed.* SSL_CERT_FILE"):
            await ask(connections)


async def test_https_to_a_server_without_tls_names_the_address_as_the_likely_mistake() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with server(serve) as (plain, _):
        url = str(plain.url).replace("http:", "https:")
        async with Connections(url) as connections:
            with pytest.raises(NoReply, match="speaks TLS"):
                await ask(connections)


async def test_a_server_that_the_system_trusts_is_asked_on_kept_connections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, chain = serve_as(tmp_path, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(chain))
    async with server(answering(OK), tls=context) as (connections, made):
        assert [(await ask(connections)).body for _ in range(2)] == [b"hi", b"hi"]
    assert made == [0]


@pytest.mark.parametrize("content", [None, "no certificate", "folder"])
async def test_a_file_without_certificates_is_named_instead_of_trusting_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    path = tmp_path if content == "folder" else tmp_path / "authorities.pem"
    if content == "no certificate":
        path.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with pytest.raises(SettingsError, match=r"SSL_CERT_FILE must name a PEM file"):
        async with Connections("https://127.0.0.1:9/v1"):
            pass


async def test_a_trusted_certificate_of_another_host_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, chain = serve_as(tmp_path, "127.0.0.2")
    monkeypatch.setenv("SSL_CERT_FILE", str(chain))
    async with server(answering(OK), tls=context) as (connections, _):
        with pytest.raises(NoReply, match="certificate"):
            await ask(connections)


async def test_where_nobody_listens_the_address_is_named() -> None:
    async with Connections("http://127.0.0.1:9/v1") as connections:
        with pytest.raises(NoReply, match=r"127\.0\.0\.1:9"):
            await ask(connections)


async def test_a_compressed_reply_is_read() -> None:
    body = gzip.compress(b"hi")
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with server(answering(head + body)) as (connections, _):
        assert (await ask(connections)).body == b"hi"
    async with server(answering(head + bytes(len(body)))) as (connections, _):
        with pytest.raises(NoReply, match="decompressed"):
            await ask(connections)


async def test_a_reply_is_bounded_after_decompression(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAX_REPLY_BYTES", 1_000_000)
    body = gzip.compress(bytes(10_000_000))
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with server(answering(head + body)) as (connections, _):
        with pytest.raises(NoReply, match="larger than 1000000 bytes"):
            await ask(connections)


async def test_a_request_is_never_sent_twice_though_the_server_closes_a_kept_connection() -> None:
    bodies: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        bodies.append(await read_request(reader))
        writer.write(OK)
        bodies.append(await read_request(reader))

    async with server(serve) as (connections, made):
        await ask(connections, b"first")
        with pytest.raises(NoReply, match="lost"):
            await ask(connections, b"paid for, maybe")
    assert bodies == [b"first", b"paid for, maybe"]
    assert made == [0]


async def test_a_redirect_is_a_reply_and_the_key_goes_nowhere_else() -> None:
    moved = b"HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"
    async with server(answering(moved)) as (connections, _):
        assert (await ask(connections)).status == 307


async def test_the_app_names_itself_with_its_version_and_keeps_no_cookies() -> None:
    heads: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        while True:
            heads.append((await reader.readuntil(b"\r\n\r\n{}")).decode())
            writer.write(OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: a=b; Path=/\r\n\r\n"))

    async with server(serve, "localhost") as (connections, _):
        for _ in range(2):
            await ask(connections)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"User-Agent: durable-distillation/{version}\r\n" in heads[1]
    assert "Content-Type: application/json\r\n" in heads[1]
    assert "Cookie" not in heads[1]


def test_a_header_cannot_break_out_of_its_line() -> None:
    assert header("Authorization", "Bearer x") == {"Authorization": "Bearer x"}
    for value in ("x\r\nHost: y", "x\ny", "x\r", "x\0", "ключ"):
        with pytest.raises(ValueError, match="Authorization"):
            header("Authorization", value)
