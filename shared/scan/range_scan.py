"""Scans one range of an input by itself: checks its rows, cuts its shards, hashes its questions.

Journals belong to shards. The way that an input is cut must not change while runs exist.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from shared.core.paths import ASKED_SPLITS, Split
from shared.dataset.file_form import HEAD_BYTES, file_form
from shared.dataset.lines import Line, ReadBytes, range_lines
from shared.dataset.rejection import RejectedRow
from shared.dataset.rows import Row
from shared.scan.duplicates import HashBuckets
from shared.scan.near_duplicates import EvaluationRows, NearDuplicate, is_partly_compared
from shared.scan.plan import FIRST_WAVE_ROWS, RangePlan, Shard
from shared.scan.references import References
from shared.scan.row_checks import RowChecks
from shared.spec.budget import Usage, example_tokens, row_estimate
from shared.spec.models import RunSpec

MIN_RANGE_BYTES = 32 * 1024 * 1024  # some 100,000 rows
MAX_RANGE_BYTES = 256 * 1024 * 1024
# A larger input has larger ranges, because duplicates are looked for across all of them.
USUAL_RANGES = 256
# Counting the tokens of every example would make the scan up to half as slow again: those of the
# first ones are counted, and then of each sixteenth, which stands for the others.
COUNTED_EXAMPLES = 1024
EXAMPLES_PER_SAMPLE = 16
MAX_SHARD_BYTES = 8 * 1024 * 1024  # the rows of a shard are in memory while it is answered


def range_bytes(size: int) -> int:
    """Return the size of each range of an input of `size` bytes."""
    return max(MIN_RANGE_BYTES, min(MAX_RANGE_BYTES, -(-size // USUAL_RANGES)))


def count_ranges(size: int) -> int:
    """Return how many ranges an input of `size` bytes has."""
    return -(-size // range_bytes(size))


def nothing_answered(row: Row) -> bool:
    """Return that no earlier run has answered the row."""
    return False


@dataclass
class RangeScan:
    """The content of one range. Lines are numbered within the range."""

    split: Split
    spec: RunSpec
    # Tells the rows that an earlier run has answered: the teacher need not be asked for them.
    is_answered: Callable[[Row], bool] = nothing_answered
    # The rows of later splits, to compare these rows with.
    later_splits: Sequence[EvaluationRows] = ()
    plan: RangePlan = field(default_factory=RangePlan)
    rejections: list[RejectedRow] = field(default_factory=list[RejectedRow])
    lines: int = 0
    hashes: HashBuckets = field(default_factory=HashBuckets)
    near: list[NearDuplicate] = field(default_factory=list[NearDuplicate])
    _checks: RowChecks = field(init=False)
    _references: References = field(init=False)
    # Whether the split begins here with the rows that are asked before all others.
    _has_first_wave: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._checks = RowChecks(self.spec, are_asked=self.split in ASKED_SPLITS)
        self._references = References(self.spec)

    async def read(self, read: ReadBytes, start: int, end: int, size: int) -> None:
        """Check the rows that begin in bytes [start, end) of a file of `size` bytes."""
        self._has_first_wave = start == 0 and self.split == "train"
        self.plan.is_partly_compared = is_partly_compared(self.spec, self.split, size)
        head = b"".join([chunk async for chunk in read(0, min(size, HEAD_BYTES))])
        form = file_form(head)
        if form is not None:
            self.plan.file_form = form.sentence(self.spec.inputs[self.split], self.spec.task)
            if not form.has_lines:
                return
        async for line in range_lines(read, start, end, size):
            if form is not None and form.is_blank(line.content):
                self.lines = line.number
            else:
                self.add(line)

    def add(self, line: Line) -> None:
        """Check the next line and add it to a shard."""
        self.lines = line.number
        if line.is_blank:
            return
        self.plan.rows += 1
        self._add_to_shard(line)
        row = self._checks.row(line.content)
        if isinstance(row, Row):
            self._accept(row, line.number)
        else:
            rejected = RejectedRow(
                self.split, line.number, row.id, row.reason, row.detail, row.reply
            )
            self.rejections.append(rejected)

    def _add_to_shard(self, line: Line) -> None:
        """Add a line to the last shard, or begin another with it."""
        shards = self.plan.shards
        if not shards or self._is_full(shards[-1], line):
            shards.append(Shard(start=line.start, end=line.end, first_line=line.number))
        last = shards[-1]
        last.end = line.end
        last.last_line = line.number
        last.rows += 1

    def _is_full(self, shard: Shard, line: Line) -> bool:
        """Return whether a shard takes no further line."""
        if shard.rows == self.spec.generation.rows_per_shard:
            return True
        if line.end - shard.start > MAX_SHARD_BYTES:
            return True
        is_first = self._has_first_wave and len(self.plan.shards) == 1
        return is_first and self.plan.valid == FIRST_WAVE_ROWS

    def _accept(self, row: Row, line: int) -> None:
        self.plan.valid += 1
        for place in row.unused_fields:
            if place not in self.plan.unused_fields:
                self.plan.unused_fields.append(place)
        self.plan.answers.count(row.answers, line)
        if self.split == "train" and self.spec.students:
            self.plan.example_tokens += self._sampled_tokens(row)
        estimate = self._expected_usage(row)
        digest = row.question_hash(with_answers=self.spec.answers.are_provided)
        reference = self._references.value(row)
        self.plan.references.count(reference, line)
        self.hashes.add(digest, self._references.packed(reference), line, estimate)
        for evaluation_rows in self.later_splits:
            self.near += evaluation_rows.new_matches(row, line)

    def _sampled_tokens(self, row: Row) -> int:
        """Return the tokens of the row's example and of those that it stands for."""
        if self.plan.valid <= COUNTED_EXAMPLES:
            return example_tokens(row, self.spec)
        if self.plan.valid % EXAMPLES_PER_SAMPLE:
            return 0
        return EXAMPLES_PER_SAMPLE * example_tokens(row, self.spec)

    def _expected_usage(self, row: Row) -> Usage:
        """Return what a row adds to the estimate: nothing if the teacher isn't asked for it."""
        estimate = Usage()
        if self.split not in ASKED_SPLITS:
            return estimate
        if self.is_answered(row):
            self.plan.reused += 1
            return estimate
        estimate = row_estimate(row, self.spec)
        self.plan.estimate.add(estimate)
        return estimate
