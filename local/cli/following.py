"""Follows runs to their end: asks for each run's status twice a second and hands on what it is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from local.runtime.client import HostUnreachable, View
from local.runtime.failures import LocalError
from shared.runs.status import TERMINAL

POLL_SECONDS = 0.5
START_SECONDS = 120.0  # from the upload until the run shows up
SILENCE_SECONDS = (
    20.0  # a host that does not answer for so long, and that we cannot see, is taken for gone
)


class RunSource(Protocol):
    """Where the status of a run is asked for."""

    def get(self, run_id: str) -> View | None: ...


class FollowingFailed(LocalError):
    """The runs could not be followed to their end."""


def follow(
    source: RunSource,
    run_ids: Sequence[str],
    *,
    show: Callable[[Mapping[str, View | None]], None],
    check: Callable[[], None],
    seconds: float | None = None,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, View]:
    """The final view of each run.

    `check` raises when a process that we depend on is gone; `show` is called with all views after each round.
    Raises FollowingFailed when runs never show up, take more than `seconds`, or the host stays silent.
    """
    views: dict[str, View | None] = dict.fromkeys(run_ids)
    began = heard = clock()
    while True:
        check()
        try:
            for run_id in [run_id for run_id, view in views.items() if not _has_ended(view)]:
                views[run_id] = source.get(run_id)
            heard = clock()
        except HostUnreachable as error:
            if clock() - heard > SILENCE_SECONDS:
                raise FollowingFailed(
                    f"{error}. The runs go on when it is started again."
                ) from error
        show(views)
        ended = {
            run_id: view for run_id, view in views.items() if view is not None and _has_ended(view)
        }
        if len(ended) == len(views):
            return ended
        _check_time(views, clock() - began, seconds)
        pause(POLL_SECONDS)


def _has_ended(view: View | None) -> bool:
    return view is not None and view["status"] in TERMINAL


def _check_time(views: Mapping[str, View | None], elapsed: float, seconds: float | None) -> None:
    waiting = [run_id for run_id, view in views.items() if view is None]
    if waiting and elapsed > START_SECONDS:
        raise FollowingFailed(
            f"no run has started for {', '.join(waiting)} after {elapsed:.0f} s: the blob trigger did not fire. "
            "logs/host.log in the data directory says why."
        )
    if seconds is not None and elapsed > seconds:
        active = [
            f"{run_id} ({view['stage']})"
            for run_id, view in views.items()
            if view and not _has_ended(view)
        ]
        raise FollowingFailed(
            f"gave up after {seconds / 60:g} minutes, with {', '.join(active or waiting)} not ended"
        )
