"""What the emulators of both fine-tuning services share: options of their jobs, flags, tasks, and a loss by a formula."""

from __future__ import annotations

import argparse
import asyncio
import math
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from local.emulators.service import draw, usual_flags

DEFAULT_PACE = 8.0
MIN_TRAINING_ROWS = 10
FIRST_LOSS = 2.0
LAST_LOSS = 0.4


@dataclass(frozen=True, kw_only=True)
class JobOptions:
    """Options of jobs, checked at the start. A subclass names the statuses of its service."""

    final_statuses: ClassVar[tuple[str, ...]]
    terminal: ClassVar[frozenset[str]]

    pace: float = DEFAULT_PACE  # seconds from submission to the end of a job
    seed: int = 0
    fail_rate: float = 0.0  # 0 to 1: jobs that fail while running
    final_status: str  # of jobs whose data is good
    status_path: tuple[str, ...] = ()  # the exact course of each job; its last status stays

    def __post_init__(self) -> None:
        if self.pace < 0:
            raise ValueError(f"pace is {self.pace}: give seconds, 0 or more")
        if not 0.0 <= self.fail_rate <= 1.0:
            raise ValueError(f"fail_rate is {self.fail_rate}: a rate lies between 0 and 1")
        if self.final_status not in self.final_statuses:
            choices = ", ".join(self.final_statuses)
            raise ValueError(f"final_status is {self.final_status!r}: use one of {choices}")
        early = [status for status in self.status_path[:-1] if status in self.terminal]
        if early:
            raise ValueError(f"status_path continues after {early[0]}, which ends a job")

    @property
    def last_status(self) -> str:
        """The status in which a job with good data ends or, if it isn't terminal, stays."""
        return self.status_path[-1] if self.status_path else self.final_status

    def draws_failure(self, job: str) -> bool:
        """Return whether the failure lottery picks this job: the same for the same seed and job."""
        return draw(self.seed, job, "failure") < self.fail_rate


def job_flags(
    name: str, description: str, options: type[JobOptions], epilog: str | None = None
) -> argparse.ArgumentParser:
    """Return the flags that both services have."""
    flags = usual_flags(name, description, epilog)
    data_help = "folder of the emulator's data"
    flags.add_argument("--data-dir", type=Path, required=True, help=data_help)
    pace_help = "seconds a job takes (default %(default)s)"
    flags.add_argument("--pace", type=float, default=DEFAULT_PACE, help=pace_help)
    rate_help = "0 to 1: jobs that fail while running"
    flags.add_argument("--fail-rate", type=float, default=0, metavar="P", help=rate_help)
    flags.add_argument(
        "--final-status",
        choices=options.final_statuses,
        default=options.final_status,
        help="where jobs with good data end",
    )
    flags.add_argument(
        "--status-path",
        type=_statuses,
        default=(),
        metavar="STATUS,…",
        help="exact course of each job, up to and with the status in which it ends or stays",
    )
    return flags


def _statuses(text: str) -> tuple[str, ...]:
    return tuple(status.strip() for status in text.split(",") if status.strip())


def job_values(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the values of the flags of `job_flags` that are options."""
    names = ("pace", "seed", "fail_rate", "final_status", "status_path")
    return {name: getattr(arguments, name) for name in names}


class BackgroundTasks:
    """Tasks by name, at most one a name."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, name: str, coroutine: Coroutine[Any, Any, None]) -> None:
        self._tasks[name] = asyncio.create_task(coroutine, name=name)

    def cancel(self, name: str) -> None:
        task = self._tasks.pop(name, None)
        if task:
            task.cancel()

    async def stop(self) -> None:
        """Cancel all tasks and wait for their end."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)


def loss_at(share: float) -> float:
    """Return the loss after this share of a training: falls from FIRST_LOSS towards LAST_LOSS."""
    return LAST_LOSS + (FIRST_LOSS - LAST_LOSS) * math.exp(-4 * share)
