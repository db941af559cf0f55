"""Command jobs are run for real: inputs in, outputs out, one registered model, and nothing left of
a job that was cancelled.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from azure.storage.blob import BlobServiceClient

from local.emulators.azureml.command_runner import __file__ as runner
from local.emulators.azureml.environment import CONTAINER
from local.emulators.azureml.resources import COMMAND_NOTICE
from tests.support.azureml import PATIENCE, Workspace, ask, datastore_uri, emulator, put_lines
from tests.support.azureml_commands import command_body, uri


@pytest.fixture
def name() -> str:
    return f"job-{uuid4().hex[:12]}"


@pytest.fixture(scope="module")
def workspace(azurite: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[Workspace]:
    """An emulator that runs commands, for all tests that don't restart it."""
    put_lines(
        azurite, "code/say.py", [b"import sys", b"print(open(sys.argv[1]).read(), sys.argv[2:])"]
    )
    data_dir = tmp_path_factory.mktemp("azureml")
    with emulator(storage=azurite, data_dir=data_dir, run_commands=True) as url:
        yield Workspace(url)


def submit(workspace: Workspace, name: str, command: str, **changes: object) -> None:
    status, answer = workspace.ask(f"jobs/{name}", "PUT", command_body(command, **changes))
    assert status == 201, answer


def registered_as(model: str) -> dict[str, Any]:
    """Outputs of a job that registers a model of this name."""
    return {"model": {"jobOutputType": "custom_model", "assetName": model}}


def blob(storage: str, path: str) -> bytes:
    service: Any
    with BlobServiceClient.from_connection_string(storage) as service:
        return service.get_blob_client(CONTAINER, path).download_blob().readall()


