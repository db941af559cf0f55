"""Options of the emulator, checked at the start."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from local.emulators.azureml.access import DEFAULT_ROLE, ROLES
from local.emulators.azureml.store import TERMINAL
from local.emulators.jobs import JobOptions
from shared.finetuning.statuses import AZUREML_STATUSES

FINAL_STATUSES = ("Completed", "Failed", "Canceled", "NotResponding", "Paused", "Unknown")


@dataclass(frozen=True, kw_only=True)
class EmulatorOptions(JobOptions):
    """Options of jobs, of the app's rights, and of command jobs."""

    final_statuses: ClassVar[tuple[str, ...]] = FINAL_STATUSES
    terminal: ClassVar[frozenset[str]] = TERMINAL

    final_status: str = "Completed"
    role: str = DEFAULT_ROLE  # of the app's identity in the workspace
    run_commands: bool = False  # False: command jobs fail with a message that says how to run them
    training_python: Path | None = None  # first on the commands' path; None: the emulator's own
    identity_header: str | None = field(default=None, repr=False)  # None accepts any

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = [status for status in self.status_path if status not in AZUREML_STATUSES]
        if unknown:
            choices = ", ".join(AZUREML_STATUSES)
            raise ValueError(f"status_path has {', '.join(unknown)}: the statuses are {choices}")
        if self.role not in ROLES:
            raise ValueError(f"role is {self.role!r}: use one of {', '.join(ROLES)}")
