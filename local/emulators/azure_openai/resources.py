"""Resources as the API shows them: files, models, jobs, events, checkpoints, and pages of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from aiohttp import web

from local.emulators.azure_openai.catalogue import BaseModel
from local.emulators.azure_openai.store import EventRecord, FileRecord, JobRecord
from local.emulators.azure_openai.training import KEPT_CHECKPOINTS, Training, hyperparameters_of
from local.emulators.openai_errors import ApiError

MAX_LIMIT = 100  # of a page, as Azure has it


class _Listed(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=_Listed)


def file(record: FileRecord) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "object": "file",
        "id": record.id,
        "bytes": record.bytes,
        "created_at": record.created,
        "filename": record.filename,
        "purpose": record.purpose,
        "status": record.status,
    }
    return {**shown, "status_details": record.details} if record.details else shown


def model(base: BaseModel) -> dict[str, Any]:
    chat = base.fine_tune
    return {
        "object": "model",
        "id": base.id,
        "created": 0,
        "owned_by": "local emulator",
        "status": "succeeded",
        "capabilities": {"fine_tune": chat, "inference": True, "chat_completion": chat},
        "lifecycle_status": "generally-available",
    }


def job(record: JobRecord) -> dict[str, Any]:
    body = record.body
    hyperparameters = hyperparameters_of(record)
    return {
        "object": "fine_tuning.job",
        "id": record.id,
        "model": body["model"],
        "created_at": record.created,
        "finished_at": record.finished,
        "fine_tuned_model": record.model,
        "organization_id": "local",
        "result_files": [],
        "status": record.status,
        "training_file": body["training_file"],
        "validation_file": body.get("validation_file"),
        "hyperparameters": hyperparameters,
        "method": {"type": "supervised", "supervised": {"hyperparameters": hyperparameters}},
        "trained_tokens": 0 if record.model else None,
        "error": record.error,
        "seed": body.get("seed", 0),
        "suffix": body.get("suffix"),
        "metadata": body.get("metadata"),
        "integrations": [],
    }


def event(record: EventRecord) -> dict[str, Any]:
    return {
        "object": "fine_tuning.job.event",
        "id": record.id,
        "created_at": record.created,
        "level": record.level,
        "message": record.message,
        "type": "metrics" if record.data else "message",
        "data": record.data or {},
    }


def checkpoints(record: JobRecord, seed: int) -> list[dict[str, Any]]:
    """Return the checkpoints of the last epochs, newest first, once the job has succeeded."""
    if not record.model:
        return []
    training = Training.of(record, seed)
    shown: list[dict[str, Any]] = []
    for step in training.epoch_ends[-KEPT_CHECKPOINTS:][::-1]:
        suffix = "" if step == training.steps else f":ckpt-step-{step}"
        checkpoint = {
            "object": "fine_tuning.job.checkpoint",
            "id": f"ftchkpt-{record.id.removeprefix('ftjob-')}-{step}",
            "created_at": record.finished,
            "fine_tuned_model_checkpoint": record.model + suffix,
            "fine_tuning_job_id": record.id,
            "metrics": training.metrics(step),
            "step_number": step,
        }
        shown.append(checkpoint)
    return shown


def page(
    request: web.Request, records: Sequence[T], show: Callable[[T], dict[str, Any]]
) -> dict[str, Any]:
    """Return a page of a list: `limit` records after the one that `after` names. Raises ApiError."""
    limit = request.query.get("limit", "20")
    if not limit.isdecimal() or not 1 <= int(limit) <= MAX_LIMIT:
        message = f"Invalid 'limit': expected a whole number from 1 to {MAX_LIMIT}."
        raise ApiError(400, message, param="limit", code="invalid_value")
    first = _place_after(request.query.get("after"), records)
    chosen = records[first : first + int(limit)]
    more = first + len(chosen) < len(records)
    return listed([show(record) for record in chosen], has_more=more)


def _place_after(after: str | None, records: Sequence[_Listed]) -> int:
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
