"""Lines of a byte stream with their offsets, read incrementally.

Memory is one chunk and one line, whatever the size of the file. The scan of a range, the planning
of shards and the reading of one shard's range all use this module, so they agree on what a line is.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass

MAX_LINE_BYTES = 1024 * 1024  # far above any chat row that fits a student's context
BOM = b"\xef\xbb\xbf"
OVERRUN_BYTES = 256 * 1024  # read at a time past the end of a range, for the rest of its last line

ReadBytes = Callable[[int, int], AsyncIterator[bytes]]  # bytes [start, end) of a file, in chunks


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its line end. `content` is None if the line is longer than the limit."""

    number: int  # 1-based, as editors count
    start: int  # byte offset in the file, inclusive
    end: int  # byte offset just past the line's end, exclusive
    content: bytes | None

    @property
    def is_blank(self) -> bool:
        return self.content is not None and not self.content.strip()


async def iter_lines(
    chunks: AsyncIterable[bytes],
    *,
    offset: int = 0,
    number: int = 1,
    max_bytes: int = MAX_LINE_BYTES,
) -> AsyncIterator[Line]:
    """Split chunks into lines. `offset` and `number` are those of the first byte in the file."""
    async for batch in line_batches(chunks, offset=offset, number=number, max_bytes=max_bytes):
        for line in batch:
            yield line


async def line_batches(
    chunks: AsyncIterable[bytes],
    *,
    offset: int = 0,
    number: int = 1,
    max_bytes: int = MAX_LINE_BYTES,
) -> AsyncIterator[list[Line]]:
    """Split chunks into lists of lines, one list a chunk: an iterator step a line would be slow."""
    splitter = _Splitter(offset, number, max_bytes)
    async for chunk in chunks:
        if batch := splitter.feed(chunk):
            yield batch
    if batch := splitter.finish():
        yield batch


class _Splitter:
    """Cuts a stream into lines. Of a line that is longer than the limit, only the end is found."""

    def __init__(self, offset: int, number: int, max_bytes: int) -> None:
        self._line_start = offset
        self._position = offset
        self._number = number
        self._max_bytes = max_bytes
        self._pending = bytearray()  # the beginning of a line whose end hasn't come yet
        self._too_long = False

    def feed(self, chunk: bytes) -> list[Line]:
        """Return the lines that end in this chunk."""
        batch: list[Line] = []
        cursor = 0
        while (newline := chunk.find(b"\n", cursor)) >= 0:
            self._extend(chunk[cursor:newline])
            batch.append(self._line(end=self._position + newline + 1))
            cursor = newline + 1
        self._extend(chunk[cursor:])
        self._position += len(chunk)
        return batch

    def finish(self) -> list[Line]:
        """Return the last line if the file doesn't end with a newline."""
        return [self._line(end=self._position)] if self._position > self._line_start else []

    def _extend(self, content: bytes) -> None:
        if self._too_long:
            return
        self._pending += content
        if len(self._pending) > self._max_bytes:
            self._too_long = True
            self._pending.clear()

    def _line(self, end: int) -> Line:
        line = Line(self._number, self._line_start, end, self._content())
        self._number += 1
        self._line_start = end
        self._pending.clear()
        self._too_long = False
        return line

    def _content(self) -> bytes | None:
        if self._too_long:
            return None
        content = bytes(self._pending).removesuffix(b"\r")
        return content.removeprefix(BOM) if self._line_start == 0 else content


async def range_lines(read: ReadBytes, start: int, end: int, size: int) -> AsyncIterator[Line]:
    """Yield the lines that begin in bytes [start, end) of a file of `size` bytes.

    Lines are numbered from 1 within the range. Each line of a file belongs to exactly one of the
    ranges that the file is cut into, wherever the cuts are.
    """
    begin = max(0, start - 1)  # the byte before `start` shows whether a line begins there
    chunks = _whole_lines(read, begin, start, end, size)
    async for line in iter_lines(chunks, offset=begin, number=0 if start else 1):
        if line.start >= start:
            yield line


async def _whole_lines(
    read: ReadBytes, begin: int, start: int, end: int, size: int
) -> AsyncIterator[bytes]:
    """Yield the bytes from `begin` to the end of the last line that begins before `end`.

    If no line begins in the range, the last line may be incomplete.
    """
    ends_with_line = False
    line_begins = start == 0
    position = begin
    async for chunk in read(begin, min(end, size)):
        yield chunk
        ends_with_line = chunk.endswith(b"\n")
        line_begins = line_begins or b"\n" in chunk[: end - 1 - position]
        position += len(chunk)
    while line_begins and not ends_with_line and position < size:
        async for chunk in read(position, min(size, position + OVERRUN_BYTES)):
            newline = chunk.find(b"\n")
            if newline >= 0:
                yield chunk[: newline + 1]
                return
            yield chunk
        position += OVERRUN_BYTES
