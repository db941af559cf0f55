"""The cloud options of `up`, `demo` and `run`: a contradiction is a sentence and exit code 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.cli.commands.arguments import DEFAULT_DATA_DIR, parse
from local.runtime.failures import UsageError
from local.runtime.options import CloudOptions, cloud_options

OWN_TEACHER = "--teacher-url https://x.openai.azure.com/openai/v1 --teacher-model gpt"


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TEACHER_API_KEY", "AZURE_OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def chosen(line: str, command: str = "up") -> CloudOptions:
    return cloud_options(parse([command, *line.split()]))


def test_an_azure_openai_without_its_path_is_refused_by_the_name_of_the_option() -> None:
    with pytest.raises(UsageError, match=r"--openai-url http://x:9/ must end in /openai/v1"):
        chosen("--openai-url http://x:9/")


def test_nothing_said_is_the_local_cloud_in_the_checkout() -> None:
    assert chosen("") == CloudOptions(data_dir=DEFAULT_DATA_DIR)
    assert chosen("").logs == DEFAULT_DATA_DIR / "logs"


def test_each_option_arrives() -> None:
    options = chosen(
        "--data-dir d --port 8080 --azureml-url http://127.0.0.1:9/ "
        f"--openai-url http://o/openai/v1/ {OWN_TEACHER} "
        "--teacher-key k",
        "demo",
    )
    assert options == CloudOptions(
        data_dir=Path.cwd() / "d",
        port=8080,
        teacher_url="https://x.openai.azure.com/openai/v1",
        teacher_model="gpt",
        teacher_key="k",
        azureml_url="http://127.0.0.1:9",
        openai_url="http://o/openai/v1",
    )


WRONG = {
    "--teacher-url https://t/v1": "--teacher-url needs --teacher-model",
    "--teacher-model gpt": "add --teacher-url",
    "--teacher-key k": "add --teacher-url",
    f"{OWN_TEACHER} --teacher-option rpm=1": "--teacher-url replaces it",
    "--teacher-url t.example/v1 --teacher-model gpt": "'t.example/v1' is not an http(s) URL",
    "--teacher-url ftp://t --teacher-model gpt": "is not an http(s) URL",
    "--teacher-url http:// --teacher-model gpt": "is not an http(s) URL",
    "--teacher-url http://[1 --teacher-model gpt": "is not an http(s) URL",
    "--teacher-url= --teacher-option rpm=1": "--teacher-url '' is not an http(s) URL",
    "--azureml-url 127.0.0.1:9": "--azureml-url '127.0.0.1:9' is not an http(s) URL",
    "--azureml-url http://127.0.0.1:99999": "is not an http(s) URL",
    "--teacher-option rpm": "'rpm' is not NAME=VALUE",
    "--teacher-option rpm=": "is not NAME=VALUE",
    "--teacher-option =600": "is not NAME=VALUE",
    "--azureml-option pace": "--azureml-option 'pace' is not NAME=VALUE",
    "--azureml-url http://127.0.0.1:9 --azureml-option pace=1": "--azureml-url replaces it",
    "--openai-url o": "--openai-url 'o' is not an http(s) URL",
    "--openai-url http://o/v1 --openai-option pace=1": "--openai-url replaces it",
}


@pytest.mark.parametrize("line", WRONG)
def test_what_cannot_be_is_said_in_a_sentence(line: str) -> None:
    with pytest.raises(UsageError) as wrong:
        chosen(line)
    assert WRONG[line] in str(wrong.value)
    assert wrong.value.exit_code == 2


def test_options_of_the_stand_ins_are_taken_in_any_spelling() -> None:
    line = (
        "--teacher-option latency_ms=500 --teacher-option=--error-rate=0.1 "
        "--teacher-option log=/tmp/a=b"
    )
    assert chosen(line).teacher_options == (
        "--latency-ms=500",
        "--error-rate=0.1",
        "--log=/tmp/a=b",
    )
    assert chosen("--azureml-option fail_rate=0.5").azureml_options == ("--fail-rate=0.5",)
    assert chosen("--openai-option status_path=queued,failed").openai_options == (
        "--status-path=queued,failed",
    )


def test_the_key_may_come_from_the_environment_for_a_teacher_of_ones_own_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TEACHER_API_KEY", "from-environment")
    assert chosen(OWN_TEACHER).teacher_key == "from-environment"
    assert chosen(f"{OWN_TEACHER} --teacher-key given").teacher_key == "given"
    assert chosen("").teacher_key is None
