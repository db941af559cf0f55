"""What is refused of a command job, as by the published schema, and what refers to something that
does not exist.
"""

from __future__ import annotations

from typing import Any

import pytest

from local.emulators.azureml.environment import COMPUTE
from local.emulators.azureml.job_bodies import seconds
from shared.finetuning.azureml.command import DEFAULT_ENVIRONMENT
from tests.support.azureml import Workspace, emulator
from tests.support.azureml_commands import command_body

OUTPUT = {"jobOutputType": "custom_model"}


@pytest.fixture(scope="module")
def workspace() -> Any:
    with emulator(pace=600) as url:
        yield Workspace(url)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("command", ...),
        ("command", ""),
        ("command", "  "),
        ("environmentId", ...),
        ("codeId", "/subscriptions/x/codes/y"),
        ("surprise", 1),
        ("inputs", {"a b": {"jobInputType": "literal", "value": "x"}}),
        ("inputs", {"a": {"jobInputType": "literal", "value": 1}}),
        ("inputs", {"a": {"jobInputType": "uri_file"}}),
        ("inputs", {"a": {"jobInputType": "uri_file", "uri": "x", "mode": "download"}}),
        ("inputs", {"a": {"jobInputType": "mltable", "uri": "x"}}),
        ("outputs", {"a": {"jobOutputType": "custom_model", "assetName": "a b"}}),
        ("outputs", {"a": {"jobOutputType": "mltable"}}),
        ("resources", ...),
        ("resources", {"instanceCount": 2, "instanceType": "x"}),
        ("limits", {"timeout": "PT1H"}),
        ("limits", {"jobLimitsType": "Command", "timeout": "an hour"}),
        ("environmentVariables", {"A": 1}),
        ("distribution", {"distributionType": "PyTorch"}),
        ("experimentName", "with blanks"),
    ],
)
def test_a_wrong_property_is_refused_by_name(
    workspace: Workspace, field: str, value: object
) -> None:
    status, answer = workspace.ask("jobs/wrong", "PUT", command_body("true", **{field: value}))
    assert (status, answer["error"]["code"]) == (400, "UserError"), answer
    assert answer["error"]["target"].startswith(f"properties.{field}")
    assert workspace.ask("jobs/wrong")[0] == 404


@pytest.mark.parametrize("place", ["${{inputs.code}}", "${{ outputs.other }}", "${{inputs.}}"])
def test_a_command_that_names_what_the_job_does_not_have_is_refused(
    workspace: Workspace, place: str
) -> None:
    status, answer = workspace.ask(
        "jobs/wrong", "PUT", command_body(f"cat {place}", outputs={"model": OUTPUT})
    )
    assert status == 400
    assert place in answer["error"]["message"]


@pytest.mark.parametrize(
    "environment",
    [
        "pytorch:1",
        DEFAULT_ENVIRONMENT.replace("acft", "typo"),
        DEFAULT_ENVIRONMENT.replace("registries/azureml", "registries/typo"),
        DEFAULT_ENVIRONMENT.replace("labels/latest", "labels/stable"),
        DEFAULT_ENVIRONMENT.replace("labels/latest", "versions/1000"),
    ],
)
def test_an_environment_that_does_not_exist_is_404(workspace: Workspace, environment: str) -> None:
    status, answer = workspace.ask(
        "jobs/wrong", "PUT", command_body("true", environmentId=environment)
    )
    assert (status, answer["error"]["target"]) == (404, "properties.environmentId")


def test_a_compute_target_needs_to_exist_and_no_instance_type(workspace: Workspace) -> None:
    there, typo = f"{'/x' * 3}/computes/{COMPUTE}", "/x/computes/typo"
    assert workspace.ask("jobs/wrong", "PUT", command_body("true", computeId=typo))[0] == 404
    assert (
        workspace.ask("jobs/targeted", "PUT", command_body("true", computeId=there, resources=...))[
            0
        ]
        == 201
    )


def test_a_job_without_an_output_to_register_is_a_job(workspace: Workspace) -> None:
    assert (
        workspace.ask("jobs/plain", "PUT", command_body("true", outputs=..., inputs=...))[0] == 201
    )
    assert workspace.ask("jobs/plain")[1]["properties"]["outputs"] == {}


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("PT1H", 3600),
        ("PT48H", 172_800),
        ("P2D", 172_800),
        ("P1DT1M", 86_460),
        ("PT1.5S", 1),
        ("P", None),
        ("x", None),
    ],
)
def test_durations_are_read_as_iso_8601_has_them(text: str, meant: float | None) -> None:
    assert seconds(text) == meant
