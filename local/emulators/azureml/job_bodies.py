"""Bodies of fine-tuning jobs, by the published schema; other fields are refused by name."""

from __future__ import annotations

import re
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.alias_generators import to_camel

from local.emulators.azureml.arm import FieldProblem, invalid_body, missing_asset
from local.emulators.azureml.environment import COMPUTE
from local.emulators.azureml.registry import asset_problem
from shared.students.catalogue import find_student
from shared.students.hyperparameters import check_hyperparameters

JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}")
ASSET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
OUTPUT = "registered_model"
Texts = dict[str, str]


class Wire(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class Asset(Wire):
    uri: str = Field(min_length=1)
    mode: str | None = None
    description: str | None = None


class ModelInput(Asset):
    job_input_type: Literal["mlflow_model"]


class DataInput(Asset):
    job_input_type: Literal["uri_file"]


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
    def _only_chat(cls, value: str) -> str:
        if value.lower() != "chatcompletion":
            raise ValueError("only ChatCompletion is emulated")
        return "ChatCompletion"


class JobProperties(Wire):
    """What all kinds of jobs have."""

    display_name: str | None = None
    description: str | None = None
    experiment_name: str | None = Field(None, pattern=f"^{JOB_NAME.pattern}$")
    tags: Texts | None = None
    properties: Texts | None = None
    is_archived: bool | None = None
    component_id: None = None
    compute_id: str | None = None  # None: serverless
    identity: dict[str, Any] | None = None
    notification_setting: dict[str, Any] | None = None
    queue_settings: dict[str, Any] | None = None
    services: None = None
    status: str | None = None  # read only: ignored


class FineTuningProperties(JobProperties):
    job_type: Literal["FineTuning"]
    fine_tuning_details: FineTuning
    outputs: Outputs
    resources: dict[str, Any] | None = None


class Resource(Wire):
    """The envelope of a resource; only `properties` are used."""

    id: str | None = None
    name: str | None = None
    type: str | None = None


class FineTuningBody(Resource):
    properties: FineTuningProperties


Body = TypeVar("Body", bound=Resource)


def check_fine_tuning(body: dict[str, Any]) -> FineTuningProperties:
    """Return the requested job. Raises ArmError: 400 with every wrong field, 404 for the model."""
    job = validated(FineTuningBody, body).properties
    check_compute(job.compute_id)
    details = job.fine_tuning_details
    problem = asset_problem(details.model.uri)
    if problem:
        field = "fineTuningDetails.model.uri"
        raise missing_asset(field, "ModelNotFound", f"The model {details.model.uri}", problem)
    student = find_student(details.model.uri)
    _, problems = check_hyperparameters(student, details.hyper_parameters or {})
    if problems:
        field = "properties.fineTuningDetails.hyperParameters"
        raise invalid_body([FieldProblem(field, problem) for problem in problems])
    return job


def check_name(job_name: str) -> None:
    """Raise ArmError for a name outside the service's alphabet."""
    if not JOB_NAME.fullmatch(job_name):
        rule = "must be letters, digits, - and _, at most 255, and start with a letter or digit"
        raise invalid_body([FieldProblem("name", rule)])


def check_compute(compute_id: str | None) -> None:
    """Raise ArmError for a compute that the workspace does not have."""
    if compute_id and compute_id.rpartition("/")[2].lower() != COMPUTE:
        reason = f"the workspace has {COMPUTE} alone"
        raise missing_asset("computeId", "ComputeNotFound", compute_id, reason)


def validated(model: type[Body], body: dict[str, Any]) -> Body:
    """Return a body as its model. Raises ArmError with every wrong field."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise invalid_body([_problem(each) for each in error.errors()]) from error


def _problem(error: Any) -> FieldProblem:
    field = ".".join(map(str, error["loc"]))
    texts = {"extra_forbidden": "is not a member of this object", "missing": "is required"}
    return FieldProblem(field, texts.get(error["type"], str(error["msg"])))
