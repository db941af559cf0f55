"""Lines and byte ranges: the union of shards is the file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from hypothesis import given
from hypothesis import strategies as st

from shared.lines import Line, iter_lines


async def chunked(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def lines_of(data: bytes, size: int = 7, *, offset: int = 0, number: int = 1, max_bytes: int = 1000) -> list[Line]:
    async def collect() -> list[Line]:
        chunks = chunked(data, size)
        return [line async for line in iter_lines(chunks, offset=offset, number=number, max_bytes=max_bytes)]

    return asyncio.run(collect())


contents = st.lists(st.sampled_from([b"a", b"\n", b"\r\n", b"{}", b" ", "é".encode(), b"x" * 30])).map(b"".join)


@given(data=contents, size=st.integers(1, 40))
def test_lines_are_those_of_the_file_whatever_the_chunks(data: bytes, size: int) -> None:
    pieces = data.split(b"\n")
    expected = [piece.removesuffix(b"\r") for piece in (pieces[:-1] if pieces[-1] == b"" else pieces)]
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
    assert [line.content for line in lines_of(b"\xef\xbb\xbf{}\n\xef\xbb\xbf")] == [b"{}", b"\xef\xbb\xbf"]


def test_a_line_over_the_limit_has_no_content_and_leaves_the_others_alone() -> None:
    lines = lines_of(b"ab\n" + b"x" * 50 + b"\ncd", max_bytes=10)
    assert [line.content for line in lines] == [b"ab", None, b"cd"]
