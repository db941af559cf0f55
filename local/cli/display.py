"""Runs in progress: a live table on a terminal, and elsewhere a line whenever something changes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from local.cli.run_table import Line, table_lines
from local.cli.run_text import job_text, jobs_of, run_line, state_text, times_text
from local.runtime.client import View
from shared.runs.status import TERMINAL

# Without a terminal, a line in which only counts have changed is printed no more often.
COUNTS_SECONDS = 5.0


def terminal() -> Console:
    """Return the console on standard output. It moves no cursor in a file or a pipe, whatever the
    environment says of colours.
    """
    return Console(force_terminal=sys.stdout.isatty(), highlight=False)


@dataclass(frozen=True, slots=True)
class PrintedLine:
    """The last line printed of a run: `step` is its stage and job statuses, `at` the time."""

    step: object
    line: str
    at: float


class RunsDisplay:
    """Shows runs while it is open."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        is_live = console.is_terminal and not console.is_dumb_terminal
        self._live = Live(console=console, refresh_per_second=4) if is_live else None
        self._printed: dict[str, PrintedLine] = {}

    def show(self, views: Mapping[str, View | None]) -> None:
        """Show the views by run id. None is a run that has not started yet."""
        started = [view for view in views.values() if view is not None]
        waiting = [run_id for run_id, view in views.items() if view is None]
        if self._live:
            self._live.update(self._table(started, waiting))
            return
        for view in started:
            self._print_if_changed(view)

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def _table(self, views: list[View], waiting: list[str]) -> Group:
        """Return a table that fits on the terminal: what Live can't show, it can't update."""
        width, height = self._console.size
        is_ascii = self._console.options.ascii_only
        lines = table_lines(views, waiting, width=width, height=height - 1, is_ascii=is_ascii)
        return Group(*map(_text, lines))

    def _print_if_changed(self, view: View) -> None:
        """Print a new step or the end of a run at once, and mere progress every few seconds."""
        step = (state_text(view), [job_text(job) for job in jobs_of(view)])
        line = run_line(view)
        now = self._clock()
        last = self._printed.get(view["id"])
        if last is not None:
            is_progress = step == last.step and view["status"] not in TERMINAL
            if line == last.line or (is_progress and now - last.at < COUNTS_SECONDS):
                return
        self._printed[view["id"]] = PrintedLine(step, line, now)
        times = times_text(view)
        shown = f"{line} [{times}]" if times else line
        self._console.print(shown, markup=False, highlight=False, soft_wrap=True)


def _text(line: Line) -> Text:
    return Text(line.text, style=line.style, no_wrap=True, overflow="crop")
