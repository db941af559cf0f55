"""The command backend through the unmodified SDK, against an emulator that runs commands."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from local.emulators.azureml.environment import COMPUTE, DATASTORE
from shared.core.errors import PermanentError
from shared.finetuning.azureml import command as module
from shared.finetuning.azureml.clients import clients
from shared.finetuning.azureml.command import (
    DEFAULT_ENVIRONMENT,
    DEFAULT_INSTANCE_TYPE,
    command_line,
)
from shared.finetuning.base import JobState, JobStatus
from shared.finetuning.redacting import RedactingBackend
from shared.finetuning.registry import get_backend
from tests.support.azureml import PATIENCE, emulator, put_lines
from tests.support.command_jobs import MODEL, command_backend, command_request, settings_of, student

# stands in for training/train.py: writes its arguments, and two lines of metrics
SCRIPT = b"""
import json, os, pathlib, sys
flags = dict(argument.split("=", 1) for argument in sys.argv[1:])
output = pathlib.Path(flags["--output"])
flags["rows"] = len(open(flags["--training-data"]).read().splitlines())
flags["files"] = sorted(os.listdir(flags["--model"])) if os.path.isdir(flags["--model"]) else []
(output / "flags.json").write_text(json.dumps(flags))
with (output / "metrics.jsonl").open("w") as log:
    for step, loss in ((1, 3.0), (2, 1.5)):
        log.write(json.dumps({"step": step, "time": 1.0, "loss": loss}) + "\\n")
if flags["--seed"] == "13":
    sys.exit("an unlucky seed")
