"""What commands print: results on stdout, everything else on stderr.

Texts of the app may hold what a teacher or a dataset says, so control characters are replaced: they
could move a terminal's cursor or change its title.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .json_data import JsonObject, count, entries, section, texts

SPLITS = ("train", "validation", "test")
STYLES = {
    "completed": "green",
    "failed": "red",
    "cancelled": "yellow",
    "terminated": "yellow",
    "suspended": "yellow",
}
MAX_REASONS = 5
MAX_WIDTH = 100_000  # of a table that is no terminal's; rich measures none wider than it is told
KEEP = "\n\t"


def result(text: str) -> None:
    """Print a result on stdout."""
    print(plain(text), flush=True)


def json_result(data: object) -> None:
    """Print data as JSON on stdout, without links that hold a key."""
    print(json.dumps(without_keys(data), ensure_ascii=False, indent=2), flush=True)


def note(text: str) -> None:
    """Print a remark on stderr."""
    print(plain(text), file=sys.stderr, flush=True)


def plain(text: str) -> str:
    """Return a text without control characters."""
    return "".join(
        character if character.isprintable() or character in KEEP else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )


def without_keys(data: object) -> object:
    """Return JSON data without the links that hold a key of the app (Durable's own)."""
    if isinstance(data, dict):
        entries = cast(dict[str, object], data).items()
        return {name: without_keys(value) for name, value in entries if not _holds_key(value)}
    if isinstance(data, list):
        return [without_keys(value) for value in cast(list[object], data)]
    return data


def _holds_key(value: object) -> bool:
    if not isinstance(value, str) or not value.startswith(("http://", "https://")):
        return False
    try:
        query = urlsplit(value).query
    except ValueError:
        return False
    return "code=" in query


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table on stdout: as wide as its content if that isn't a terminal."""
    console = Console(soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, no_wrap=not console.is_terminal, overflow="fold")
    for row in rows:
        cells = [plain(cell).replace("\n", " ") for cell in row]
        style = next((STYLES[cell] for cell in cells if cell in STYLES), "")
        table.add_row(*[Text(cell, style=style) for cell in cells])
    if not console.is_terminal:
        unlimited = console.options.update(max_width=MAX_WIDTH)
        console.width = max(console.width, console.measure(table, options=unlimited).maximum)
    console.print(table)


def state_text(view: Mapping[str, Any]) -> str:
    """Return the stage of a running run, its place if it is queued, or how it ended."""
    queue = section(view, "queue")
    if view.get("status") == "queued" and queue:
        return f"queued ({queue.get('place')} of {queue.get('waiting')})"
    if view.get("status") == "running":
        return str(view.get("stage"))
    return str(view.get("status"))


def split_text(counts: Mapping[str, Any]) -> str:
    """Return rows done of all, `34/96 (2 rejected)`; a dash before they are counted."""
    if not counts:
        return "-"
    rejected = f" ({counts['rejected']} rejected)" if counts.get("rejected") else ""
    needed = count(counts, "rows") - count(counts, "not_needed")
    return f"{count(counts, 'done')}/{needed}{rejected}"


def cost_text(cost: float | None) -> str:
    """Return a cost in the currency of the prices, a dash without prices."""
    return "-" if cost is None else f"{cost:.4g}"


def age_text(created: str | None) -> str:
    """Return how long ago a moment was: `5 min`, `3 h`, `2 d`; the text itself if it is none."""
    try:
        moment = datetime.fromisoformat(created or "")
        seconds = (datetime.now(UTC) - moment).total_seconds()
    except (ValueError, TypeError):
        return created or "-"
    if seconds < 90:
        return f"{max(0, seconds):.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 36 * 3600:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 86400:.0f} d"


def size_text(size: float) -> str:
    """Return a size: `12.3 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def error_lines(data: Mapping[str, Any]) -> list[str]:
    """Return the error in an answer in lines: message, code, and each place with its remedy."""
    error = section(data, "error")
    if not error:
        return []
    details = entries(error, "details")
    places = [f"  {detail.get('where')}: {detail.get('problem')}" for detail in details]
    return [f"error: {error.get('message')} ({error.get('code')})", *places]


def run_lines(view: JsonObject) -> list[str]:
    """Return a run in lines of text."""
    lines = [f"{view.get('id')}: {state_text(view)}"]
    if view.get("status") == "failed":
        lines[0] += f" in stage {view.get('stage')}"
    if view.get("created"):
        lines.append(f"started {age_text(view['created'])} ago")
    for split in SPLITS:
        if counts := section(section(view, "splits"), split):
            lines.append(f"{split}: {split_text(counts)}, {count(counts, 'accepted')} accepted")
            lines += _reason_lines(section(section(view, "reasons"), split))
    if view.get("requests"):
        tokens = section(view, "tokens")
        lines.append(
            f"used: {view['requests']} requests, {count(tokens, 'prompt')} prompt and "
            f"{count(tokens, 'completion')} completion tokens, cost {cost_text(view.get('cost'))}"
        )
    lines += [f"fine-tuning: {text}" for text in job_texts(view)]
    lines += error_lines(view)
    lines += [f"warning: {warning}" for warning in texts(view, "warnings")]
    return lines


def _reason_lines(reasons: Mapping[str, Any]) -> list[str]:
    """Return the most frequent reasons of rejected rows."""
    frequent = sorted(reasons, key=lambda reason: -count(reasons, reason))[:MAX_REASONS]
    return [f"  {reasons[reason]} {reason}" for reason in frequent]


def jobs_of(view: Mapping[str, Any]) -> list[JsonObject]:
    """Return the fine-tuning job of each student."""
    job = section(view, "finetune")
    return entries(view, "students") or ([job] if job else [])


def job_texts(view: Mapping[str, Any]) -> list[str]:
    """Return each fine-tuning job with its status and address."""
    lines: list[str] = []
    for job in jobs_of(view):
        parts = [job.get("student"), job.get("service_status") or job.get("status")]
        parts += [job.get("message"), job.get("url")]
        lines.append(", ".join(str(part) for part in parts if part))
    return lines


def dry_run_lines(answer: JsonObject) -> list[str]:
    """Return what a dry run finds in lines of text."""
    lines: list[str] = []
    splits = section(answer, "splits")
    for split in splits:
        counts = section(splits, split)
        rejected = section(counts, "rejected")
        reasons = ", ".join(f"{rejected[reason]} {reason}" for reason in rejected)
        lines.append(
            f"{split}: {counts.get('rows')} rows, {counts.get('valid')} usable"
            + (f"; rejected: {reasons}" if reasons else "")
        )
    lines += [
        f"  {row.get('split')} line {row.get('line')}: {row.get('reason')}: {row.get('detail')}"
        for row in entries(answer, "rejected_rows")[:MAX_REASONS]
    ]
    estimate = section(answer, "estimate")
    lines.append(
        f"expected: {estimate.get('requests')} requests, {estimate.get('prompt_tokens')} prompt "
        f"and {estimate.get('completion_tokens')} completion tokens, "
        f"cost {cost_text(estimate.get('cost'))}"
    )
    if probe := section(answer, "probe"):
        lines.append(f"probe: {probe.get('usable')} of {probe.get('rows_asked')} answers usable")
    if answer.get("datasets_only"):
        lines.append("the run would end with its datasets: no student is trained")
    lines += [f"warning: {warning}" for warning in texts(answer, "warnings")]
    lines += error_lines(answer)
    return lines
