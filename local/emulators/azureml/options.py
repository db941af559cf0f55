"""Options of the emulator, checked at the start."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from local.emulators.azureml.access import DEFAULT_ROLE, ROLES
from local.emulators.azureml.store import TERMINAL
from local.emulators.jobs import JobOptions
from local.emulators.options import option
from shared.finetuning.statuses import AZUREML_STATUSES

FINAL_STATUSES = ("Completed", "Failed", "Canceled", "NotResponding", "Paused", "Unknown")


@dataclass(frozen=True, kw_only=True)
class EmulatorOptions(JobOptions):
    """Options of jobs, of the app's rights, and of command jobs."""

    final_statuses: ClassVar[tuple[str, ...]] = FINAL_STATUSES
    terminal: ClassVar[frozenset[str]] = TERMINAL

    final_status: str = option("Completed", "where jobs with good data end", choices=FINAL_STATUSES)
    role: str = option(DEFAULT_ROLE, "of the app's identity in the workspace", choices=list(ROLES))
    # without it, command jobs fail with a message that says how to run them
    run_commands: bool = option(False, "run the commands of command jobs here")
    training_python: Path | None = option(
        None,
        "Python of commands (default: that of `demo --train`, else the emulator's own)",
        type=Path,
    )
    identity_header: str | None = option(
        None,
        "secret of the identity endpoint; else IDENTITY_HEADER; else any",
        type=str,
        secret=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = [status for status in self.status_path if status not in AZUREML_STATUSES]
        if unknown:
            choices = ", ".join(AZUREML_STATUSES)
            raise ValueError(f"status_path has {', '.join(unknown)}: the statuses are {choices}")
        if self.role not in ROLES:
            raise ValueError(f"role is {self.role!r}: use one of {', '.join(ROLES)}")
