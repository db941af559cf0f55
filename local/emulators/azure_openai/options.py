"""Options of the emulator, checked at the start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from local.emulators.jobs import JobOptions
from local.emulators.options import option

SUCCEEDED = "succeeded"
FAILED = "failed"
CANCELLED = "cancelled"
TERMINAL = frozenset({SUCCEEDED, FAILED, CANCELLED, "canceled", "deleted"})
FINAL_STATUSES = (*sorted(TERMINAL), "paused", "running", "unheard_of")


@dataclass(frozen=True, kw_only=True)
class EmulatorOptions(JobOptions):
    """Options of jobs, files and the key."""

    final_statuses: ClassVar[tuple[str, ...]] = FINAL_STATUSES
    terminal: ClassVar[frozenset[str]] = TERMINAL

    final_status: str = option(SUCCEEDED, "where jobs with good data end", choices=FINAL_STATUSES)
    file_pace: float | None = option(
        None, "seconds until a file is checked (default: a tenth of --pace)", type=float
    )
    api_key: str | None = option(None, "the key it accepts (default: any)", type=str, secret=True)

    no_regional_training: bool = option(
        False, "be a resource in a region where OpenAI's models are only trained elsewhere"
    )
    ignore_training_type: bool = option(
        False, "ignore trainingType, as API versions before 2025-04-01-preview do"
    )
    no_models: bool = option(False, "list no models, as the address of a Foundry project doesn't")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.file_seconds < 0:
            raise ValueError(f"file_pace is {self.file_pace}: give seconds, 0 or more")

    @property
    def file_seconds(self) -> float:
        return self.pace / 10 if self.file_pace is None else self.file_pace

    @property
    def course(self) -> tuple[str, ...]:
        """The statuses of a job, as Azure's jobs have them by default."""
        return self.status_path or ("pending", "running", self.final_status)
