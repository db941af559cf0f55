"""Options of the emulator, checked at the start."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from local.emulators.jobs import JobOptions

SUCCEEDED = "succeeded"
FAILED = "failed"
CANCELLED = "cancelled"
TERMINAL = frozenset({SUCCEEDED, FAILED, CANCELLED, "canceled", "deleted"})
NOT_TERMINAL = ("paused", "running", "unheard_of")


@dataclass(frozen=True, kw_only=True)
class EmulatorOptions(JobOptions):
    """Options of jobs, files and the key."""

    final_statuses: ClassVar[tuple[str, ...]] = (*sorted(TERMINAL), *NOT_TERMINAL)
    terminal: ClassVar[frozenset[str]] = TERMINAL

    final_status: str = SUCCEEDED
    file_pace: float | None = None  # seconds until a file is checked; None: a tenth of the pace
    api_key: str | None = field(default=None, repr=False)  # None accepts any

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
        return self.status_path or ("validating_files", "queued", "running", self.final_status)
