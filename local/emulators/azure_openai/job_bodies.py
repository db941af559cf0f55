"""Bodies of `POST /fine_tuning/jobs`, by the published API; other fields are refused by name.

Bounds are those of OpenAI's OpenAPI document.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pydantic
from pydantic import ConfigDict, Field, ValidationError

from local.emulators.azure_openai.catalogue import BaseModel, find_model
from local.emulators.azure_openai.options import EmulatorOptions
from local.emulators.azure_openai.store import File, Job, Store
from local.emulators.azure_openai.training import completed
from local.emulators.azure_openai.training_types import check_training_type, training_type_of
from local.emulators.openai_errors import ApiError

Auto = Literal["auto"]
Key = Annotated[str, Field(max_length=64)]
Text = Annotated[str, Field(max_length=512)]


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
    training_type: str | int | None = Field(None, alias="trainingType")

    @property
    def chosen(self) -> Hyperparameters:
        if self.method:
            return self.method.supervised.hyperparameters
        return self.hyperparameters or Hyperparameters()


def check_body(body: object, store: Store, options: EmulatorOptions) -> Job:
    """Return the requested job in its first status. Raises ApiError for the first thing wrong."""
    try:
        submitted = JobBody.model_validate(body)
    except ValidationError as error:
        raise _refused(error.errors()[0]) from error
    if submitted.method and submitted.hyperparameters:
        message = "Give 'method' or 'hyperparameters', not both."
        raise ApiError(400, message, param="method", code="invalid_request")
    model = _base_model(submitted.model)
    ignored = options.ignore_training_type
    training_type = training_type_of(None if ignored else submitted.training_type)
    check_training_type(
        training_type, model, has_regional_training=not options.no_regional_training
    )
    training = _file(store, "training_file", submitted.training_file)
    if submitted.validation_file is not None:
        _file(store, "validation_file", submitted.validation_file)
    hyperparameters = completed(submitted.chosen.model_dump(), training.rows)
    return Job(
        model=model.id,
        training_type=training_type,
        status=options.course[0],
        training_file=submitted.training_file,
        validation_file=submitted.validation_file,
        hyperparameters=hyperparameters,
        method={"type": "supervised", "supervised": {"hyperparameters": hyperparameters}},
        seed=submitted.seed or 0,
        suffix=submitted.suffix,
        metadata=submitted.metadata,
        number=len(store.jobs.all()) + 1,
        rows=training.rows,
    )


def _base_model(name: str) -> BaseModel:
    model = find_model(name)
    if model is None:
        message = f"The model '{name}' does not exist."
        raise ApiError(404, message, param="model", code="model_not_found")
    return model


def _file(store: Store, param: str, file_id: str) -> File:
    file = store.files.get(file_id)
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
