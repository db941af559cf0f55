"""Resources as the API shows them: files, models, jobs, events, checkpoints, and pages of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from aiohttp import web

from local.emulators.azure_openai.catalogue import MODELS, BaseModel
from local.emulators.azure_openai.errors import ApiError
from local.emulators.azure_openai.store import EventRecord, FileRecord, JobRecord
from local.emulators.azure_openai.training import KEPT_CHECKPOINTS, Training, hyperparameters_of

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
    capabilities = {
        "fine_tune": base.fine_tune,
        "inference": True,
        "chat_completion": base.fine_tune,
    }
    return {
        "object": "model",
        "id": base.id,
        "created": 0,
        "owned_by": "local emulator",
        "status": "succeeded",
        "capabilities": capabilities,
        "lifecycle_status": "generally-available",
    }


def models() -> list[dict[str, Any]]:
    return [model(base) for base in MODELS.values()]


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
    """Those of the last epochs, newest first, once the job has succeeded."""
    if not record.model:
        return []
    training = Training.of(record, seed)
    return [
        {
            "object": "fine_tuning.job.checkpoint",
            "id": f"ftchkpt-{record.id.removeprefix('ftjob-')}-{step}",
            "created_at": record.finished,
            "fine_tuned_model_checkpoint": record.model
            if step == training.steps
            else f"{record.model}:ckpt-step-{step}",
            "fine_tuning_job_id": record.id,
            "metrics": training.metrics(step),
            "step_number": step,
        }
        for step in training.epoch_ends[-KEPT_CHECKPOINTS:][::-1]
    ]


def page(
    request: web.Request, records: Sequence[T], show: Callable[[T], dict[str, Any]]
) -> web.Response:
    """A page of a list: `limit` records after the one that `after` names. Raises ApiError."""
    limit, after = request.query.get("limit", "20"), request.query.get("after")
    if not limit.isdecimal() or not 1 <= int(limit) <= MAX_LIMIT:
        message = f"Invalid 'limit': expected a whole number from 1 to {MAX_LIMIT}."
        raise ApiError(400, message, param="limit", code="invalid_value")
    first = 0
    if after is not None:
        places = [place for place, record in enumerate(records) if record.id == after]
        if not places:
            raise ApiError(
                400,
                f"Invalid 'after': {after} is not in the list.",
                param="after",
                code="invalid_value",
            )
        first = places[0] + 1
    chosen = records[first : first + int(limit)]
    body: dict[str, Any] = {"object": "list", "data": [show(record) for record in chosen]}
    body |= {
        "first_id": chosen[0].id if chosen else None,
        "last_id": chosen[-1].id if chosen else None,
    }
    return web.json_response({**body, "has_more": first + len(chosen) < len(records)})
