"""What both fine-tuning emulators share: options of jobs, tasks, and a loss by a formula."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, ClassVar

from local.emulators.options import option
from local.emulators.service import draw

MIN_TRAINING_ROWS = 10
FIRST_LOSS = 2.0
LAST_LOSS = 0.4


def _statuses(text: str) -> tuple[str, ...]:
    return tuple(status.strip() for status in text.split(",") if status.strip())


@dataclass(frozen=True, kw_only=True)
class JobOptions:
    """Options of jobs, checked at the start. A subclass has the statuses of its service."""

    final_statuses: ClassVar[tuple[str, ...]]
    terminal: ClassVar[frozenset[str]]

    final_status: str  # of jobs whose data is good
    pace: float = option(8.0, "seconds that a job takes (default %(default)s)")
    seed: int = option(0, "of everything that is drawn")
    fail_rate: float = option(0.0, "0 to 1: jobs that fail while running", metavar="P")
    echo_keys: bool = option(
        False, "be hostile: quote the caller's keys in headers, errors and texts of every answer"
    )
    status_path: tuple[str, ...] = option(
        (),
        "exact course of each job, up to and with the status in which it ends or stays",
        type=_statuses,
        metavar="STATUS,…",
    )

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
