"""The fastest teacher that Python gives: one fixed answer after a fixed latency, so that the client
is what is measured.

`python -m benchmarks.stub_teacher --port 0 --latency-ms 50`. No parsing beyond the request's
length; GET answers with how many requests came and how much processor time they took, by which a
benchmark proves that the teacher was not its limit.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import time

from local.runtime.lifeline import exit_with_parent, told_to_stop

MODEL = "stub-teacher"
LENGTH = b"content-length:"


def _body() -> bytes:
    message = {"role": "assistant", "content": '{"answer": "42"}', "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    usage = {"prompt_tokens": 90, "completion_tokens": 7, "total_tokens": 97}
    completion = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": MODEL,
        "choices": [choice],
    }
    return json.dumps({**completion, "usage": usage}).encode()


def _response(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        len(body),
        body,
    )


class Stub:
    """What all connections share."""

    def __init__(self, latency_seconds: float) -> None:
        self.latency_seconds = latency_seconds
        self.requests = self.connections = 0
        self.started = time.monotonic()
        self.answer = _response(_body())

    def statistics(self) -> bytes:
        """Requests, connections, and seconds of processor time and of clock since the start."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        counts = {"requests": self.requests, "connections": self.connections}
        seconds = {"cpu": used.ru_utime + used.ru_stime, "clock": time.monotonic() - self.started}
        return _response(json.dumps({**counts, **seconds}).encode())


class Connection(asyncio.Protocol):
    """One keep-alive connection.

    Pipelined requests are answered in turn, as latencies are all alike.
    """

    def __init__(self, stub: Stub) -> None:
        self._stub = stub
        self._pending = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._stub.connections += 1

    def data_received(self, data: bytes) -> None:
        self._pending += data
        while (end := self._pending.find(b"\r\n\r\n")) >= 0:
            head = self._pending[:end].lower()
            place = head.find(LENGTH)
            length = int(head[place + len(LENGTH) :].split(b"\r\n", 1)[0]) if place >= 0 else 0
            if len(self._pending) < end + 4 + length:
                return
            self._pending = self._pending[end + 4 + length :]
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        if head.startswith(b"get"):
            self._write(self._stub.statistics())
            return
        self._stub.requests += 1
        asyncio.get_running_loop().call_later(
            self._stub.latency_seconds, self._write, self._stub.answer
        )

    def _write(self, response: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(response)


async def serve(port: int, latency_ms: float) -> None:
    """Serve on 127.0.0.1 until told to stop."""
    stop, stub = told_to_stop(), Stub(latency_ms / 1000)
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(stub), "127.0.0.1", port, backlog=2048
    )
    async with server:
        print(f"teacher at http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
        await stop.wait()


def main() -> None:
    flags = argparse.ArgumentParser(prog="python -m benchmarks.stub_teacher")
    flags.add_argument("--port", type=int, default=0)
    flags.add_argument("--latency-ms", type=float, default=50)
    flags.add_argument("--lifeline", action="store_true", help="end when standard input ends")
    options = flags.parse_args()
    if options.lifeline:
        exit_with_parent()
    asyncio.run(serve(options.port, options.latency_ms))


if __name__ == "__main__":
    main()
