"""`endpoints.json`: addresses and keys of a running local cloud, for scripts and tests."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from local.runtime.private_files import write_private

FILE_NAME = "endpoints.json"
TEACHER = "teacher"  # in `stand_ins`


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Addresses and keys of one running cloud. `teacher_url` and `azure_openai_url` end in /v1."""

    host_url: str
    function_key: str = field(repr=False)
    reader_key: str = field(repr=False)
    master_key: str = field(repr=False)
    system_key: str = field(repr=False)
    storage_connection_string: str = field(repr=False)
    teacher_url: str
    azureml_url: str
    azure_openai_url: str
    stand_ins: list[str] = field(default_factory=list[str])
    """`teacher`, and the fine-tuning backends whose jobs train nothing here."""

    def write(self, folder: Path) -> None:
        """Write the file whole or not at all, readable by its owner alone: it holds keys."""
        write_private(folder / FILE_NAME, json.dumps(asdict(self), indent=2))

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Return None if the file is missing or incomplete."""
        try:
            data: dict[str, Any] = json.loads((folder / FILE_NAME).read_text())
            return cls(**data)
        except (FileNotFoundError, ValueError, TypeError):
            return None


def remove_endpoints(folder: Path) -> None:
    """Remove the file of a cloud that has stopped."""
    (folder / FILE_NAME).unlink(missing_ok=True)
