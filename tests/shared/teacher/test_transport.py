"""The transport against scripted servers on raw sockets: a reply belongs to its request, whatever servers do to connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from shared.teacher.transport import Connections, NoReply, Reply, header_line

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter, int], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """The body of the next request. Raises IncompleteReadError when the client has closed."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return await reader.readexactly(length)


@asynccontextmanager
async def server(serve: Serve) -> AsyncGenerator[tuple[Connections, list[int]]]:
    """Connections to a server that treats each one, numbered from 0, by `serve`; and the numbers of those made."""
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

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    try:
        async with Connections(f"http://127.0.0.1:{port}/v1/chat/completions") as connections:
            yield connections, made
    finally:
        listening.close()
        for writer in writers:
            writer.close()
        await asyncio.sleep(0.01)


async def ask(connections: Connections, body: bytes = b"{}", timeout: float = 5) -> Reply:
    return await connections.post(b"", body, timeout)


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
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n", b"1\r\ni\r\n0\r\n\r\n"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", OK),
        (b"HTTP/1.1 2", b"00 OK\r\nContent-Le", b"ngth: 2\r\n\r\nh", b"i"),
    ],
)
async def test_replies_of_every_form_are_read(parts: tuple[bytes, ...]) -> None:
    async with server(answering(*parts)) as (connections, made):
        for _ in range(2):
            reply = await ask(connections)
            assert (reply.status, reply.body) == (200, b"hi")
    assert made == [0]


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"])
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
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        await read_request(reader)
        writer.write(OK + (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfalse" if number == 0 else b""))
        await reader.read()

    async with server(serve) as (connections, _):
        await ask(connections)
        await asyncio.sleep(0.05)
        assert (await ask(connections)).body == b"hi"


async def test_a_late_reply_is_never_given_to_another_request() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
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
    [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", b"HTTP/1.1 200 OK\r\nContent", b"SSH-2.0-x\r\n\r\n"],
)
async def test_what_is_no_whole_reply_is_none(sent: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await read_request(reader)
        writer.write(sent)

    async with server(serve) as (connections, _):
        with pytest.raises(NoReply):
            await ask(connections)


async def test_where_nobody_listens_the_address_is_named() -> None:
    async with Connections("http://127.0.0.1:9/v1") as connections:
        with pytest.raises(NoReply, match=r"127\.0\.0\.1:9"):
            await ask(connections)


def test_a_header_cannot_break_out_of_its_line() -> None:
    assert header_line("Authorization", "Bearer x") == b"Authorization: Bearer x\r\n"
    for value in ("x\r\nHost: y", "x\0", "ключ"):
        with pytest.raises(ValueError, match="Authorization"):
            header_line("Authorization", value)
