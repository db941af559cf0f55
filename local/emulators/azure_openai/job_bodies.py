"""Bodies of `POST /fine_tuning/jobs`, as the published API has them. What it does not have is refused by name.

Bounds are those of OpenAI's OpenAPI document; `trainingType` is Azure's own addition.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pydantic
from pydantic import ConfigDict, Field, ValidationError

from local.emulators.azure_openai.catalogue import find_model
from local.emulators.azure_openai.errors import ApiError
from local.emulators.azure_openai.store import FileRecord, Store

Auto = Literal["auto"]
Key = Annotated[str, Field(max_length=64)]
Text = Annotated[str, Field(max_length=512)]
TRAINING_TYPES = ("standard", "globalstandard", "developer", "datazonestandard")


class _Wire(pydantic.BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Hyperparameters(_Wire):
    n_epochs: Auto | Annotated[int, Field(ge=1, le=50)] = "auto"
    batch_size: Auto | Annotated[int, Field(ge=1, le=256)] = "auto"
    learning_rate_multiplier: Auto | Annotated[float, Field(gt=0)] = "auto"


class Supervised(_Wire):
    hyperparameters: Hyperparameters = Hyperparameters()


class Method(_Wire):
    type: Literal["supervised"]  # the others are not emulated
    supervised: Supervised = Supervised()


class JobBody(_Wire):
    model: str = Field(min_length=1)
    training_file: str = Field(min_length=1)
    validation_file: str | None = None
    hyperparameters: Hyperparameters | None = None  # of the API before there was `method`
    method: Method | None = None
    suffix: str | None = Field(None, min_length=1, max_length=64)
    seed: int | None = Field(None, ge=0, lt=2**31)
    metadata: dict[Key, Text] | None = Field(None, max_length=16)
    integrations: None = None
    training_type: str | None = Field(None, alias="trainingType")

    @property
    def chosen(self) -> Hyperparameters:
        return (
            self.method.supervised.hyperparameters
            if self.method
            else self.hyperparameters or Hyperparameters()
        )


def check_body(body: object, store: Store) -> tuple[dict[str, Any], FileRecord]:
    """The job asked for, with its model's full id, and its training file. Raises ApiError for the first thing wrong."""
    try:
        job = JobBody.model_validate(body)
    except ValidationError as error:
        raise _refused(error.errors()[0]) from error
    if job.method and job.hyperparameters:
        raise ApiError(
            400,
            "Give 'method' or 'hyperparameters', not both.",
            param="method",
            code="invalid_request",
        )
    model = find_model(job.model)
    if model is None:
        raise ApiError(
            404, f"The model '{job.model}' does not exist.", param="model", code="model_not_found"
        )
    if not model.fine_tune:
        message = f"Model {model.id} is not available for fine-tuning."
        raise ApiError(400, message, param="model", code="model_not_available")
    kind = (job.training_type or "standard").lower()
    if kind not in TRAINING_TYPES:
        raise ApiError(
            400,
            f"trainingType '{job.training_type}' is unknown.",
            param="trainingType",
            code="invalid_value",
        )
    if model.global_training and kind not in ("globalstandard", "datazonestandard"):
        message = (
            f"Model {model.id} cannot be trained in a region: give trainingType GlobalStandard."
        )
        raise ApiError(400, message, param="trainingType", code="training_type_not_supported")
    training = _file(store, "training_file", job.training_file)
    if job.validation_file is not None:
        _file(store, "validation_file", job.validation_file)
    return {
        **job.model_dump(mode="json", by_alias=True, exclude_none=True),
        "model": model.id,
    }, training


def _file(store: Store, param: str, file_id: str) -> FileRecord:
    file = store.file(file_id)
    if file is None:
        raise ApiError(
            400, f"invalid {param}: {file_id} was not found", param=param, code="invalid_file"
        )
    if file.purpose != "fine-tune":
        raise ApiError(
            400, f"invalid {param}: its purpose is {file.purpose}", param=param, code="invalid_file"
        )
    if file.status != "processed":
        message = (
            f"The file {file_id} is in state '{file.status}': only processed files can be used."
        )
        raise ApiError(400, message, param=param, code="file_not_ready")
    return file


def _refused(problem: Any) -> ApiError:
    where = [
        str(part) for part in problem["loc"] if part not in ("function-after", "literal['auto']")
    ]
    place = ".".join(where)
    if problem["type"] == "extra_forbidden":
        return ApiError(
            400,
            f"Unrecognized request argument supplied: {place}",
            param=place,
            code="unknown_parameter",
        )
    if problem["type"] == "missing":
        return ApiError(
            400,
            f"Missing required parameter: '{place}'.",
            param=place,
            code="missing_required_parameter",
        )
    return ApiError(
        400, f"Invalid value for '{place}': {problem['msg']}", param=place, code="invalid_value"
    )