def eventually(true: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def test_a_command_gets_its_inputs_and_its_output_becomes_a_registered_model(
    azurite: str, workspace: Workspace, name: str
) -> None:
    inputs = {
        "code": uri("uri_folder", datastore_uri("code/")),
        "text": uri("uri_file", put_lines(azurite, f"{name}/text.txt", [b"seen"])),
        "word": {"jobInputType": "literal", "value": "plain"},
    }
    command = (
        'python "${{inputs.code}}/say.py" "${{inputs.text}}" ${{inputs.word}}'
        ' > "${{outputs.model}}/said.txt"'
    )
    submit(workspace, name, command, inputs=inputs, outputs=registered_as(name))
    job = workspace.wait(name)
    assert job["status"] == "Completed", workspace.reason(name)
    assert job["outputs"]["model"]["assetVersion"] == "1"
    assert blob(azurite, f"azureml/{name}/model/said.txt") == b"seen ['plain']\n"
    _, model = workspace.ask(f"models/{name}/versions/1")
    assert (model["properties"]["modelType"], model["properties"]["jobName"]) == (
        "custom_model",
        name,
    )


def test_it_says_that_the_command_was_run_here(workspace: Workspace, name: str) -> None:
    submit(workspace, name, "true")
    job = workspace.wait(name)
    _, page, _ = ask(job["services"]["Studio"]["endpoint"])
    assert COMMAND_NOTICE in job["description"]
    assert page["notice"] == COMMAND_NOTICE


def test_a_command_that_fails_is_a_failed_job_with_the_end_of_its_log(
    workspace: Workspace, name: str
) -> None:
    command = "seq 1 100; echo 'no more memory' >&2; exit 3"
    submit(workspace, name, command, outputs=registered_as(name))
    assert workspace.wait(name)["status"] == "Failed"
    reason = workspace.reason(name)
    assert "exit code 3" in reason
    assert reason.endswith("100\nno more memory")
    assert "\n7\n" not in reason
    assert workspace.ask(f"models/{name}/versions")[0] == 404


def test_a_command_that_takes_longer_than_its_limit_is_ended(
    workspace: Workspace, name: str
) -> None:
    submit(workspace, name, "sleep 600", limits={"jobLimitsType": "Command", "timeout": "PT1S"})
    assert workspace.wait(name)["status"] == "Failed"
    assert "longer than its limit of 1 s" in workspace.reason(name)


def test_an_input_that_is_not_there_fails_the_job_by_name(workspace: Workspace, name: str) -> None:
    submit(
        workspace, name, "true", inputs={"data": uri("uri_file", datastore_uri("nowhere.jsonl"))}
    )
    submit(
        workspace,
        f"{name}-folder",
        "true",
        inputs={"data": uri("uri_folder", datastore_uri("nowhere"))},
    )
    assert workspace.wait(name)["status"] == workspace.wait(f"{name}-folder")["status"] == "Failed"
    assert "nowhere.jsonl" in workspace.reason(name)
    assert "there is no such folder" in workspace.reason(f"{name}-folder")


def test_cancelling_kills_the_command_and_all_that_it_has_started(
    workspace: Workspace, name: str, tmp_path: Path
) -> None:
    submit(
        workspace,
        name,
        f"sleep 600 & echo $! > {tmp_path}/draft; mv {tmp_path}/draft {tmp_path}/pid; wait",
    )
    pid_file = tmp_path / "pid"
    eventually(pid_file.exists)
    assert workspace.ask(f"jobs/{name}/cancel", "POST")[0] == 202
    assert workspace.wait(name)["status"] == "Canceled"
    eventually(lambda: not _is_alive(int(pid_file.read_text())))


def test_a_command_does_not_outlive_an_emulator_that_was_killed(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = f"sleep 600 & echo $! > {tmp_path}/draft; mv {tmp_path}/draft {pid_file}; wait"
    process = subprocess.Popen(
        [sys.executable, str(runner), "bash", "-c", script],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    eventually(pid_file.exists)
    assert process.stdin
    process.stdin.close()  # as the end of the emulator does
    assert process.wait(PATIENCE) == -signal.SIGKILL
    eventually(lambda: not _is_alive(int(pid_file.read_text())))


def test_a_restarted_emulator_runs_the_command_again_where_it_was(
    azurite: str, name: str, tmp_path: Path
) -> None:
    starts_file = '"${{outputs.model}}/starts"'
    command = f"echo x >> {starts_file}; [ $(wc -l < {starts_file}) -gt 1 ] || sleep 600"
    starts = tmp_path / "jobs" / name / "outputs" / "model" / "starts"
    with emulator(storage=azurite, data_dir=tmp_path, run_commands=True) as url:
        submit(Workspace(url), name, command)
        eventually(starts.exists)
    with emulator(storage=azurite, data_dir=tmp_path, run_commands=True) as url:
        assert Workspace(url).wait(name)["status"] == "Completed"
    assert blob(azurite, f"azureml/{name}/model/starts") == b"x\nx\n"


def test_an_emulator_that_runs_no_commands_says_how_to_start_one_that_does(
    azurite: str, name: str, tmp_path: Path
) -> None:
    with emulator(storage=azurite, data_dir=tmp_path) as url:
        workspace = Workspace(url)
        submit(workspace, name, "true")
        assert workspace.wait(name)["status"] == "Failed"
        assert "--run-commands" in workspace.reason(name)


def test_a_command_finds_the_python_that_the_emulator_was_given_and_no_key_of_it(
    azurite: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISTILLATION_STORAGE", "secret")
    monkeypatch.setenv("IDENTITY_HEADER", "secret")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "python").write_text("#!/bin/sh\necho own python\n")
    (programs / "python").chmod(0o755)
    options: dict[str, Any] = {"run_commands": True, "training_python": programs / "python"}
    with emulator(storage=azurite, data_dir=tmp_path, **options) as url:
        workspace = Workspace(url)
        command = 'python > "${{outputs.model}}/out"; env >> "${{outputs.model}}/out"'
        submit(workspace, name, command, environmentVariables={"ASKED": "for"})
        workspace.wait(name)
    said = blob(azurite, f"azureml/{name}/model/out").decode()
    assert said.startswith("own python\n")
    assert "ASKED=for" in said
    assert f"AZUREML_RUN_ID={name}" in said
    assert "secret" not in said


def _is_alive(pid: int) -> bool:
    """A process that has ended and whose parent has not asked for its end is a zombie: it counts as
    dead.
    """
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
