"""Bodies of command jobs, by the published schema (CommandJob), and the kind of job that a body
asks for.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, cast

from pydantic import Field, field_validator, model_validator

from local.emulators.azureml.arm import FieldProblem, invalid_body, missing_asset
from local.emulators.azureml.job_bodies import (
    ASSET_NAME,
    JobProperties,
    Resource,
    Texts,
    Wire,
    check_compute,
    check_fine_tuning,
    check_name,
    validated,
)
from local.emulators.azureml.registry import environment_problem

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
PLACEHOLDER = re.compile(r"\$\{\{\s*(?P<side>inputs|outputs)\.(?P<name>[^\s}]*)\s*\}\}")
DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.\d+)?S)?)?")
InputMode = Literal[
    "ReadOnlyMount", "ReadWriteMount", "Download", "Direct", "EvalMount", "EvalDownload"
]
OutputMode = Literal["ReadWriteMount", "Upload", "Direct"]


class LiteralInput(Wire):
    job_input_type: Literal["literal"]
    value: str
    description: str | None = None


class UriInput(Wire):
    job_input_type: Literal["uri_file", "uri_folder"]
    uri: str = Field(min_length=1)
    mode: InputMode | None = None
    path_on_compute: None = None
    description: str | None = None


class FolderOutput(Wire):
    job_output_type: Literal["uri_folder", "custom_model"]
    uri: None = None  # the service chooses where
    mode: OutputMode | None = None
    asset_name: str | None = Field(None, pattern=f"^{ASSET_NAME.pattern}$")
    asset_version: None = None
    path_on_compute: None = None
    description: str | None = None


class Resources(Wire):
    instance_count: int = Field(1, ge=1, le=1)  # there is one machine
    instance_type: str | None = None
    max_instance_count: int | None = None
    properties: dict[str, Any] | None = None
    docker_args: str | None = None
    shm_size: str | None = Field(None, pattern=r"^\d+[bBkKmMgG]$")
    locations: list[str] | None = None


class Limits(Wire):
    job_limits_type: Literal["Command"]
    timeout: str | None = None

    @field_validator("timeout")
    @classmethod
    def _duration(cls, value: str | None) -> str | None:
        if value is not None and seconds(value) is None:
            raise ValueError(f"{value!r} is not an ISO 8601 duration")
        return value


Input = Annotated[LiteralInput | UriInput, Field(discriminator="job_input_type")]


class CommandProperties(JobProperties):
    job_type: Literal["Command"]
    command: str = Field(min_length=1, pattern=r"[a-zA-Z0-9_]")
    environment_id: str = Field(min_length=1)
    code_id: None = None
    inputs: dict[str, Input] | None = None
    outputs: dict[str, FolderOutput] | None = None
    environment_variables: Texts | None = None
    resources: Resources | None = None
    limits: Limits | None = None
    distribution: None = None
    autologger_settings: None = None
    parameters: dict[str, Any] | None = None  # read only: ignored

    @field_validator("inputs", "outputs")
    @classmethod
    def _named(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        wrong = [name for name in value or {} if not NAME.fullmatch(name)]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is not a name: use letters, digits and _")
        return value

    @model_validator(mode="after")
    def _bound(self) -> CommandProperties:
        names = {"inputs": self.inputs or {}, "outputs": self.outputs or {}}
        for place in PLACEHOLDER.finditer(self.command):
            if place["name"] not in names[place["side"]]:
                raise ValueError(f"command names {place[0]}, which the job does not have")
        return self


class CommandBody(Resource):
    properties: CommandProperties


def check_job(job_name: str, body: dict[str, Any]) -> JobProperties:
    """Return the requested job, of either kind.

    Raises ArmError: 400 with every wrong field, 404 for an asset that does not exist.
    """
    check_name(job_name)
    properties = body.get("properties")
    if isinstance(properties, dict):
        job_type = cast(dict[str, Any], properties).get("jobType")
        if job_type == "Command":
            return _check_command(body)
    return check_fine_tuning(body)


def _check_command(body: dict[str, Any]) -> CommandProperties:
    job = validated(CommandBody, body).properties
    problem = environment_problem(job.environment_id)
    if problem:
        raise missing_asset("environmentId", "EnvironmentNotFound", job.environment_id, problem)
    check_compute(job.compute_id)
    if not job.compute_id and not (job.resources and job.resources.instance_type):
        field = "properties.resources.instanceType"
        raise invalid_body([FieldProblem(field, "is required on serverless compute")])
    return job


def seconds(duration: str) -> float | None:
    """Return the length of an ISO 8601 duration of days or less; None for any other text."""
    match = DURATION.fullmatch(duration)
    if not match or not any(match.groups()):
        return None
    days, hours, minutes, rest = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=rest).total_seconds()
