"""Lines and byte ranges: the union of shards is the file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from shared.dataset.lines import OVERRUN_BYTES, Line, iter_lines, range_lines


async def chunked(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def lines_of(
    data: bytes, size: int = 7, *, offset: int = 0, number: int = 1, max_bytes: int = 1000
) -> list[Line]:
    async def collect() -> list[Line]:
        chunks = chunked(data, size)
        return [
            line
            async for line in iter_lines(chunks, offset=offset, number=number, max_bytes=max_bytes)
        ]

    return asyncio.run(collect())


contents = st.lists(
    st.sampled_from([b"a", b"\n", b"\r\n", b"{}", b" ", "é".encode(), b"x" * 30])
).map(b"".join)


@given(data=contents, size=st.integers(1, 40))
def test_lines_are_those_of_the_file_whatever_the_chunks(data: bytes, size: int) -> None:
    pieces = data.split(b"\n")
    expected = [
        piece.removesuffix(b"\r") for piece in (pieces[:-1] if pieces[-1] == b"" else pieces)
    ]
    assert [line.content for line in lines_of(data, size)] == expected


@given(data=contents, cut=st.integers(0, 20))
def test_reading_from_a_line_on_gives_the_same_lines(data: bytes, cut: int) -> None:
    lines = lines_of(data)
    rest = lines[cut:]
    if rest:
        first = rest[0]
        assert lines_of(data[first.start :], offset=first.start, number=first.number) == rest


@given(data=contents)
def test_offsets_cover_the_file_without_gap_or_overlap(data: bytes) -> None:
    lines = lines_of(data)
    assert [line.start for line in lines] == [0, *(line.end for line in lines)][: len(lines)]
    assert (lines[-1].end if lines else 0) == len(data)


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    assert [line.content for line in lines_of(b"\xef\xbb\xbf{}\n\xef\xbb\xbf")] == [
        b"{}",
        b"\xef\xbb\xbf",
    ]


def test_a_line_over_the_limit_has_no_content_and_leaves_the_others_alone() -> None:
    lines = lines_of(b"ab\n" + b"x" * 50 + b"\ncd", max_bytes=10)
    assert [line.content for line in lines] == [b"ab", None, b"cd"]


def lines_by_range(data: bytes, width: int, chunk: int = 7) -> tuple[list[Line], int]:
    """Lines of all ranges of this width, numbered through; and the bytes that were read for
    them.
    """
    bytes_read = 0

    async def read(start: int, end: int) -> AsyncIterator[bytes]:
        nonlocal bytes_read
        async for piece in chunked(data[start:end], chunk):
            bytes_read += len(piece)
            yield piece

    async def collect() -> list[Line]:
        found: list[Line] = []
        for start in range(0, len(data), width):
            first = len(found)
            async for line in range_lines(read, start, start + width, len(data)):
                assert line.number == len(found) - first + 1
                found.append(replace(line, number=len(found) + 1))
        return found

    return asyncio.run(collect()), bytes_read


@given(data=contents, width=st.integers(1, 50), chunk=st.integers(1, 40))
def test_each_line_belongs_to_exactly_one_range_wherever_the_file_is_cut(
    data: bytes, width: int, chunk: int
) -> None:
    assert lines_by_range(data, width, chunk)[0] == lines_of(data)


def test_a_range_reads_no_more_of_the_next_than_its_last_line_takes() -> None:
    data = (b"x" * 99 + b"\n") * 100
    found, bytes_read = lines_by_range(data, width=250, chunk=len(data))
    assert len(found) == 100
    assert bytes_read <= 40 * (251 + OVERRUN_BYTES)


def test_ranges_within_one_long_line_read_only_themselves() -> None:
    data = b"x" * 5000 + b"\ny\n"
    _, bytes_read = lines_by_range(data, width=100)
    assert bytes_read <= len(data) + 50 + len(
        data
    )  # each range once, the byte before it, and the line's own rest
