"""Bodies of jobs, as the published schema has them. What it does not have, or this emulator cannot play, is refused by name."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.alias_generators import to_camel

from local.emulators.azureml.arm import ArmError, FieldProblem
from local.emulators.azureml.catalogue import asset_problem
from local.emulators.azureml.environment import COMPUTE
from shared.students.catalogue import check_hyperparameters, find_student

JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}")
ASSET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
OUTPUT = "registered_model"
Texts = dict[str, str]


class Wire(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class ModelInput(Wire):
    job_input_type: Literal["mlflow_model"]
    uri: str = Field(min_length=1)
    mode: str | None = None
    description: str | None = None


class DataInput(Wire):
    job_input_type: Literal["uri_file"]
    uri: str = Field(min_length=1)
    mode: str | None = None
    description: str | None = None


class ModelOutput(Wire):
    job_output_type: Literal["mlflow_model"]
    asset_name: str = Field(pattern=f"^{ASSET_NAME.pattern}$")
    uri: str | None = None
    mode: str | None = None
    description: str | None = None


class Outputs(Wire):
    registered_model: ModelOutput = Field(alias=OUTPUT)


class FineTuning(Wire):
    model_provider: Literal["Custom"]
    task_type: str
    model: ModelInput
    training_data: DataInput
    validation_data: DataInput | None = None
    hyper_parameters: Texts | None = None

    @field_validator("task_type")
    @classmethod
    def _chat_alone(cls, value: str) -> str:
        if value.lower() != "chatcompletion":
            raise ValueError("only ChatCompletion is emulated")
        return "ChatCompletion"


class JobBase(Wire):
    """What jobs of every kind have."""

    display_name: str | None = None
    description: str | None = None
    experiment_name: str | None = Field(None, pattern=f"^{JOB_NAME.pattern}$")
    tags: Texts | None = None
    properties: Texts | None = None
    is_archived: bool | None = None
    component_id: None = None
    identity: dict[str, Any] | None = None
    notification_setting: dict[str, Any] | None = None
    services: None = None
    status: str | None = None  # read only: ignored


class JobProperties(JobBase):
    job_type: Literal["FineTuning"]
    fine_tuning_details: FineTuning
    outputs: Outputs
    compute_id: str | None = None  # None: serverless
    queue_settings: dict[str, Any] | None = None
    resources: dict[str, Any] | None = None


class _Body(Wire):
    properties: JobProperties
    id: str | None = None
    name: str | None = None
    type: str | None = None


def check_body(job_name: str, body: dict[str, Any]) -> JobProperties:
    """The job asked for. Raises ArmError: 400 with every field that is wrong, 404 for a model that does not exist."""
    check_name(job_name)
    try:
        job = _Body.model_validate(body).properties
    except ValidationError as error:
        raise refused(validation_problems(error)) from error
    check_compute(job.compute_id)
    details = job.fine_tuning_details
    missing = asset_problem(details.model.uri)
    if missing:
        message = f"The model {details.model.uri} cannot be used: {missing}."
        raise ArmError(
            404, "ModelNotFound", message, [("properties.fineTuningDetails.model.uri", missing)]
        )
    _, problems = check_hyperparameters(
        find_student(details.model.uri), details.hyper_parameters or {}
    )
    if problems:
        raise refused(
            [("properties.fineTuningDetails.hyperParameters", problem) for problem in problems]
        )
    return job


def check_name(job_name: str) -> None:
    """Raises ArmError."""
    if not JOB_NAME.fullmatch(job_name):
        raise refused(
            [
                (
                    "name",
                    "must be letters, digits, - and _, at most 255, and start with a letter or digit",
                )
            ]
        )


def validation_problems(error: ValidationError) -> list[FieldProblem]:
    return list(map(_problem, error.errors()))


def _problem(error: Any) -> FieldProblem:
    field = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        return field, "is no member of this object"
    if error["type"] == "missing":
        return field, "is required"
    return field, str(error["msg"])


def refused(problems: list[FieldProblem]) -> ArmError:
    """The answer to a body that is wrong."""
    listed = "; ".join(f"{field} {problem}" for field, problem in problems)
    return ArmError(400, "UserError", f"The job is not valid: {listed}.", problems)


def check_compute(compute_id: str | None) -> None:
    """Raises ArmError for a compute that the workspace does not have."""
    if compute_id and compute_id.rpartition("/")[2].lower() != COMPUTE:
        raise missing_asset(
            "computeId", "ComputeNotFound", compute_id, f"the workspace has {COMPUTE} alone"
        )


def missing_asset(field: str, code: str, asset: str, why: str) -> ArmError:
    problem: FieldProblem = (f"properties.{field}", why)
    return ArmError(404, code, f"{asset} cannot be used: {why}.", [problem])
