"""Finds duplicate rows across all ranges of all splits, a group of hashes at a time.

Each scanned range leaves one entry a row: the hash of its question, its reference, its line, and
its estimate. The entries are sorted into buckets by the first bits of the hash, and duplicates
share a bucket.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from shared.core.paths import Split
from shared.scan.references import NO_REFERENCE, PACKED_BYTES, References, shown
from shared.spec.budget import Usage

BUCKETS = 4096  # by the first 12 bits of the hash
HASH_BYTES = 16
# hash, reference, line within the range, three counts of usage
ENTRY = struct.Struct(f"<{HASH_BYTES}s{PACKED_BYTES}sIIII")
OFFSET_BYTES = 8  # in the head of a range's file: where each bucket begins, and the end
HEAD_BYTES = OFFSET_BYTES * (BUCKETS + 1)

RangeKey = tuple[Split, int]  # the split of a range, and its number


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A row that repeats an earlier one. `line` is its line within its range.

    The counts are those that the row added to the estimate, all 0 if an earlier run answered it or
    the teacher isn't asked for its split.
    `conflict` says which other reference the same question has, "" if none. `similarity` is that of
    a row that only nearly repeats the other, None if both are the same.
    """

    line: int
    first_split: Split
    first_line: int
    requests: int
    prompt_tokens: int
    completion_tokens: int
    conflict: str = ""
    similarity: float | None = None

    @property
    def is_reused(self) -> bool:
        return not (self.requests or self.prompt_tokens or self.completion_tokens)


class HashBuckets:
    """The entries of one range, by bucket."""

    def __init__(self) -> None:
        self._buckets: dict[int, bytearray] = defaultdict(bytearray)

    def add(self, digest: bytes, reference: bytes, line: int, estimate: Usage) -> None:
        """Add a row. `digest` has 16 bytes, its packed reference at most as many."""
        counts = (estimate.requests, estimate.prompt_tokens, estimate.completion_tokens)
        bucket = int.from_bytes(digest[:2]) >> 4
        self._buckets[bucket] += ENTRY.pack(digest, reference, line, *counts)

    def entries(self, bucket: int) -> bytes:
        return bytes(self._buckets.get(bucket, b""))

    def contents(self) -> list[bytes]:
        """Return all buckets."""
        return [self.entries(bucket) for bucket in range(BUCKETS)]

    def packed(self) -> bytes:
        """Return the content of the range's file: the offsets of the buckets, then the buckets."""
        buckets = self.contents()
        offsets = [0]
        for bucket in buckets:
            offsets.append(offsets[-1] + len(bucket))
        return b"".join([struct.pack(f"<{len(offsets)}Q", *offsets), *buckets])


def expected_usage(contents: Iterable[bytes], lines: Container[int]) -> dict[int, Usage]:
    """Return what rows on these lines of a range add to the estimate, without those rejected.

    `contents` has the buckets of the range.
    """
    usage: dict[int, Usage] = {}
    for content in contents:
        for _, _, line, requests, prompt_tokens, completion_tokens in ENTRY.iter_unpack(content):
            if line in lines:
                usage[line] = Usage(
                    requests=requests,
                    prompt_tokens=prompt_tokens,
                    completion_tokens=completion_tokens,
                )
    return usage


def unpacked_offsets(head: bytes) -> tuple[int, ...]:
    """Return the offsets in a part of a file's head."""
    return struct.unpack(f"<{len(head) // OFFSET_BYTES}Q", head)


def split_buckets(content: bytes, offsets: tuple[int, ...]) -> list[bytes]:
    """Cut the content between the first and the last offset into buckets."""
    first = offsets[0]
    return [content[begin - first : end - first] for begin, end in pairwise(offsets)]


@dataclass(slots=True)
class _Question:
    """Where a question stands first, and where its first reference stands."""

    split: Split
    line: int
    reference: bytes = NO_REFERENCE
    reference_place: str = ""

    def conflict(self, reference: bytes, place: str, references: References) -> str:
        """Return how a reference differs from the first one, "" if it doesn't."""
        if self.reference == NO_REFERENCE:
            self.reference = reference
            self.reference_place = place
        if not references.differ(self.reference, reference):
            return ""
        return f"{shown(reference)}, but {shown(self.reference)} on {self.reference_place}"


def find_duplicates(
    bucket: Iterable[tuple[RangeKey, bytes]],
    first_lines: Mapping[RangeKey, int],
    references: References,
) -> Iterator[tuple[RangeKey, Duplicate]]:
    """Yield every row of a bucket that an earlier row equals, in its own split or another.

    `bucket` has the entries of each range, in the order in which rows count: training first.
    `first_lines` has the line of its split at which each range begins.
    """
    questions: dict[bytes, _Question] = {}
    for key, entries in bucket:
        split = key[0]
        lines_before = first_lines[key] - 1
        for digest, padded_reference, line, *counts in ENTRY.iter_unpack(entries):
            reference = padded_reference.rstrip(b"\0")
            place = lines_before + line
            question = questions.get(digest)
            if question is None:
                questions[digest] = _Question(split, place, reference, place_of(split, place))
                continue
            conflict = question.conflict(reference, place_of(split, place), references)
            yield key, Duplicate(line, question.split, question.line, *counts, conflict=conflict)


def place_of(split: Split, line: int) -> str:
    """Return a place in the datasets as messages name it."""
    return f"line {line} of {split}"
