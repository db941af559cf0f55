"""What an emulator can be told, checked once so that a typo fails at the start."""

from __future__ import annotations

from dataclasses import dataclass, field

SUCCEEDED, FAILED, CANCELLED = "succeeded", "failed", "cancelled"
TERMINAL = frozenset({SUCCEEDED, FAILED, CANCELLED, "canceled", "deleted"})
FINAL_STATUSES = (
    SUCCEEDED,
    FAILED,
    CANCELLED,
    "canceled",
    "deleted",
    "paused",
    "running",
    "unheard_of",
)
DEFAULT_PACE = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorOptions:
    """`pace` is the seconds from a job's creation to its end; `fail_rate` is a probability in [0, 1]."""

    pace: float = DEFAULT_PACE
    file_pace: float | None = None  # seconds until a file is judged; None: a tenth of the pace
    seed: int = 0
    fail_rate: float = 0.0
    final_status: str = SUCCEEDED  # of jobs whose data is good
    status_path: tuple[str, ...] = ()  # each job's exact course; its last status stays
    api_key: str | None = field(default=None, repr=False)  # None accepts any

    def __post_init__(self) -> None:
        if self.pace < 0 or self.file_seconds < 0:
            raise ValueError(
                f"pace is {self.pace}, file_pace {self.file_pace}: give seconds, 0 or more"
            )
        if not 0.0 <= self.fail_rate <= 1.0:
            raise ValueError(f"fail_rate is {self.fail_rate}: a rate lies between 0 and 1")
        if self.final_status not in FINAL_STATUSES:
            raise ValueError(
                f"final_status is {self.final_status!r}: use one of {', '.join(FINAL_STATUSES)}"
            )
        early = [status for status in self.status_path[:-1] if status in TERMINAL]
        if early:
            raise ValueError(f"status_path goes on after {early[0]}: nothing follows an end")

    @property
    def file_seconds(self) -> float:
        return self.pace / 10 if self.file_pace is None else self.file_pace

    @property
    def course(self) -> tuple[str, ...]:
        """The statuses that a job goes through, as Azure's do unless told otherwise."""
        return self.status_path or ("validating_files", "queued", "running", self.final_status)
