"""Runs in progress: a live table on a terminal, and elsewhere a line whenever something changes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from local.runtime.client import View
from shared.core.paths import ASKED_SPLITS
from shared.runs.status import TERMINAL

# Without a terminal, a line in which only counts have changed is printed no more often.
COUNTS_SECONDS = 5.0
STYLES = {
    "completed": "green",
    "failed": "red",
    "cancelled": "yellow",
    "terminated": "yellow",
    "suspended": "yellow",
}
# of a run that ends with its datasets
NO_TRAINING = "none"
COLUMNS = ("task", "run", "stage", "train", "validation", "tokens", "fine-tuning")


def state_text(view: View) -> str:
    """Return the stage of a running run, such as `generate`, or how the run ended.

    Of a queued run, its place: `queued (2 of 5)`.
    """
    if view["status"] == "queued" and view["queue"]:
        return f"queued ({view['queue']['place']} of {view['queue']['waiting']})"
    return str(view["stage"] if view["status"] == "running" else view["status"])


def split_text(counts: Mapping[str, int] | None) -> str:
    """Return rows done of all rows, `34/96 (2 rejected)`; a dash before they are counted."""
    if not counts:
        return "-"
    rejected = f" ({counts['rejected']} rejected)" if counts["rejected"] else ""
    needed = counts["rows"] - counts.get("not_needed", 0)
    return f"{counts['done']}/{needed}{rejected}"


def tokens_text(tokens: Mapping[str, int]) -> str:
    """Return the tokens of prompts and answers together: `12.3k`."""
    total = tokens["prompt"] + tokens["completion"]
    if total < 1000:
        return str(total)
    if total < 1_000_000:
        return f"{total / 1000:.1f}k"
    return f"{total / 1_000_000:.2f}M"


def job_text(job: Mapping[str, Any] | None) -> str:
    """Return the status of a fine-tuning job in the service's words; a dash if there is none."""
    return str(job.get("service_status") or job.get("status")) if job else "-"


def jobs_of(view: View) -> list[Mapping[str, Any]]:
    """Return the fine-tuning job of each student; an empty list before there is one."""
    return view.get("students") or ([view["finetune"]] if view["finetune"] else [])


def training_text(view: View) -> str:
    """Return each job's status, with its loss if the service reports one."""
    if view["datasets_only"]:
        return NO_TRAINING
    texts: list[str] = []
    for job in jobs_of(view):
        metrics: Mapping[str, float] = job.get("metrics") or {}
        loss = metrics.get("loss")
        texts.append(job_text(job) + (f" (loss {loss:.3g})" if loss is not None else ""))
    return ", ".join(texts) or "-"


def run_line(view: View) -> str:
    """Return a run in one line of plain text."""
    parts = [f"{view['id']}: {state_text(view)}"]
    splits = [split for split in ASKED_SPLITS if split in view["splits"]]
    parts += [f"{split} {split_text(view['splits'][split])}" for split in splits]
    if view["tokens"]["prompt"]:
        parts.append(f"{tokens_text(view['tokens'])} tokens")
    if jobs_of(view):
        parts.append(f"fine-tuning {training_text(view)}")
    if view["error"]:
        parts.append(str(view["error"]["message"]))
    return ", ".join(parts)


def runs_table(views: Iterable[View], waiting: Iterable[str] = ()) -> Table:
    """Return a table with a row a run. `waiting` are ids of runs that have not started yet."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in COLUMNS:
        table.add_column(name, overflow="fold", no_wrap=name != "run")
    for view in views:
        state = state_text(view)
        cells = [
            *(view["task"], view["id"], state),
            *(split_text(view["splits"].get(split)) for split in ASKED_SPLITS),
            *(tokens_text(view["tokens"]), training_text(view)),
        ]
        table.add_row(*map(escape, map(str, cells)), style=STYLES.get(state))
    for run_id in waiting:
        table.add_row("", escape(run_id), "waiting", style="dim")
    return table


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
        self._live = Live(console=console, refresh_per_second=4) if console.is_terminal else None
        self._printed: dict[str, PrintedLine] = {}

    def show(self, views: Mapping[str, View | None]) -> None:
        """Show the views by run id. None is a run that has not started yet."""
        started = [view for view in views.values() if view is not None]
        waiting = [run_id for run_id, view in views.items() if view is None]
        if self._live:
            self._live.update(runs_table(started, waiting))
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
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
