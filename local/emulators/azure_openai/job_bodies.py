"""Bodies of `POST /fine_tuning/jobs`, by the published API. Anything else is refused by the field's name.

Bounds are those of OpenAI's OpenAPI document; `trainingType` is Azure's addition.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pydantic
from pydantic import ConfigDict, Field, ValidationError

from local.emulators.azure_openai.catalogue import BaseModel, find_model
from local.emulators.azure_openai.store import FileRecord, Store
from local.emulators.openai_errors import ApiError

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
    hyperparameters: Hyperparameters | None = None  # of the API before `method`
    method: Method | None = None
    suffix: str | None = Field(None, min_length=1, max_length=64)
    seed: int | None = Field(None, ge=0, lt=2**31)
    metadata: dict[Key, Text] | None = Field(None, max_length=16)
    integrations: None = None
    training_type: str | None = Field(None, alias="trainingType")


def check_body(body: object, store: Store) -> tuple[dict[str, Any], FileRecord]:
    """Return the requested job with its model's full id, and its training file.

    Raises ApiError for the first thing wrong.
    """
    try:
        job = JobBody.model_validate(body)
    except ValidationError as error:
        raise _refused(error.errors()[0]) from error
    if job.method and job.hyperparameters:
        message = "Give 'method' or 'hyperparameters', not both."
        raise ApiError(400, message, param="method", code="invalid_request")
    model = _fine_tunable(job.model)
    _check_training_type(job.training_type, model)
    training = _file(store, "training_file", job.training_file)
    if job.validation_file is not None:
        _file(store, "validation_file", job.validation_file)
    accepted = job.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {**accepted, "model": model.id}, training


def _fine_tunable(name: str) -> BaseModel:
    model = find_model(name)
    if model is None:
        message = f"The model '{name}' does not exist."
        raise ApiError(404, message, param="model", code="model_not_found")
    if not model.fine_tune:
        message = f"Model {model.id} is not available for fine-tuning."
        raise ApiError(400, message, param="model", code="model_not_available")
    return model


def _check_training_type(training_type: str | None, model: BaseModel) -> None:
    kind = (training_type or "standard").lower()
    param = "trainingType"
    if kind not in TRAINING_TYPES:
        message = f"trainingType '{training_type}' is unknown."
        raise ApiError(400, message, param=param, code="invalid_value")
    if model.global_training and kind not in ("globalstandard", "datazonestandard"):
        message = f"Model {model.id} has no regional training: give trainingType GlobalStandard."
        raise ApiError(400, message, param=param, code="training_type_not_supported")


def _file(store: Store, param: str, file_id: str) -> FileRecord:
    file = store.file(file_id)
    code = "invalid_file"
    if file is None:
        message = f"invalid {param}: {file_id} was not found"
    elif file.purpose != "fine-tune":
        message = f"invalid {param}: its purpose is {file.purpose}"
    elif file.status != "processed":
        code = "file_not_ready"
        message = f"The file {file_id} is '{file.status}': only processed files can be used."
    else:
        return file
    raise ApiError(400, message, param=param, code=code)


def _refused(problem: Any) -> ApiError:
    of_unions = ("function-after", "literal['auto']")
    place = ".".join(str(part) for part in problem["loc"] if part not in of_unions)
    if problem["type"] == "extra_forbidden":
        message = f"Unrecognized request argument supplied: {place}"
        return ApiError(400, message, param=place, code="unknown_parameter")
    if problem["type"] == "missing":
        message = f"Missing required parameter: '{place}'."
        return ApiError(400, message, param=place, code="missing_required_parameter")
    message = f"Invalid value for '{place}': {problem['msg']}"
    return ApiError(400, message, param=place, code="invalid_value")
