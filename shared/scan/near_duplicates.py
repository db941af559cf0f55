"""Rows of an evaluation set that nearly repeat a row of an earlier split.

Two rows are near-duplicates if their users' turns share at least 80 % of their runs of three words
(Jaccard index of the two sets), without the runs that the prompts of a dataset have in common.
Where answers are short values, all that makes another quantity must be the same too: questions of
one template with other numbers or signs are different questions. Where answers are numbers, so are
those with the same numbers in another order.

Each scanned range compares its rows with the whole of every later split, exactly and without
hashes: these are small, so their texts are kept in memory, and eight rare runs of each lead to the
few pairs worth comparing. Of two rows that share 80 %, fewer than one in 10,000 share none or only
one of the eight.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from shared.core.paths import SPLITS, Split
from shared.dataset.lines import ReadBytes, range_lines
from shared.dataset.rows import Row, parse_row
from shared.scan.duplicates import Duplicate, RangeKey, expected_usage
from shared.spec.models import RunSpec
from shared.tasks import TASKS, Task
from shared.tasks.numbers.number_tables import TABLES

MIN_SIMILARITY = 0.8
# The part of an evaluation set that is compared. It takes at most some 100 MB.
MAX_ROWS = 20_000
MAX_BYTES = 16 * 1024 * 1024
# A run of words belongs to the prompts if so many rows have it, of those that are looked at.
SAMPLED_ROWS = 500
TEMPLATE_ROWS = 3
TEMPLATE_SHARE = 0.02
ANCHORS = 8
SHARED_ANCHORS = 2  # one alone may be "one of the"
EDGE = ("", "")  # around a text, so that its first and last words count as often as the others
# Marks that don't belong to a word. To replace one after the other takes half of a pattern's time.
MARKS = ".,;:!?()[]{}<>\"'‘’“”„«»`*_#|/\\-–—…"
# Scripts without spaces: each character counts as a word.
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff"
WORD = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+")
UNSPACED_CHARACTER = re.compile(f"[{UNSPACED}]")
# also numerals of Chinese and Japanese
DIGIT = re.compile(r"[\d〇零一二两兩三四五六七八九十百千万萬亿億半]")
# A decimal point, and a sign of arithmetic beside a number or between two letters: punctuation
# is no part of the words.
SIGN = r"[-+*/×÷−<>=≤≥^]"
SIGNS = re.compile(
    rf"\d[.,]\d|{SIGN}(?:(?=\s?\d)|(?<=\d{SIGN})(?=\s)|(?<=\d\s{SIGN})(?=\s)"
    rf"|(?<=\b\w{SIGN})(?=\w\b)|(?<=\b\w\s{SIGN})(?=\s\w\b))"
)
CHANGING_WORDS = "not minus plus twice thrice double triple quarter more fewer less most least"
QUANTITY_WORDS = {*TABLES.words, *TABLES.magnitudes, *CHANGING_WORDS.split()}

Run = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """A row of an evaluation set, and the first row of an earlier split that is nearly the same.

    `line` is that of the evaluation row in its split, `first_line` the other's within its range.
    """

    split: Split
    line: int
    first_line: int
    similarity: float


class EvaluationRows:
    """The rows of one evaluation set, to compare rows of earlier splits with."""

    def __init__(self, split: Split, rows: Iterable[tuple[int, Row]], task: Task) -> None:
        """Take line and content of each row."""
        self._split: Split = split
        self._task = task
        self._lines: list[int] = []
        self._texts: list[str] = []
        self._shared_anchors: list[int] = []  # that another row must have to be compared
        self._matched: set[int] = set()
        for line, row in rows:
            self._lines.append(line)
            self._texts.append(_text(row))
        frequencies = self._sampled_frequencies()
        self._template = _template(frequencies, min(len(self._texts), SAMPLED_ROWS))
        self._anchors: dict[Run, list[int]] = defaultdict(list)
        for number, text in enumerate(self._texts):
            anchors = self._anchors_of(text, frequencies)
            self._shared_anchors.append(min(SHARED_ANCHORS, len(anchors)))
            for run in anchors:
                self._anchors[run].append(number)

    @classmethod
    async def read(cls, split: Split, read: ReadBytes, size: int, task: Task) -> EvaluationRows:
        """Read the first rows of an evaluation set that has `size` bytes."""
        rows: list[tuple[int, Row]] = []
        async for line in range_lines(read, 0, min(size, MAX_BYTES), size):
            row = parse_row(line.content)
            if isinstance(row, Row) and len(rows) < MAX_ROWS:
                rows.append((line.number, row))
        return cls(split, rows, task)

    def new_matches(self, row: Row, line: int) -> list[NearDuplicate]:
        """Return the evaluation rows that are nearly the same as a row on this line.

        Each is returned once, for the first of such rows.
        """
        text = _text(row)
        words = _words(text)
        candidates: Counter[int] = Counter()
        for run in set(filter(self._anchors.__contains__, _runs(words))):
            candidates.update(self._anchors[run])
        matches: list[NearDuplicate] = []
        for candidate, anchors in sorted(candidates.items()):
            if anchors < self._shared_anchors[candidate] or candidate in self._matched:
                continue
            if not self._has_same_quantities(text, words, candidate):
                continue
            similarity = self._similarity(words, candidate)
            if similarity >= MIN_SIMILARITY:
                self._matched.add(candidate)
                place = self._lines[candidate]
                matches.append(NearDuplicate(self._split, place, line, round(similarity, 2)))
        return matches

    def _has_same_quantities(self, text: str, words: list[str], candidate: int) -> bool:
        """Return whether a text and an evaluation row may have the same short answer."""
        if not self._task.has_values:
            return True
        other_text = self._texts[candidate]
        numbers = _numbers(words)
        other_numbers = _numbers(_words(other_text))
        if not self._task.has_numbers:
            numbers.sort()
            other_numbers.sort()
        signs = sorted(SIGNS.findall(text))
        return numbers == other_numbers and signs == sorted(SIGNS.findall(other_text))

    def _similarity(self, words: list[str], candidate: int) -> float:
        """Return the share of runs that a text and an evaluation row have in common."""
        runs = set(_runs(words)) - self._template
        other_runs = set(_runs(_words(self._texts[candidate]))) - self._template
        return len(runs & other_runs) / len(runs | other_runs)

    def _sampled_frequencies(self) -> Counter[Run]:
        step = -(-len(self._texts) // SAMPLED_ROWS) or 1
        frequencies: Counter[Run] = Counter()
        for text in islice(self._texts, 0, None, step):
            frequencies.update(set(_runs(_words(text))))
        return frequencies

    def _anchors_of(self, text: str, frequencies: Counter[Run]) -> list[Run]:
        """Return rare runs of a text, from all over it, so that a change leaves most of them."""
        runs = [run for run in dict.fromkeys(_runs(_words(text))) if run not in self._template]
        rare = [run for run in runs if frequencies.get(run, 0) <= 1]
        if len(rare) < ANCHORS:
            rare = sorted(runs, key=frequencies.__getitem__)[:ANCHORS]
        step = max(1, len(rare) // ANCHORS)
        return rare[::step][:ANCHORS]


def is_partly_compared(spec: RunSpec, split: Split, size: int) -> bool:
    """Return whether only the beginning of a split is compared with earlier ones."""
    return split != "train" and size > MAX_BYTES and spec.quality.near_duplicates != "off"


async def later_evaluation_rows(
    spec: RunSpec, split: Split, inputs: Mapping[Split, tuple[ReadBytes, int]]
) -> list[EvaluationRows]:
    """Return the rows of the splits that come after one, unless they aren't to be compared.

    `inputs` has a reader and the size in bytes of each split.
    """
    if spec.quality.near_duplicates == "off":
        return []
    task = TASKS[spec.task]
    rows: list[EvaluationRows] = []
    for later_split in SPLITS[SPLITS.index(split) + 1 :]:
        if later_split in inputs:
            read, size = inputs[later_split]
            later = await EvaluationRows.read(later_split, read, size, task)
            rows.append(later)
    return rows


def first_matches(
    by_range: Iterable[tuple[RangeKey, Iterable[NearDuplicate]]],
    first_lines: Mapping[RangeKey, int],
    key: RangeKey,
    contents: Iterable[bytes],
) -> list[Duplicate]:
    """Return the usable rows of a range that nearly repeat an earlier row, each with the first.

    `by_range` has what the earlier ranges have found, in order. `contents` are the buckets of the
    range itself.
    """
    split, number = key
    lines_before = first_lines[key] - 1
    end = first_lines.get((split, number + 1))
    places: dict[int, tuple[Split, int, float]] = {}
    for (first_split, first_number), near in by_range:
        for match in near:
            if match.split != split or match.line <= lines_before or (end and match.line >= end):
                continue
            first_line = first_lines[first_split, first_number] - 1 + match.first_line
            place = (first_split, first_line, match.similarity)
            places.setdefault(match.line - lines_before, place)
    duplicates: list[Duplicate] = []
    if not places:
        return duplicates
    for line, usage in expected_usage(contents, places).items():
        first_split, first_line, similarity = places[line]
        counts = (usage.requests, usage.prompt_tokens, usage.completion_tokens)
        duplicates.append(Duplicate(line, first_split, first_line, *counts, similarity=similarity))
    return duplicates


def _text(row: Row) -> str:
    """Return the users' turns of a row, whatever the case and Unicode's compatibility forms."""
    turns = [message["content"] for message in row.turns if message["role"] == "user"]
    text = "\n".join(turns)
    return (text if text.isascii() else unicodedata.normalize("NFKC", text)).casefold()


def _words(text: str) -> list[str]:
    if not text.isascii() and UNSPACED_CHARACTER.search(text):
        return WORD.findall(text)
    for mark in MARKS:
        text = text.replace(mark, " ")
    return text.split()


def _runs(words: list[str]) -> Iterator[Run]:
    padded = [*EDGE, *words, *EDGE]
    return zip(padded, padded[1:], padded[2:], strict=False)


def _numbers(words: list[str]) -> list[str]:
    """Return the words that state a number or change it, in order."""
    return [word for word in words if DIGIT.search(word) or word in QUANTITY_WORDS]


def _template(frequencies: Counter[Run], rows: int) -> set[Run]:
    """Return the runs that belong to the prompts of a dataset."""
    limit = max(TEMPLATE_ROWS, rows * TEMPLATE_SHARE)
    return {run for run, count in frequencies.items() if count >= limit}
