"""Follows runs to their end, asking for the status of each twice a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from local.cli.display import RunsDisplay, terminal
from local.runtime.client import HostUnreachable, RunsClient, View
from local.runtime.failures import LocalError
from local.runtime.session import Session
from shared.runs.status import TERMINAL

POLL_SECONDS = 0.5
# From the upload until the run starts.
START_SECONDS = 120.0
# A host that we did not start counts as gone after this silence.
SILENCE_SECONDS = 20.0

Views = Mapping[str, View | None]


def follow_shown(joined: Session, run_ids: Sequence[str], seconds: float | None) -> dict[str, View]:
    """Follow runs on the terminal, and return the final view of each. Raises as `follow` does."""
    with RunsDisplay(terminal()) as display:
        source = RunsClient(joined.endpoints)
        return follow(source, run_ids, show=display.show, check=joined.check, seconds=seconds)


class RunSource(Protocol):
    """Where the status of a run comes from."""

    def get(self, run_id: str) -> View | None: ...


class FollowingFailed(LocalError):
    """The runs could not be followed to their end."""


def follow(
    source: RunSource,
    run_ids: Sequence[str],
    *,
    show: Callable[[Views], None],
    check: Callable[[], None],
    seconds: float | None = None,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, View]:
    """Return the final view of each run.

    `check` raises when a process that we depend on is gone; `show` gets all views after each
    round. Raises FollowingFailed if runs never start, take more than `seconds`, or the host stays
    silent.
    """
    views: dict[str, View | None] = dict.fromkeys(run_ids)
    began = clock()
    last_answer = began
    while True:
        check()
        try:
            _refresh(source, views)
            last_answer = clock()
        except HostUnreachable as error:
            if clock() - last_answer > SILENCE_SECONDS:
                message = f"{error}. The runs continue when the host is started again."
                raise FollowingFailed(message) from error
        show(views)
        ended = {run_id: view for run_id, view in views.items() if view and _has_ended(view)}
        if len(ended) == len(views):
            return ended
        _check_time(views, clock() - began, seconds)
        pause(POLL_SECONDS)


def _refresh(source: RunSource, views: dict[str, View | None]) -> None:
    """Ask for each run that has not ended."""
    for run_id, view in views.items():
        if view is None or not _has_ended(view):
            views[run_id] = source.get(run_id)


def _has_ended(view: View) -> bool:
    return view["status"] in TERMINAL


def _check_time(views: Views, elapsed: float, seconds: float | None) -> None:
    """Raises FollowingFailed if a run has not started, or not ended, in time."""
    waiting = [run_id for run_id, view in views.items() if view is None]
    if waiting and elapsed > START_SECONDS:
        raise FollowingFailed(
            f"no run has started for {', '.join(waiting)} after {elapsed:.0f} s: the blob trigger "
            "did not fire. logs/host.log in the data directory says why."
        )
    if seconds is not None and elapsed > seconds:
        unfinished = waiting + [
            f"{run_id} ({view['stage']})"
            for run_id, view in views.items()
            if view and not _has_ended(view)
        ]
        raise FollowingFailed(
            f"gave up after {seconds / 60:g} minutes: {', '.join(unfinished)} had not ended"
        )
