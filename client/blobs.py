"""Moves files directly to and from the storage account, in blocks, through failures.

A URL works for some minutes and for one blob. It is renewed in time, and no message shows its
signature.
"""

from __future__ import annotations

import base64
import hashlib
import math
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self
from urllib.parse import urlencode

import httpx2

from .api import TEMPORARY, retry_after, unreachable
from .errors import ClientError, StorageRefused, UsageError

API_VERSION = "2023-11-03"
BLOCK_BYTES = 8 * 1024 * 1024
MAX_BLOCKS = 50_000
WORKERS = 4
ATTEMPTS = 7  # at a request; their pauses add up to a minute
FIRST_PAUSE = 1.0
MAX_PAUSE = 20.0
RENEW_SECONDS = 10 * 60.0  # URLs live for 15 minutes
TIMEOUT = httpx2.Timeout(120.0, connect=15.0)
EXISTS = ("BlobAlreadyExists", "ConditionNotMet", "UnauthorizedBlobOverwrite")
EXPIRED = ("AuthenticationFailed", "InvalidAuthenticationInfo")

Advance = Callable[[int], None]
"""Takes the number of bytes that have just been moved."""


class Credential(Protocol):
    """An identity of the caller, as azure-identity has them."""

    def get_token(self, *scopes: str) -> Any: ...


@dataclass
class BlobUrl:
    """The URL of one blob. `fetch` gets a new one from the app. Threads share it."""

    fetch: Callable[[], str] = field(repr=False)
    clock: Callable[[], float] = time.monotonic
    _url: str = field(default="", repr=False)
    _fetched_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def current(self) -> str:
        """Return a URL that works for some minutes."""
        with self._lock:
            if not self._url or self.clock() - self._fetched_at > RENEW_SECONDS:
                self._renew()
            return self._url

    def renew(self, rejected: str) -> None:
        """Get another URL, unless another thread has replaced the rejected one."""
        with self._lock:
            if self._url == rejected:
                self._renew()

    def _renew(self) -> None:
        self._url = self.fetch()
        self._fetched_at = self.clock()


