"""`endpoints.json`: addresses and keys of a running local cloud, for scripts and tests."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

FILE_NAME = "endpoints.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Addresses and keys of one running cloud. `teacher_url` and `azure_openai_url` end in /v1."""

    host_url: str
    function_key: str = field(repr=False)
    master_key: str = field(repr=False)
    system_key: str = field(repr=False)
    storage_connection_string: str = field(repr=False)
    teacher_url: str
    azureml_url: str
    azure_openai_url: str

    def write(self, folder: Path) -> None:
        """Write the file whole or not at all, readable by its owner alone: it holds keys."""
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f".{FILE_NAME}.draft"
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(asdict(self), file, indent=2)
        draft.replace(folder / FILE_NAME)

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
