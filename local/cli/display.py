"""Runs as they go: a live table on a terminal, and elsewhere a line whenever something has changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from local.runtime.client import View
from shared.core.paths import SPLITS
from shared.runs.status import TERMINAL

COUNTS_SECONDS = 5.0  # in plain text, mere progress of the counts is printed no more often
STYLES = {
    "completed": "green",
    "failed": "red",
    "cancelled": "yellow",
    "terminated": "yellow",
    "suspended": "yellow",
}


def state_text(view: View) -> str:
    """`generate`, or how the run ended."""
    return str(view["stage"] if view["status"] == "running" else view["status"])


def split_text(counts: Mapping[str, int] | None) -> str:
    """`34/96 (2 rejected)`: rows that are done, of all rows; a dash before they are counted."""
    if not counts:
        return "-"
    rejected = f" ({counts['rejected']} rejected)" if counts["rejected"] else ""
    return f"{counts['done']}/{counts['rows']}{rejected}"


def tokens_text(tokens: Mapping[str, int]) -> str:
    """Tokens of prompts and answers together: `12.3k`."""
    total = tokens["prompt"] + tokens["completion"]
    return (
        str(total)
        if total < 1000
        else f"{total / 1000:.1f}k"
        if total < 1e6
        else f"{total / 1e6:.2f}M"
    )


def job_text(job: Mapping[str, Any] | None) -> str:
    """Status of the fine-tuning job in the service's words."""
    return str(job.get("service_status") or job.get("status")) if job else "-"


def jobs_of(view: View) -> list[Mapping[str, Any]]:
    """The fine-tuning job of each student, none where there is none yet."""
    return view.get("students") or ([view["finetune"]] if view["finetune"] else [])


def training_text(view: View) -> str:
    """Each job's status, with its loss where the service tells it."""
    told: list[str] = []
    for job in jobs_of(view):
        metrics: Mapping[str, float] = job.get("metrics") or {}
        loss = metrics.get("loss")
        told.append(job_text(job) + (f" (loss {loss:.3g})" if loss is not None else ""))
    return ", ".join(told) or "-"


def run_line(view: View) -> str:
    """A run in one line of plain text."""
    parts = [f"{view['id']}: {state_text(view)}"]
    parts += [
        f"{split} {split_text(view['splits'][split])}"
        for split in SPLITS
        if split in view["splits"]
    ]
    if view["tokens"]["prompt"]:
        parts.append(f"{tokens_text(view['tokens'])} tokens")
    if jobs_of(view):
        parts.append(f"fine-tuning {training_text(view)}")
    if view["error"]:
        parts.append(str(view["error"]["message"]))
    return ", ".join(parts)


def runs_table(views: Iterable[View], waiting: Iterable[str] = ()) -> Table:
    """A row a run; `waiting` are ids of runs that have not shown up yet."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("task", "run", "stage", "train", "validation", "tokens", "fine-tuning"):
        table.add_column(name, overflow="fold", no_wrap=name != "run")
    for view in views:
        state = state_text(view)
        splits = [split_text(view["splits"].get(split)) for split in SPLITS]
        cells = [
            view["task"],
            view["id"],
            state,
            *splits,
            tokens_text(view["tokens"]),
            training_text(view),
        ]
        table.add_row(*map(escape, map(str, cells)), style=STYLES.get(state))
    for run_id in waiting:
        table.add_row("", escape(run_id), "waiting", style="dim")
    return table


class RunsDisplay:
    """Shows runs while it is open. `show` takes the views by run id; None is a run that has not shown up yet."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._live = Live(console=console, refresh_per_second=4) if console.is_terminal else None
        self._told: dict[str, tuple[object, str, float]] = {}

    def show(self, views: Mapping[str, View | None]) -> None:
        seen = [view for view in views.values() if view is not None]
        if self._live:
            self._live.update(
                runs_table(seen, [run_id for run_id, view in views.items() if view is None])
            )
        else:
            for view in seen:
                self._tell(view)

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()

    def _tell(self, view: View) -> None:
        """Print the line of a run if it has changed: at once when it reached something new, else every few seconds."""
        step = (state_text(view), [job_text(job) for job in jobs_of(view)])
        line, now = run_line(view), self._clock()
        told_step, told_line, told_at = self._told.get(view["id"], (None, "", 0.0))
        if line == told_line or (
            step == told_step and now - told_at < COUNTS_SECONDS and view["status"] not in TERMINAL
        ):
            return
        self._told[view["id"]] = (step, line, now)
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