class Blobs:
    """A client of the storage account's blob endpoint. Use it as a context manager."""

    def __init__(
        self,
        http: httpx2.Client,
        credential: Credential | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._http = http
        self._credential = credential
        self._sleep = sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def upload(self, path: Path, url: BlobUrl, *, overwrite: bool, advance: Advance) -> None:
        """Write a file of any size to a blob, which appears whole or not at all.

        Raises StorageRefused, Unreachable, and UsageError if the file changes meanwhile.
        """
        before = _version(path)
        blocks = _blocks(before.size)
        pool = ThreadPoolExecutor(WORKERS)
        try:
            jobs = [pool.submit(self._stage, path, url, block, advance) for block in blocks]
            for job in jobs:
                job.result()
        finally:
            pool.shutdown(cancel_futures=True)
        if _version(path) != before:
            raise UsageError(f"{path} has changed while it was read: upload it again")
        self._commit(url, blocks, path.name, overwrite=overwrite)

    def download(self, url: BlobUrl, target: Path, advance: Advance) -> int:
        """Read a blob into a file, which appears whole or not at all. Return its size in bytes.

        A broken connection is taken up where it broke. Raises StorageRefused, Unreachable.
        """
        draft = target.with_name(f"{target.name}.part")
        try:
            with draft.open("wb") as file:
                size = self._read(url, file.write, advance)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
        return size

    def _stage(self, path: Path, url: BlobUrl, block: _Block, advance: Advance) -> None:
        with path.open("rb") as file:
            file.seek(block.start)
            content = file.read(block.size)
        digest = hashlib.md5(content, usedforsecurity=False).digest()
        headers = {"Content-MD5": base64.b64encode(digest).decode()}
        query = {"comp": "block", "blockid": block.id}
        self._send("PUT", url, query, headers, content)
        advance(len(content))

    def _commit(self, url: BlobUrl, blocks: list[_Block], name: str, *, overwrite: bool) -> None:
        entries = "".join(f"<Latest>{block.id}</Latest>" for block in blocks)
        body = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{entries}</BlockList>'
        kind = "application/json" if name.endswith(".json") else "application/x-ndjson"
        headers = {"x-ms-blob-content-type": kind, "Content-Type": "application/xml"}
        if not overwrite:
            headers["If-None-Match"] = "*"
        tries = _Tries()
        try:
            self._send("PUT", url, {"comp": "blocklist"}, headers, body.encode(), tries)
        except StorageRefused as error:
            # The answer to an earlier try may have been lost after the blob was written.
            if error.code in EXISTS and tries.unanswered:
                return
            if error.code in EXISTS:
                raise StorageRefused(f"{name} has just been uploaded by somebody else") from None
            raise

    def _read(self, url: BlobUrl, write: Callable[[bytes], Any], advance: Advance) -> int:
        position = 0
        etag = ""
        tries = _Tries()
        while True:
            headers = {"Range": f"bytes={position}-", "If-Match": etag} if position else {}
            target = url.current()
            try:
                with self._stream(target, headers) as answer:
                    self._check(answer, url, target)
                    etag = answer.headers.get("ETag", etag)
                    length = answer.headers.get("Content-Length")
                    end = position + int(length) if length else None
                    for chunk in answer.iter_raw():
                        write(chunk)
                        position += len(chunk)
                        advance(len(chunk))
                        tries.restart()
                if end is None or position == end:
                    return position
                tries.pause(self._sleep, None, "the file ended early")
            except httpx2.TransportError as error:
                problem = unreachable(error, _host(target))
                tries.pause(self._sleep, None, str(problem), problem)
            except _Temporary as error:
                tries.pause(self._sleep, error.retry_after, str(error))

    def _stream(
        self, target: str, headers: Mapping[str, str]
    ) -> AbstractContextManager[httpx2.Response]:
        sent = {**self._headers(), **headers, "Accept-Encoding": "identity"}
        return self._http.stream("GET", target, headers=sent, timeout=TIMEOUT)

    def _send(
        self,
        method: str,
        url: BlobUrl,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        content: bytes,
        tries: _Tries | None = None,
    ) -> None:
        tries = tries or _Tries()
        while True:
            target = url.current()
            sent = {**self._headers(), **headers}
            try:
                answer = self._http.request(
                    method,
                    f"{target}{'&' if '?' in target else '?'}{urlencode(query)}",
                    headers=sent,
                    content=content,
                    timeout=TIMEOUT,
                )
                self._check(answer, url, target)
                return
            except httpx2.TransportError as error:
                tries.unanswered = True
                problem = unreachable(error, _host(target))
                tries.pause(self._sleep, None, str(problem), problem)
            except _Temporary as error:
                tries.unanswered = True
                tries.pause(self._sleep, error.retry_after, str(error))

    def _headers(self) -> dict[str, str]:
        headers = {"x-ms-version": API_VERSION}
        if self._credential is not None:
            token = self._credential.get_token("https://storage.azure.com/.default").token
            headers["Authorization"] = f"Bearer {token}"
        return headers

    def _check(self, answer: httpx2.Response, url: BlobUrl, target: str) -> None:
        """Raise _Temporary for what another try may mend, StorageRefused for the rest."""
        if answer.is_success:
            return
        content = answer.read()
        code = answer.headers.get("x-ms-error-code") or _error_code(content)
        status = answer.status_code
        if status in TEMPORARY:
            raise _Temporary(f"the storage account answers {status} {code}", retry_after(answer))
        if code in EXPIRED and self._credential is None:
            url.renew(target)
            raise _Temporary(f"the storage account rejects the URL ({status} {code})", None)
        raise StorageRefused(
            _refusal(status, code, has_identity=self._credential is not None), code
        )


class _Temporary(Exception):
    """Another try may succeed."""

    def __init__(self, message: str, seconds: float | None) -> None:
        super().__init__(message)
        self.retry_after = seconds


@dataclass
class _Tries:
    """How often a request was tried in a row."""

    failed: int = 0
    unanswered: bool = False
    """Whether one of them may have had an effect."""

    def restart(self) -> None:
        self.failed = 0

    def pause(
        self,
        sleep: Callable[[float], None],
        seconds: float | None,
        problem: str,
        error: ClientError | None = None,
    ) -> None:
        """Wait before the next try. Raises StorageRefused, or `error`, after the last one."""
        self.failed += 1
        if self.failed == ATTEMPTS:
            raise error or StorageRefused(f"gave up after {ATTEMPTS} tries: {problem}")
        sleep(seconds or min(FIRST_PAUSE * 2 ** (self.failed - 1), MAX_PAUSE))


@dataclass(frozen=True, slots=True)
class _Block:
    id: str
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class _Version:
    size: int
    modified: int


def _version(path: Path) -> _Version:
    stat = path.stat()
    return _Version(stat.st_size, stat.st_mtime_ns)


def _blocks(size: int) -> list[_Block]:
    """Return the blocks of a file: ids of equal length, as the service wants them."""
    length = max(BLOCK_BYTES, math.ceil(size / MAX_BLOCKS))
    return [
        _Block(
            base64.b64encode(f"{number:08d}".encode()).decode(), start, min(length, size - start)
        )
        for number, start in enumerate(range(0, size, length))
    ]


def _host(url: str) -> str:
    parts = httpx2.URL(url)
    return f"{parts.scheme}://{parts.host}"


def _error_code(content: bytes) -> str:
    match = re.search(rb"<Code>(\w+)</Code>", content)
    return match[1].decode() if match else ""


def _refusal(status: int, code: str, *, has_identity: bool) -> str:
    message = f"the storage account refuses the file ({status} {code})"
    if status != 403:
        return message
    if has_identity:
        return (
            f"{message}: your identity needs the role Storage Blob Data Contributor for uploads, "
            "Storage Blob Data Reader for downloads; roles take some minutes to work"
        )
    return (
        f"{message}: its network rules may not admit this machine. Try from a network that they "
        "admit"
    )
