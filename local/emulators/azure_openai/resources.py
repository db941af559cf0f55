"""What the API shows besides models, files and jobs: checkpoints, and pages of lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from aiohttp import web

from local.emulators.azure_openai.store import Job
from local.emulators.azure_openai.training import KEPT_CHECKPOINTS, Training
from local.emulators.openai_errors import ApiError

MAX_LIMIT = 100  # of a page, as Azure has it


class Listed(Protocol):
    id: str

    def shown(self) -> dict[str, Any]: ...


def checkpoints(job: Job, seed: int) -> list[dict[str, Any]]:
    """Return the checkpoints of the last epochs, newest first, once the job has succeeded."""
    if not job.fine_tuned_model:
        return []
    training = Training.of(job, seed)
    shown: list[dict[str, Any]] = []
    for step in training.epoch_ends[-KEPT_CHECKPOINTS:][::-1]:
        suffix = "" if step == training.steps else f":ckpt-step-{step}"
        checkpoint = {
            "object": "fine_tuning.job.checkpoint",
            "id": f"ftchkpt-{job.id.removeprefix('ftjob-')}-{step}",
            "created_at": job.finished_at,
            "fine_tuned_model_checkpoint": job.fine_tuned_model + suffix,
            "fine_tuning_job_id": job.id,
            "metrics": training.metrics(step),
            "step_number": step,
        }
        shown.append(checkpoint)
    return shown


def page(request: web.Request, records: Sequence[Listed]) -> dict[str, Any]:
    """Return a page: `limit` records after the one that `after` names. Raises ApiError."""
    limit = request.query.get("limit", "20")
    if not limit.isdecimal() or not 1 <= int(limit) <= MAX_LIMIT:
        message = f"Invalid 'limit': expected a whole number from 1 to {MAX_LIMIT}."
        raise ApiError(400, message, param="limit", code="invalid_value")
    first = _place_after(request.query.get("after"), records)
    chosen = records[first : first + int(limit)]
    more = first + len(chosen) < len(records)
    return listed([record.shown() for record in chosen], has_more=more)


def _place_after(after: str | None, records: Sequence[Listed]) -> int:
    if after is None:
        return 0
    for place, record in enumerate(records, start=1):
        if record.id == after:
            return place
    message = f"Invalid 'after': {after} is not in the list."
    raise ApiError(400, message, param="after", code="invalid_value")


def listed(data: list[dict[str, Any]], *, has_more: bool = False) -> dict[str, Any]:
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": has_more,
    }
