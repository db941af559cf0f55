"""`convert`: a file in another form becomes JSON lines in UTF-8, with every row accounted for."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from pathlib import Path

from local.conversion.completion_logs import CompletionLog
from local.conversion.formats import Converter, label_names
from local.conversion.gateway_log import joined_entries
from local.conversion.requests import read_requests
from local.conversion.source import JsonObject, Problem, SourceRow, source_rows
from local.runtime.failures import UsageError
from shared.dataset.file_form import LOGS, row_format
from shared.dataset.rejection import Rejection
from shared.dataset.rows import as_jsonl, parse_row
from shared.tasks import TASKS

MAX_SHOWN = 20
MAX_NUMBERS = 5  # of rows that are rejected for the same reason
USE_ANSWERS = (
    "The replies are the rows' last messages. To teach them without asking a teacher, put "
    '{"answers": {"source": "provided"}} into run.json.'
)


@dataclass(frozen=True, slots=True)
class Converted:
    """The converted rows as JSON lines, and the numbers of the others with the reason."""

    lines: list[bytes] = field(default_factory=list[bytes])
    rejected: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])


def main(chosen: argparse.Namespace) -> int:
    """Return 0 if every row was converted, 1 if some were not. Raises UsageError."""
    source: Path = chosen.file
    target: Path = chosen.output or source.with_name(f"{source.name.split('.')[0]}.converted.jsonl")
    if target.exists() and target.samefile(source):
        raise UsageError(f"{target} is the file itself: choose another one with -o")
    entries = source_rows(source)
    rows = joined_entries(entries)
    requests = read_requests(chosen.requests) if chosen.requests else {}
    log = CompletionLog(requests, chosen.assume_finished)
    converted = convert(rows, chosen.task, chosen.labels, log)
    target.write_bytes(b"".join(converted.lines))
    _show_rejected(converted.rejected)
    unanswered = len(requests.keys() - log.used)
    if unanswered:
        print(f"{unanswered} of {len(requests)} requests have no reply in the log", file=sys.stderr)
    joined = len(entries) - len(rows)
    counts = f"{len(converted.lines)} converted + {len(converted.rejected)} rejected"
    if joined:
        counts = f"{counts} + {joined} joined to them"
    print(f"{len(entries)} rows = {counts}: {target}", flush=True)
    if converted.lines and any(map(_is_logged, entries)):
        print(USE_ANSWERS, flush=True)
    return 1 if converted.rejected else 0


def convert(
    rows: list[SourceRow],
    task: str | None,
    labels: list[str] | None,
    log: CompletionLog,
) -> Converted:
    """Convert rows. With a task, a row that the task can't use is rejected too."""
    contents = [row.content for row in rows if not isinstance(row.content, Problem)]
    converter = Converter(labels or label_names(contents), log)
    result = Converted()
    for row in rows:
        converted = _converted(row, converter, task)
        if isinstance(converted, Problem):
            result.rejected.append((row.number, converted.text))
        else:
            result.lines.append(converted)
    return result


def _show_rejected(rejected: list[tuple[int, str]]) -> None:
    """Print each reason with its rows."""
    by_reason: dict[str, list[int]] = {}
    for number, reason in rejected:
        by_reason.setdefault(reason, []).append(number)
    for reason, numbers in list(by_reason.items())[:MAX_SHOWN]:
        shown = ", ".join(map(str, numbers[:MAX_NUMBERS]))
        more = len(numbers) - MAX_NUMBERS
        rows = f"rows {shown}" if len(numbers) > 1 else f"row {shown}"
        print(f"{rows}{f' and {more} more' if more > 0 else ''}: {reason}", file=sys.stderr)
    if len(by_reason) > MAX_SHOWN:
        print(f"and {len(by_reason) - MAX_SHOWN} other reasons", file=sys.stderr)


def _is_logged(row: SourceRow) -> bool:
    content = row.content
    return not isinstance(content, Problem) and row_format(content) in LOGS


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
