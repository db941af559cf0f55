"""Lines of a byte stream with their offsets, read incrementally: memory is one chunk and one line, whatever the file's size.

Used to scan a range of a file, to plan shards and to read one shard's range, so that all agree on what a line is.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass

MAX_LINE_BYTES = 1024 * 1024  # far above any chat row that a student's context could hold
BOM = b"\xef\xbb\xbf"
BEYOND_BYTES = 256 * 1024  # read at a time past a range's end, for the rest of its last line

ReadBytes = Callable[[int, int], AsyncIterator[bytes]]  # bytes [start, end) of a file, in chunks


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its end. `content` is None when the line is longer than the limit."""

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
    """Split chunks into lines. `offset` and `number` say where in the file the first byte stands."""
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
    """The same, but the lines that end in one chunk at a time: many lines cost one step of the iterator."""
    pending = bytearray()
    too_long = False
    start = position = offset
    async for chunk in chunks:
        cursor, batch = 0, list[Line]()
        while (newline := chunk.find(b"\n", cursor)) >= 0:
            end = position + newline + 1
            if not too_long:
                pending += chunk[cursor:newline]
            batch.append(_line(number, start, end, pending, too_long or len(pending) > max_bytes))
            pending.clear()
            too_long, start, cursor, number = False, end, newline + 1, number + 1
        if not too_long:
            pending += chunk[cursor:]
            if len(pending) > max_bytes:
                too_long = True
                pending.clear()
        position += len(chunk)
        if batch:
            yield batch
    if position > start:
        yield [_line(number, start, position, pending, too_long)]


async def range_lines(read: ReadBytes, start: int, end: int, size: int) -> AsyncIterator[Line]:
    """The lines that begin in bytes [start, end) of a file of `size` bytes, numbered from 1 within the range.

    So each line belongs to exactly one of the ranges that a file is cut into, wherever the cuts are.
    """
    begin = max(0, start - 1)  # whether a line begins at `start` is told by the byte before
    async for line in iter_lines(
        _whole_lines(read, begin, start, end, size), offset=begin, number=0 if start else 1
    ):
        if line.start >= start:
            yield line


async def _whole_lines(
    read: ReadBytes, begin: int, start: int, end: int, size: int
) -> AsyncIterator[bytes]:
    """Bytes from `begin` to the end of the last line that begins before `end`; of a range in which none begins, a part."""
    ends_with_line, line_begins, position = False, start == 0, begin
    async for chunk in read(begin, min(end, size)):
        yield chunk
        ends_with_line = chunk.endswith(b"\n")
        line_begins = line_begins or b"\n" in chunk[: end - 1 - position]
        position += len(chunk)
    while line_begins and not ends_with_line and position < size:
        async for chunk in read(position, min(size, position + BEYOND_BYTES)):
            newline = chunk.find(b"\n")
            yield chunk if newline < 0 else chunk[: newline + 1]
            if newline >= 0:
                return
        position += BEYOND_BYTES


def _line(number: int, start: int, end: int, content: bytearray, too_long: bool) -> Line:
    if too_long:
        return Line(number, start, end, None)
    raw = bytes(content).removesuffix(b"\r")
    return Line(number, start, end, raw.removeprefix(BOM) if start == 0 else raw)
