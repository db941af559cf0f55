"""Views of runs as the API gives them, and endpoints of a cloud that is not there."""

from __future__ import annotations

from typing import Any

from local.runtime.endpoints import Endpoints
from shared.runs.status import RunState
from shared.runs.view import RunView

View = dict[str, Any]


def view(run_id: str = "nli-mine-0123456789ab", **changes: Any) -> View:
    """A run that was only just asked for, but for the changes."""
    requested = RunView(id=run_id, status=RunState.PENDING, task="nli", name="mine")
    shown = requested.model_dump(mode="json")
    return {**shown, "created": "2025-01-01T00:00:00Z", **changes}


def counts(rows: int, done: int, rejected: int = 0) -> dict[str, int]:
    return {
        "rows": rows,
        "done": done,
        "accepted": done - rejected,
        "rejected": rejected,
        "shards": 1,
        "shards_done": 0,
    }


def endpoints(host_url: str = "http://127.0.0.1:1") -> Endpoints:
    return Endpoints(
        host_url=host_url,
        reader_key="reader",
        function_key="secret-function",
        master_key="secret-master",
        system_key="secret-system",
        storage_connection_string="AccountKey=secret-account",
        teacher_url="http://127.0.0.1:2/v1",
        azureml_url="http://127.0.0.1:3",
        azure_openai_url="http://127.0.0.1:4/openai/v1",
    )
