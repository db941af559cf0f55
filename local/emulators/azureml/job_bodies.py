"""Bodies of fine-tuning and command jobs: what the SDK sends, by the published schema.

Any other field is refused by its name, and so is a value that the service would refuse.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

from local.emulators.azureml.arm import FieldProblem, invalid_body, missing_asset
from local.emulators.azureml.environment import COMPUTE
from local.emulators.azureml.registry import asset_problem, environment_problem
from shared.students.catalogue import find_student
from shared.students.hyperparameters import check_hyperparameters

JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}")
PLACEHOLDER = re.compile(r"\$\{\{\s*(?P<side>inputs|outputs)\.(?P<name>[^\s}]*)\s*\}\}")
DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.\d+)?S)?)?")


def seconds(duration: str) -> float | None:
    """Return the length of an ISO 8601 duration of days or less; None for any other text."""
    match = DURATION.fullmatch(duration)
    if not match or not any(match.groups()):
        return None
    days, hours, minutes, rest = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=rest).total_seconds()


def _duration(text: str) -> str:
    if seconds(text) is None:
        raise ValueError(f"{text!r} is not an ISO 8601 duration")
    return text


Texts = dict[str, str]
Uri = Annotated[str, Field(min_length=1)]
AssetName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$")]
PlaceName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class Wire(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class ModelInput(Wire):
    job_input_type: Literal["mlflow_model"]
    uri: Uri


class DataInput(Wire):
    job_input_type: Literal["uri_file"]
    uri: Uri


class ModelOutput(Wire):
    job_output_type: Literal["mlflow_model"]
    asset_name: AssetName


class Outputs(Wire):
    registered_model: ModelOutput = Field(alias="registered_model")


class FineTuning(Wire):
    model_provider: Literal["Custom"]
    task_type: Literal["chatCompletion", "ChatCompletion"]  # others are not emulated
    model: ModelInput
    training_data: DataInput
    validation_data: DataInput | None = None
    hyper_parameters: Texts | None = None


class JobProperties(Wire):
    """What both kinds of jobs have."""

    display_name: str | None = None
    description: str | None = None
    experiment_name: str | None = Field(None, pattern=f"^{JOB_NAME.pattern}$")
    tags: Texts | None = None
    properties: Texts | None = None
    is_archived: bool | None = None
    compute_id: str | None = None  # None: serverless


class FineTuningProperties(JobProperties):
    job_type: Literal["FineTuning"]
    fine_tuning_details: FineTuning
    outputs: Outputs
    resources: dict[str, Any] | None = None


class LiteralInput(Wire):
    job_input_type: Literal["literal"]
    value: str


class UriInput(Wire):
    job_input_type: Literal["uri_file", "uri_folder"]
    uri: Uri
    mode: Literal["Download"] | None = None  # nothing is mounted here


class FolderOutput(Wire):
    job_output_type: Literal["uri_folder", "custom_model"]
    mode: Literal["ReadWriteMount", "Upload"] | None = None
    asset_name: AssetName | None = None


class Resources(Wire):
    instance_count: int = Field(1, ge=1, le=1)  # there is one machine
    instance_type: str | None = None
    properties: dict[str, Any] | None = None


class Limits(Wire):
    job_limits_type: Literal["Command"]
    timeout: Annotated[str, AfterValidator(_duration)] | None = None


Input = Annotated[LiteralInput | UriInput, Field(discriminator="job_input_type")]


class CommandProperties(JobProperties):
    job_type: Literal["Command"]
    command: str = Field(min_length=1, pattern=r"[a-zA-Z0-9_]")
    environment_id: str = Field(min_length=1)
    inputs: dict[PlaceName, Input] | None = None
    outputs: dict[PlaceName, FolderOutput] | None = None
    environment_variables: Texts | None = None
    resources: Resources | None = None
    limits: Limits | None = None

    @model_validator(mode="after")
    def _bound(self) -> CommandProperties:
        names = {"inputs": self.inputs or {}, "outputs": self.outputs or {}}
        for place in PLACEHOLDER.finditer(self.command):
            if place["name"] not in names[place["side"]]:
                raise ValueError(f"command names {place[0]}, which the job does not have")
        return self


class JobBody(Wire):
    """The envelope of a resource; only `properties` are used."""

    properties: Annotated[FineTuningProperties | CommandProperties, Field(discriminator="job_type")]


def check_job(job_name: str, body: dict[str, Any]) -> JobProperties:
    """Return the requested job, of either kind.

    Raises ArmError: 400 with every wrong field, 404 for an asset that does not exist.
    """
    if not JOB_NAME.fullmatch(job_name):
        rule = "must be letters, digits, - and _, at most 255, and start with a letter or digit"
        raise invalid_body([FieldProblem("name", rule)])
    try:
        job = JobBody.model_validate(body).properties
    except ValidationError as error:
        raise invalid_body([_problem(each) for each in error.errors()]) from error
    if job.compute_id and job.compute_id.rpartition("/")[2].lower() != COMPUTE:
        reason = f"the workspace has {COMPUTE} alone"
        raise missing_asset("computeId", "ComputeNotFound", job.compute_id, reason)
    if isinstance(job, CommandProperties):
        _check_command(job)
    else:
        _check_fine_tuning(job.fine_tuning_details)
    return job


def _check_fine_tuning(details: FineTuning) -> None:
    model = details.model.uri
    problem = asset_problem(model)
    if problem:
        field = "fineTuningDetails.model.uri"
        raise missing_asset(field, "ModelNotFound", f"The model {model}", problem)
    _, problems = check_hyperparameters(find_student(model), details.hyper_parameters or {})
    if problems:
        field = "properties.fineTuningDetails.hyperParameters"
        raise invalid_body([FieldProblem(field, problem) for problem in problems])


def _check_command(job: CommandProperties) -> None:
    problem = environment_problem(job.environment_id)
    if problem:
        raise missing_asset("environmentId", "EnvironmentNotFound", job.environment_id, problem)
    if not job.compute_id and not (job.resources and job.resources.instance_type):
        field = "properties.resources.instanceType"
        raise invalid_body([FieldProblem(field, "is required on serverless compute")])


def _problem(error: Any) -> FieldProblem:
    """Return the problem without pydantic's names for the members of a union."""
    union_members = ("FineTuning", "Command", "literal", "uri_file", "uri_folder", "[key]")
    places = [str(place) for place in error["loc"] if place not in union_members]
    if error["type"].startswith("union_tag"):
        places.append(to_camel(error["ctx"]["discriminator"].split("'")[1]))
    texts = {"extra_forbidden": "is not a member of this object", "missing": "is required"}
    return FieldProblem(".".join(places), texts.get(error["type"], str(error["msg"])))
