"""A deployment and its storage account in one process, behind a transport of httpx2."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import httpx2
from typer.testing import CliRunner

from client.app import app
from client.blobs import Credential
from client.session import Session

URL = "https://fake.azurewebsites.net"
KEY = "a-function-key-of-the-fake"
STORAGE = "https://fakestorage.blob.core.windows.net"
SIGNATURE = "a%2Bsecret%2Fsignature%3D"

Answer = httpx2.Response | Exception
Reply = Callable[[httpx2.Request], Answer | None]


@dataclass
class Clock:
    """A clock that only sleeping moves."""

    now: float = 0.0
    naps: list[float] = field(default_factory=list[float])

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds


@dataclass
class Outcome:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        return self.stdout + self.stderr


@dataclass
class Deployment:
    """Answers to requests by `METHOD path`, blobs, and every request that came.

    Of a list of answers, each is given once and the last for ever. `faults` are asked first.
    """

    folder: Path
    answers: dict[str, Any] = field(default_factory=dict[str, Any])
    blobs: dict[str, bytes] = field(default_factory=dict[str, bytes])
    requests: list[httpx2.Request] = field(default_factory=list[httpx2.Request])
    faults: list[Reply] = field(default_factory=list[Reply])
    committed: list[str] = field(default_factory=list[str])
    clock: Clock = field(default_factory=Clock)
    credential: Credential | None = None
    _blocks: dict[str, bytes] = field(default_factory=dict[str, bytes])
    _signed: int = 0

    def run(self, *arguments: str, url: str | None = URL, key: str | None = KEY) -> Outcome:
        """Run a command line, by default against this deployment."""
        environ = {"DISTILLATION_URL": url or "", "DISTILLATION_KEY": key or ""}
        session = Session(
            environ=environ,
            folder=self.folder,
            transport=httpx2.MockTransport(self._handle),
            credential=self.credential,
            sleep=self.clock.sleep,
            clock=self.clock,
        )
        ended = CliRunner().invoke(app, list(arguments), obj=session)
        if ended.exception and not isinstance(ended.exception, SystemExit):
            raise ended.exception
        return Outcome(ended.exit_code, ended.stdout, ended.stderr)

    def sent(self, method: str, path: str) -> list[httpx2.Request]:
        """Return the requests of a method to a path below the app."""
        return [
            request
            for request in self.requests
            if request.method == method and request.url.path == path
        ]

    def signed_url(self, path: str) -> str:
        """Return another URL of a blob at each call."""
        self._signed += 1
        return f"{STORAGE}/{path}?se=soon&n={self._signed}&sig={SIGNATURE}"

    def _handle(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        for fault in self.faults:
            if (answer := fault(request)) is not None:
                return _given(answer)
        if request.url.host == urlsplit(STORAGE).hostname:
            return self._blob(request)
        if request.headers.get("x-functions-key") != KEY:
            return httpx2.Response(401)
        return self._answer(request)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        answers = self.answers.get(f"{request.method} {request.url.path}")
        if answers is None:
            return refusal(404, "not_found", "there is no such run")
        answer: Any = answers
        if isinstance(answers, list):
            series = cast(list[Any], answers)
            answer = series.pop(0) if len(series) > 1 else series[0]
        return _given(answer(request) if callable(answer) else answer)

    def _blob(self, request: httpx2.Request) -> httpx2.Response:
        assert "x-functions-key" not in request.headers
        path = request.url.path.lstrip("/")
        query = parse_qs(request.url.query.decode())
        if request.method == "GET":
            return self._read(request, path)
        if query["comp"] == ["block"]:
            self._blocks[query["blockid"][0]] = request.content
            return httpx2.Response(201)
        if "If-None-Match" in request.headers and path in self.blobs:
            return storage_error(409, "BlobAlreadyExists")
        ids = re.findall(r"<Latest>(.*?)</Latest>", request.content.decode())
        self.blobs[path] = b"".join(self._blocks[block] for block in ids)
        self.committed.append(path)
        return httpx2.Response(201)

    def _read(self, request: httpx2.Request, path: str) -> httpx2.Response:
        first = int(request.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        content = self.blobs[path][first:]
        headers = {"ETag": '"1"', "Content-Length": str(len(content))}
        return httpx2.Response(206, stream=Body(content), headers=headers)


class Body(httpx2.SyncByteStream):
    """The body of an answer, which may break off at its end."""

    def __init__(self, content: bytes, *, breaks: bool = False) -> None:
        self._content = content
        self._breaks = breaks

    def __iter__(self) -> Iterator[bytes]:
        yield self._content
        if self._breaks:
            raise httpx2.ReadError("reset")


def _given(answer: Any) -> httpx2.Response:
    if isinstance(answer, Exception):
        raise answer
    if isinstance(answer, httpx2.Response) and isinstance(answer.stream, Body):
        return answer
    if isinstance(answer, httpx2.Response):
        return httpx2.Response(answer.status_code, content=answer.content, headers=answer.headers)
    return httpx2.Response(200, json=answer)


def refusal(status: int, code: str, message: str, **details: str) -> httpx2.Response:
    """An error as the app answers it. `details` are problems by place."""
    problems = [{"where": where, "problem": problem} for where, problem in details.items()]
    return httpx2.Response(
        status, json={"error": {"code": code, "message": message, "details": problems}}
    )


def storage_error(status: int, code: str) -> httpx2.Response:
    """An error as the storage account answers it."""
    return httpx2.Response(
        status, headers={"x-ms-error-code": code}, content=f"<Error><Code>{code}</Code></Error>"
    )


def view(status: str = "completed", **fields: Any) -> dict[str, Any]:
    """A run as the app shows it."""
    counts = {"rows": 96, "done": 96, "accepted": 90, "rejected": 6}
    return {
        "id": "math-mine-1",
        "status": status,
        "stage": "done",
        "task": "math",
        "created": "2026-11-28T09:00:00+00:00",
        "splits": {"train": counts},
        "reasons": {"train": {"no_number": 6}},
        "tokens": {"prompt": 10, "completion": 5},
        "requests": 96,
        "cost": 0.25,
        "error": None,
        "warnings": [],
        "finetune": None,
        "students": [],
        **fields,
    }


def body_of(request: httpx2.Request) -> Any:
    """Return the JSON body of a request."""
    return json.loads(request.content)
