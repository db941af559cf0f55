"""Lines of a byte stream with their offsets, read incrementally: memory is one chunk and one line, whatever the file's size.

Used twice, to plan shards and to read one shard's range, so that both agree on what a line is.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass

MAX_LINE_BYTES = 1024 * 1024  # far above any chat row that a student's context could hold
BOM = b"\xef\xbb\xbf"


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
    chunks: AsyncIterable[bytes], *, offset: int = 0, number: int = 1, max_bytes: int = MAX_LINE_BYTES
) -> AsyncIterator[Line]:
    """Split chunks into lines. `offset` and `number` say where in the file the first byte stands."""
    async for batch in line_batches(chunks, offset=offset, number=number, max_bytes=max_bytes):
        for line in batch:
            yield line


async def line_batches(
    chunks: AsyncIterable[bytes], *, offset: int = 0, number: int = 1, max_bytes: int = MAX_LINE_BYTES
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


def _line(number: int, start: int, end: int, content: bytearray, too_long: bool) -> Line:
    if too_long:
        return Line(number, start, end, None)
    raw = bytes(content).removesuffix(b"\r")
    return Line(number, start, end, raw.removeprefix(BOM) if start == 0 else raw)
