"""The table of runs, as lines of a given width.

An id is never cut, as people copy it: where it doesn't fit into its column, it has a line of its
own, and the cells are in the next one. Narrow terminals lose columns from the right, and short ones
the runs that ended first; the total counts all.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from local.cli.run_text import (
    asked_rows,
    cost_text,
    count_text,
    duration_text,
    error_text,
    jobs_of,
    one_line,
    rate_text,
    remaining_text,
    state_text,
    tokens_text,
    training_text,
)
from local.runtime.client import View
from shared.runs.status import TERMINAL

STYLES = {
    "completed": "green",
    "failed": "red",
    "cancelled": "yellow",
    "terminated": "yellow",
    "suspended": "yellow",
}
GAP = 1
RUN_COLUMN = 21  # holds the ids of datasets with short names
INDENT = "  "
MOST_ERROR_LINES = 2


@dataclass(frozen=True, slots=True)
class Line:
    """A line and its style."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of so many characters, right-aligned."""

    name: str
    width: int
    cell: Callable[[View], str]


def _state(view: View) -> str:
    """Return the state in at most ten characters."""
    queue = view["queue"] if view["status"] == "queued" else None
    return f"queued {queue['place']}" if queue else state_text(view)


def _rows(view: View) -> str:
    done, needed, _ = asked_rows(view)
    return f"{count_text(done)}/{count_text(needed)}" if needed else "-"


def _rejected(view: View) -> str:
    return str(asked_rows(view)[2] or "-")


COLUMNS = (
    Column("state", 10, _state),
    Column("rows", 11, _rows),
    Column("elapsed", 7, lambda view: duration_text(view.get("elapsed_seconds"))),
    Column("left", 7, remaining_text),
    Column("rows/s", 6, lambda view: rate_text(view.get("rows_per_second"))),
    Column("cost", 8, lambda view: cost_text(view["cost"])),
    Column("rejected", 8, _rejected),
    Column("tokens", 6, lambda view: tokens_text(view["tokens"])),
)


@dataclass(frozen=True, slots=True)
class Layout:
    """How rows are laid out on a terminal of this width: `row` is how wide they are."""

    width: int
    row: int
    columns: tuple[Column, ...]
    is_ascii: bool

    def lines_of(self, name: str, cells: Sequence[str], style: str) -> list[Line]:
        """Return a row: in two lines or more if the name doesn't fit into its column."""
        pairs = zip(cells, self.columns, strict=True)
        text = "".join(f"{cell:>{column.width + GAP}}" for cell, column in pairs)
        column_width = self.row - len(text)
        if len(name) <= column_width:
            return [Line(f"{name:<{column_width}}{text}".rstrip(), style)]
        pieces = [Line(piece, style) for piece in _pieces(name, self.width)]
        return [*pieces, Line(f"{'':<{column_width}}{text}".rstrip(), style)]


def layout_for(run_ids: Sequence[str], width: int, *, is_ascii: bool = False) -> Layout:
    """Return the layout for these ids: as many columns as fit, no wider than the ids need."""
    columns = _columns_that_fit(width)
    cells = sum(column.width + GAP for column in columns)
    fitting = [len(run_id) for run_id in run_ids if len(run_id) + cells <= width]
    row = min(width, cells + max([RUN_COLUMN, *fitting]))
    return Layout(width, row, columns, is_ascii)


def table_lines(
    views: Sequence[View],
    waiting: Sequence[str] = (),
    *,
    width: int,
    height: int | None = None,
    is_ascii: bool = False,
) -> list[Line]:
    """Return the table: a head, each run, and a total. `waiting` are ids of runs to come.

    `views` are shown in their order. Without `height`, all are.
    """
    run_ids = [*(str(view["id"]) for view in views), *waiting]
    layout = layout_for(run_ids, width, is_ascii=is_ascii)
    head = layout.lines_of("run", [column.name for column in layout.columns], "bold")
    blocks = [_run_lines(view, layout) for view in views]
    pending = ["waiting", *[""] * (len(layout.columns) - 1)]
    waits = [line for run_id in waiting for line in layout.lines_of(run_id, pending, "dim")]
    totals = _wrapped(total_text(views, len(waiting)), width, "bold")
    room = None if height is None else height - len(head) - len(waits) - len(totals)
    shown = _shown(views, blocks, room)
    hidden = len(views) - len(shown)
    others = f"{hidden} other runs: GET /api/runs lists all"
    return [
        *head,
        *(_wrapped(others, width, "dim") if hidden else []),
        *(line for number in shown for line in blocks[number]),
        *waits,
        *totals,
    ]


