"""A run in progress: one line on a terminal that changes, and elsewhere a line now and then."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from .json_data import JsonObject, count, section
from .output import cost_text, job_texts, jobs_of, plain, split_text, state_text

RATE_SECONDS = 60.0  # over which the rate is measured
LINE_SECONDS = 30.0  # between two lines of the same stage, without a terminal
ASKED_SPLITS = ("train", "validation")


class Rate:
    """Rows per second of a run, over the last minute."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._samples: deque[tuple[float, int]] = deque()

    def add(self, done: int) -> float | None:
        """Take a count of rows. Return the rate, None before there is one."""
        now = self._clock()
        if self._samples and done < self._samples[-1][1]:  # another round has begun
            self._samples.clear()
        self._samples.append((now, done))
        while len(self._samples) > 2 and now - self._samples[1][0] >= RATE_SECONDS:
            self._samples.popleft()
        began, first = self._samples[0]
        return (done - first) / (now - began) if now > began and done > first else None


class RunProgress:
    """Shows the views of one run on stderr while it is open; with `quiet`, nothing."""

    def __init__(
        self,
        console: Console | None = None,
        *,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console or Console(stderr=True)
        self._quiet = quiet
        self._clock = clock
        self._rate = Rate(clock)
        self._live: Live | None = None
        self._last = ("", float("-inf"))
        if self._console.is_terminal and not quiet:
            self._live = Live(console=self._console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, view: JsonObject) -> None:
        """Show a run as it is now."""
        line = progress_line(view, self._rate.add(_done(view)))
        if self._quiet:
            return
        if self._live:
            self._live.update(Text(plain(line)))
            return
        step = f"{state_text(view)} {job_texts(view)}"
        now = self._clock()
        if step != self._last[0] or now - self._last[1] >= LINE_SECONDS:
            self._last = (step, now)
            self.say(line)

    def say(self, text: str) -> None:
        """Print a remark above the line."""
        if not self._quiet:
            self._console.print(Text(plain(text)), soft_wrap=True)


def progress_line(view: JsonObject, rate: float | None) -> str:
    """Return a run in one line: stage, rows, rows per second, time left, cost, fine-tuning."""
    parts = [f"{view.get('id')}: {state_text(view)}"]
    splits = section(view, "splits")
    parts += [
        f"{name} {split_text(section(splits, name))}" for name in ASKED_SPLITS if name in splits
    ]
    if view.get("status") == "running" and view.get("stage") == "generate" and rate:
        parts.append(f"{rate:.3g} rows/s")
        parts.append(f"about {_duration(_open_rows(view) / rate)} of rows left")
    if view.get("cost") is not None:
        expected = section(view, "expected").get("cost")
        of_all = f" of about {cost_text(expected)}" if expected is not None else ""
        parts.append(f"cost {cost_text(view['cost'])}{of_all}")
    if jobs := jobs_of(view):
        statuses = ", ".join(str(job.get("service_status") or job.get("status")) for job in jobs)
        parts.append(f"fine-tuning {statuses}")
    return ", ".join(parts)


def _done(view: JsonObject) -> int:
    return sum(count(section(section(view, "splits"), name), "done") for name in ASKED_SPLITS)


def _open_rows(view: JsonObject) -> int:
    rows = 0
    for name in ASKED_SPLITS:
        counts = section(section(view, "splits"), name)
        rows += count(counts, "rows") - count(counts, "not_needed") - count(counts, "done")
    return max(0, rows)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
