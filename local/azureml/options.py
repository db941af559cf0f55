"""What an emulator can be told, checked once so that a typo fails at the start."""

from __future__ import annotations

from dataclasses import dataclass, field

FINAL_STATUSES = ("Completed", "Failed", "Canceled", "NotResponding", "Paused", "Unknown")
DEFAULT_PACE = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorOptions:
    """`pace` is the seconds from submission to the end of a job; `fail_rate` is a probability in [0, 1]."""

    pace: float = DEFAULT_PACE
    seed: int = 0
    fail_rate: float = 0.0
    final_status: str = "Completed"  # of jobs whose data is good
    identity_header: str | None = field(default=None, repr=False)  # None accepts any

    def __post_init__(self) -> None:
        if self.pace < 0:
            raise ValueError(f"pace is {self.pace}: give seconds, 0 or more")
        if not 0.0 <= self.fail_rate <= 1.0:
            raise ValueError(f"fail_rate is {self.fail_rate}: a rate lies between 0 and 1")
        if self.final_status not in FINAL_STATUSES:
            raise ValueError(f"final_status is {self.final_status!r}: use one of {', '.join(FINAL_STATUSES)}")
