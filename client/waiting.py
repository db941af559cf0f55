"""Follows a run to its end by polling: ever less often, and through failures for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from .errors import AppError, ClientError, ExitCode, Unreachable
from .json_data import JsonObject, section
from .program import program

FIRST_SECONDS = 1.0
MAX_SECONDS = 15.0
GROWTH = 1.3
MAX_FAILURE_SECONDS = 60.0
PATIENCE_SECONDS = 600.0
"""So long may the app be silent before a command gives up."""
START_SECONDS = 120.0
"""So long a run is waited for that doesn't exist yet: that of an upload starts a bit later."""
UPLOAD_START_SECONDS = 900.0  # a polling trigger may take minutes
TERMINAL = ("completed", "failed", "cancelled", "terminated")


class LostConnection(ClientError):
    """The app has been silent for too long."""

    exit_code = ExitCode.UNREACHABLE


class TimedOut(ClientError):
    """The run hasn't ended in the time that the user set."""

    exit_code = ExitCode.TIMED_OUT


class Source(Protocol):
    """Where views of runs come from."""

    def get_once(self, *segments: str) -> JsonObject: ...


@dataclass(frozen=True)
class Waiting:
    """How a run is waited for. Times are in seconds."""

    show: Callable[[JsonObject], None]
    warn: Callable[[str], None]
    timeout: float | None = None
    patience: float = PATIENCE_SECONDS
    start_seconds: float = START_SECONDS
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def wait(self, source: Source, run_id: str) -> JsonObject:
        """Return the view of a run that has ended, or that needs a person.

        Raises LostConnection, TimedOut, and other ClientErrors for what waiting doesn't mend.
        """
        began = self.clock()
        last_answer = began
        interval = FIRST_SECONDS
        failures = 0
        exists: bool | None = None
        while True:
            pause = interval
            try:
                view = source.get_once("runs", run_id)
            except Unreachable as error:
                failures += 1
                silent = self.clock() - last_answer
                if silent >= self.patience:
                    message = f"gave up after {silent:.0f} s without an answer. {_how_on(run_id)}"
                    raise LostConnection(f"{error}\n{message}") from None
                if failures == 1:
                    self.warn(f"{error}; the run goes on, still trying")
                backoff = min(FIRST_SECONDS * 2**failures, MAX_FAILURE_SECONDS)
                pause = error.retry_after or backoff
            except AppError as error:
                last_answer = self.clock()
                if error.status != 404 or exists or last_answer - began >= self.start_seconds:
                    raise
                if exists is None:
                    self.warn(f"there is no run {run_id} yet: waiting for its start")
                exists = False
            else:
                if failures:
                    self.warn("the app answers again")
                failures = 0
                exists = True
                last_answer = self.clock()
                self.show(view)
                if is_over(view):
                    return view
            remaining = self._remaining(began, run_id)
            self.sleep(pause if remaining is None else min(pause, remaining))
            interval = min(interval * GROWTH, MAX_SECONDS)

    def _remaining(self, began: float, run_id: str) -> float | None:
        """Return the seconds until the time is up, None without a limit. Raises TimedOut."""
        if self.timeout is None:
            return None
        remaining = self.timeout - (self.clock() - began)
        if remaining <= 0:
            raise TimedOut(f"not ended after {self.timeout:g} s. {_how_on(run_id)}")
        return remaining


def is_over(view: JsonObject) -> bool:
    """Return whether waiting longer makes no sense: the run has ended, or it is paused."""
    return view.get("status") in (*TERMINAL, "suspended")


def exit_code(view: JsonObject) -> ExitCode:
    """Return the exit code for how a run has ended."""
    status: Any = view.get("status")
    if status == "completed":
        return ExitCode.COMPLETED
    if status == "suspended" or has_spent_its_budget(view):
        return ExitCode.NEEDS_A_PERSON
    if status in ("cancelled", "terminated"):
        return ExitCode.RUN_CANCELLED
    return ExitCode.RUN_FAILED


def has_spent_its_budget(view: JsonObject) -> bool:
    """Return whether a budget has ended the run: its answers are kept for a larger one."""
    return view.get("status") == "failed" and section(view, "error").get("code") == "budget"


def next_step(view: JsonObject) -> str:
    """Return what a person can do about a run that hasn't completed, empty for one that has."""
    run_id = view.get("id")
    if view.get("status") == "completed":
        return ""
    if view.get("status") == "suspended":
        return f"paused: `{program()} runs resume {run_id}` continues it"
    if has_spent_its_budget(view):
        return (
            "its answers are kept: raise the limit, for instance with "
            f"`{program()} runs resume {run_id} --set budget.max_cost=…`"
        )
    if section(view, "error").get("code") == "dataset" and not view.get("requests"):
        return (
            "nothing was asked: upload a corrected dataset, or change what it must fulfil, for "
            f"instance with `{program()} runs resume {run_id} --set quality.min_rows=…`"
        )
    return f"its answers are kept: `{program()} runs resume {run_id}` goes on from there"


def _how_on(run_id: str) -> str:
    return f"The run goes on: `{program()} runs wait {run_id}` follows it again."
