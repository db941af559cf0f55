"""`convert`: a file in another form becomes JSON lines in UTF-8, with every row accounted for."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from local.conversion.formats import Converter, label_names
from local.conversion.source import JsonObject, Problem, SourceRow, source_rows
from local.runtime.failures import UsageError
from shared.dataset.rejection import Rejection
from shared.dataset.rows import as_jsonl, parse_row
from shared.tasks import TASKS

MAX_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Converted:
    """The converted rows as JSON lines, and the numbers of the others with the reason."""

    lines: list[bytes]
    rejected: list[tuple[int, str]]


def main(chosen: argparse.Namespace) -> int:
    """Return 0 if every row was converted, 1 if some were not. Raises UsageError."""
    source: Path = chosen.file
    target: Path = chosen.output or source.with_name(f"{source.name.split('.')[0]}.converted.jsonl")
    if target.exists() and target.samefile(source):
        raise UsageError(f"{target} is the file itself: choose another one with -o")
    rows = source_rows(source)
    converted = convert(rows, chosen.task, chosen.labels)
    target.write_bytes(b"".join(converted.lines))
    for number, reason in converted.rejected[:MAX_SHOWN]:
        print(f"row {number}: {reason}", file=sys.stderr)
    if len(converted.rejected) > MAX_SHOWN:
        print(f"and {len(converted.rejected) - MAX_SHOWN} more", file=sys.stderr)
    counts = f"{len(converted.lines)} converted + {len(converted.rejected)} rejected"
    print(f"{len(rows)} rows = {counts}: {target}", flush=True)
    return 1 if converted.rejected else 0


def convert(rows: list[SourceRow], task: str | None, labels: list[str] | None) -> Converted:
    """Convert rows. With a task, a row that the task can't use is rejected too."""
    contents = [row.content for row in rows if not isinstance(row.content, Problem)]
    converter = Converter(labels or label_names(contents))
    lines: list[bytes] = []
    rejected: list[tuple[int, str]] = []
    for row in rows:
        converted = _converted(row, converter, task)
        if isinstance(converted, Problem):
            rejected.append((row.number, converted.text))
        else:
            lines.append(converted)
    return Converted(lines, rejected)


def _converted(row: SourceRow, converter: Converter, task: str | None) -> bytes | Problem:
    """Return the line of a row."""
    if isinstance(row.content, Problem):
        return row.content
    converted: JsonObject | Problem = converter.convert(row.content)
    if isinstance(converted, Problem):
        return converted
    try:
        line = as_jsonl([converted])
    except UnicodeEncodeError:
        return Problem("holds half of a surrogate pair")
    parsed = parse_row(line)
    if task and not isinstance(parsed, Rejection):
        parsed = TASKS[task].check(parsed)
    if isinstance(parsed, Rejection):
        return Problem(f"{parsed.reason}: {parsed.detail}")
    return line
