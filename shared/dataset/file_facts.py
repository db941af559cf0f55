"""Size, lines and hash of a file, read as a stream."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, AsyncIterable, Callable

from pydantic import BaseModel

from shared.dataset.lines import MAX_LINE_BYTES, Line, iter_lines

MAX_EXAMPLE_BYTES = 16 * 1024 * 1024
"""Of a line that the app wrote: an input line and its answers are far shorter."""


class FileFacts(BaseModel):
    """A file of a run, by content."""

    path: str
    bytes: int
    lines: int
    sha256: str


async def file_facts(
    path: str, chunks: AsyncIterable[bytes], take: Callable[[Line], None] | None = None
) -> FileFacts:
    """Return the facts of a stream. `take` is called with each line that is not too long.

    Memory is one chunk and one line.
    """
    digest = hashlib.sha256()
    size = 0

    async def measured() -> AsyncGenerator[bytes]:
        nonlocal size
        async for chunk in chunks:
            digest.update(chunk)
            size += len(chunk)
            yield chunk

    lines = 0
    max_bytes = MAX_LINE_BYTES if take is None else MAX_EXAMPLE_BYTES
    async for line in iter_lines(measured(), max_bytes=max_bytes):
        lines += 1
        if take is not None and line.content is not None:
            take(line)
    return FileFacts(path=path, bytes=size, lines=lines, sha256=digest.hexdigest())
