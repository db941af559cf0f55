"""What an emulator can be told, checked once so that a typo fails at the start."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from local.emulators.azureml.access import ROLES
from local.emulators.azureml.store import TERMINAL
from shared.finetuning.statuses import AZUREML_STATUSES

FINAL_STATUSES = ("Completed", "Failed", "Canceled", "NotResponding", "Paused", "Unknown")
DEFAULT_PACE = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorOptions:
    """`pace` is the seconds from submission to the end of a job; `fail_rate` is a probability in [0, 1]."""

    pace: float = DEFAULT_PACE
    seed: int = 0
    fail_rate: float = 0.0
    final_status: str = "Completed"  # of jobs whose data is good
    status_path: tuple[str, ...] = ()  # the exact course of each job, instead of the usual one
    role: str = "AzureML Data Scientist"  # of the app's identity in the workspace
    run_commands: bool = (
        False  # False: a command job fails with a message that says how to start the emulator
    )
    training_python: Path | None = None  # that commands find first; None: the emulator's own
    identity_header: str | None = field(default=None, repr=False)  # None accepts any

    @property
    def last_status(self) -> str:
        """The status that a job with good data comes to in the end; it stays there when that is none that ends a job."""
        return self.status_path[-1] if self.status_path else self.final_status

    def __post_init__(self) -> None:
        if self.pace < 0:
            raise ValueError(f"pace is {self.pace}: give seconds, 0 or more")
        if not 0.0 <= self.fail_rate <= 1.0:
            raise ValueError(f"fail_rate is {self.fail_rate}: a rate lies between 0 and 1")
        unknown = [status for status in self.status_path if status not in AZUREML_STATUSES]
        if unknown:
            raise ValueError(
                f"status path has {', '.join(unknown)}: a job's statuses are {', '.join(AZUREML_STATUSES)}"
            )
        if any(status in TERMINAL for status in self.status_path[:-1]):
            raise ValueError("status path goes on after a status that ends a job")
        if self.role not in ROLES:
            raise ValueError(f"role is {self.role!r}: use one of {', '.join(ROLES)}")
        if self.final_status not in FINAL_STATUSES:
            raise ValueError(
                f"final_status is {self.final_status!r}: use one of {', '.join(FINAL_STATUSES)}"
            )