"""
Start = Callable[[], Any]
# the SDK checks commands by means that the next version of its dependency won't have
pytestmark = pytest.mark.filterwarnings("ignore:The `context` parameter is deprecated")


@pytest.fixture
def start(
    azurite: str,
    environment: Callable[[str], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Generator[Start]:
    """Start an emulator, and give the backend of its workspace with SCRIPT as its script."""
    monkeypatch.setattr(module, "scripts", lambda: {"train.py": SCRIPT, "requirements.txt": b""})
    with emulator(storage=azurite, data_dir=tmp_path, run_commands=True) as url:
        environment(url)
        yield lambda: command_backend(azurite)


def finish(backend: Any, job: str) -> JobState:
    give_up = time.monotonic() + PATIENCE
    while not (state := backend.poll(job)).status.is_terminal:
        assert time.monotonic() < give_up
        time.sleep(0.05)
    return state


def flags_of(tmp_path: Path, job: str) -> dict[str, Any]:
    return json.loads((tmp_path / "jobs" / job / "outputs" / "model" / "flags.json").read_text())


def test_the_backend_is_found_by_its_name(azurite: str, start: Start) -> None:
    backend = get_backend("azureml_command", settings_of(azurite))
    assert isinstance(backend, RedactingBackend)
    assert type(backend.backend) is module.AzureMLCommandBackend


def test_a_job_runs_the_script_to_a_registered_model_with_its_metrics(
    azurite: str, start: Start, tmp_path: Path
) -> None:
    backend = start()
    request = command_request(azurite, student(hyperparameters={"num_train_epochs": 2}, seed=5))
    backend.submit(request)
    done = finish(backend, request.job_name)
    assert (done.status, done.message) == (JobStatus.COMPLETED, None)
    assert done.model == f"{request.registered_model_name}:1"
    assert done.metrics == {"step": 2.0, "loss": 1.5}
    assert backend.conclude(request, done).curve == [
        {"step": 1.0, "loss": 3.0},
        {"step": 2.0, "loss": 1.5},
    ]
    flags = flags_of(tmp_path, request.job_name)
    assert (flags["--model"], flags["--seed"], flags["--num_train_epochs"]) == (MODEL, "5", "2")
    assert flags["rows"] == 10
    assert "--validation-data" in flags


def test_submitting_again_finds_the_job_of_the_first_time(azurite: str, start: Start) -> None:
    backend = start()
    request = command_request(azurite, student(), validation=False)
    backend.submit(request)
    done = finish(backend, request.job_name)
    assert backend.submit(request) == done


@pytest.mark.slow
def test_a_student_may_be_a_folder_of_the_apps_own_container(
    azurite: str, start: Start, tmp_path: Path
) -> None:
    put_lines(azurite, "_students/tiny/config.json", [b"{}"])
    requests = [
        command_request(azurite, student(model=model))
        for model in (
            "runs/_students/tiny",
            f"azureml://datastores/{DATASTORE}/paths/_students/tiny/",
        )
    ]
    backend = start()
    for request in requests:
        backend.submit(request)
        assert finish(backend, request.job_name).status is JobStatus.COMPLETED
        assert flags_of(tmp_path, request.job_name)["files"] == ["config.json"]


def test_the_service_is_told_where_to_run_and_for_how_long(azurite: str, start: Start) -> None:
    backend = start()
    serverless = command_request(azurite, student(max_hours=2))
    targeted = command_request(azurite, student(compute=COMPUTE, environment=_version(7)))
    for request in (serverless, targeted):
        backend.submit(request)
    client = clients().workspace(backend.workspace)
    first, second = (client.jobs.get(request.job_name) for request in (serverless, targeted))
    job: Any = first
    assert (job.environment, job.resources.instance_type) == (
        DEFAULT_ENVIRONMENT,
        DEFAULT_INSTANCE_TYPE,
    )
    assert (job.limits.timeout, job.compute) == (7200, None)
    job = second
    assert job.compute.endswith(COMPUTE)
    assert job.environment == _version(7)


def test_a_script_that_fails_is_a_failed_job_with_its_own_words(azurite: str, start: Start) -> None:
    backend = start()
    request = command_request(azurite, student(seed=13))
    backend.submit(request)
    failed = finish(backend, request.job_name)
    assert failed.status is JobStatus.FAILED
    assert "an unlucky seed" in (failed.message or "")


def test_where_there_is_no_datastore_everything_is_named_by_blob_uri(
    azurite: str, start: Start
) -> None:
    start()
    backend = command_backend(azurite, AZUREML_DATASTORE="")
    request = command_request(azurite, student())
    backend.submit(request)
    assert finish(backend, request.job_name).status is JobStatus.COMPLETED
    job: Any = clients().workspace(backend.workspace).jobs.get(request.job_name)
    assert job.inputs["code"].path.startswith("http://127.0.0.1")


def test_a_student_that_can_be_trained_has_no_problems(start: Start) -> None:
    backend = start()
    assert backend.preflight(student()) == []
    assert backend.preflight(student(compute=COMPUTE, environment=_version(3))) == []


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ({"compute": "typo"}, "student.compute"),
        ({"environment": "typo:1"}, "student.environment"),
        ({"environment": "typo@latest"}, "student.environment"),
        ({"environment": "an image"}, "student.environment"),
        ({"environment": DEFAULT_ENVIRONMENT.replace("acft", "typo")}, "student.environment"),
        (
            {"environment": DEFAULT_ENVIRONMENT.replace("labels/latest", "versions/1000")},
            "student.environment",
        ),
        ({"model": "azureml://registries/azureml/models/Phi-4/versions/7"}, "student.model"),
        ({"model": "a/b/c"}, "student.model"),
    ],
)
def test_preflight_names_what_is_wrong_and_the_setting(
    start: Start, change: dict[str, str], remedy: str
) -> None:
    (problem,) = start().preflight(student(**change))
    assert remedy in problem
    assert next(iter(change.values())) in problem


def test_all_problems_of_a_student_are_reported_at_once(start: Start) -> None:
    assert len(start().preflight(student(compute="typo", environment="typo:1", model="x y"))) == 3


@pytest.mark.parametrize(
    "model",
    [
        *("x; rm -rf /", "$(id)", "`id`", "a b", "-x", "a\nb", ""),
        *("../up", "runs/../other", "runs/a;b", "${{inputs.code}}"),
        *("azureml://datastores/d/paths/$(id)", 'azureml://datastores/d/paths/a"b'),
    ],
)
def test_an_invalid_model_never_reaches_a_shell(model: str) -> None:
    with pytest.raises(PermanentError, match=r"student\.model"):
        command_line(student().model_copy(update={"model": model}), validated=True)


def test_each_of_the_users_values_stays_one_argument() -> None:
    nasty = "1; touch $(whoami) '\" & x"
    line = command_line(student(hyperparameters={"lora_r": nasty}), validated=False)
    assert f"--lora_r={nasty}" in shlex.split(line)
    assert "--validation-data" not in line


def test_a_placeholder_of_azureml_cannot_be_smuggled_in() -> None:
    with pytest.raises(PermanentError, match="placeholder"):
        command_line(student(hyperparameters={"lora_r": "${{inputs.code}}"}), validated=False)


def _version(number: int) -> str:
    return DEFAULT_ENVIRONMENT.replace("labels/latest", f"versions/{number}")