def total_text(views: Sequence[View], waiting: int = 0) -> str:
    """Return what all runs have come to together."""
    states = Counter(str(view["status"]) for view in views)
    if waiting:
        states["waiting"] = waiting
    runs = len(views) + waiting
    counted = ", ".join(f"{count} {state}" for state, count in states.items())
    parts = [f"{runs} run{'' if runs == 1 else 's'}" + (f": {counted}" if counted else "")]
    done = sum(asked_rows(view)[0] for view in views)
    needed = sum(asked_rows(view)[1] for view in views)
    if needed:
        parts.append(f"{done:,}/{needed:,} rows")
    rates = [view["rows_per_second"] for view in views if _is_asking(view)]
    if rates:
        parts.append(f"{rate_text(sum(rates))} rows/s")
    parts.append(f"{tokens_text(_tokens(views))} tokens")
    costs = [view["cost"] for view in views if view["cost"] is not None]
    if costs:
        unknown = len(views) - len(costs)
        without = f" ({unknown} without prices)" if unknown else ""
        parts.append(f"cost {cost_text(sum(costs))}{without}")
    return ", ".join(parts)


def _is_asking(view: View) -> bool:
    is_at_it = view["status"] == "running" and view["stage"] == "generate"
    return is_at_it and view.get("rows_per_second") is not None


def _tokens(views: Sequence[View]) -> dict[str, int]:
    names = ("prompt", "completion")
    return {name: sum(view["tokens"][name] for view in views) for name in names}


def _columns_that_fit(width: int) -> tuple[Column, ...]:
    """Return the columns from the left that leave room for an id, at least one."""
    room = width - RUN_COLUMN
    fitting = 1
    for number in range(1, len(COLUMNS) + 1):
        if sum(column.width + GAP for column in COLUMNS[:number]) <= room:
            fitting = number
    return COLUMNS[:fitting]


def _run_lines(view: View, layout: Layout) -> list[Line]:
    """Return the row of a run, and below it why it failed, or its fine-tuning jobs."""
    style = STYLES.get(view["status"], "")
    cells = [column.cell(view) for column in layout.columns]
    lines = layout.lines_of(view["id"], cells, style)
    error = error_text(view)
    if error:
        return lines + _error_lines(error, layout, style)
    if jobs_of(view):
        training = f"{INDENT}fine-tuning: {one_line(training_text(view))}"
        return lines + _wrapped(training, layout.width, style)
    return lines


def _error_lines(error: str, layout: Layout, style: str) -> list[Line]:
    wrapped = textwrap.wrap(
        error,
        max(20, layout.width),
        initial_indent=INDENT,
        subsequent_indent=INDENT,
        max_lines=MOST_ERROR_LINES,
        placeholder=" ..." if layout.is_ascii else " …",
        break_on_hyphens=False,
    )
    return [Line(text, style) for text in wrapped]


def _wrapped(text: str, width: int, style: str) -> list[Line]:
    wrapped = textwrap.wrap(text, max(20, width), subsequent_indent=INDENT, break_on_hyphens=False)
    return [Line(line, style) for line in wrapped]


def _pieces(text: str, width: int) -> list[str]:
    """Return a text in pieces of this width, which together are the text."""
    return [text[start : start + width] for start in range(0, len(text), max(1, width))]


def _shown(views: Sequence[View], blocks: Sequence[Sequence[Line]], room: int | None) -> list[int]:
    """Return the numbers of the runs that there is room for: active ones first, then the last."""
    numbers = list(range(len(views)))
    if room is None or sum(map(len, blocks)) <= room:
        return numbers
    room -= 1  # for the line about the others
    chosen: list[int] = []
    for number in sorted(numbers, key=lambda each: (views[each]["status"] in TERMINAL, -each)):
        if len(blocks[number]) > room:
            break
        room -= len(blocks[number])
        chosen.append(number)
    return sorted(chosen)
