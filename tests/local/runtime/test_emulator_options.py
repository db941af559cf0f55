"""A misspelt option of an emulator is a sentence at once, not a child that ends with an error."""

from __future__ import annotations

import pytest

from local.cli.commands.arguments import parse
from local.runtime.emulator_options import check_emulator_options
from local.runtime.failures import UsageError
from local.runtime.options import cloud_options


def check(*arguments: str) -> None:
    check_emulator_options(cloud_options(parse(["up", *arguments])))


@pytest.mark.parametrize(
    ("option", "text", "problem"),
    [
        ("--teacher-option", "rmp=5", "'rmp' doesn't exist: did you mean rpm?"),
        ("--teacher-option", "rpm=five", "--rpm: invalid int value: 'five'"),
        ("--azureml-option", "fial_rate=1", "'fial-rate' doesn't exist: did you mean fail_rate?"),
        ("--azureml-option", "bogus=1", "'bogus' doesn't exist (python -m local.emulators.azureml"),
        ("--openai-option", "no_models=maybe", "say yes or no"),
        ("--openai-option", "paces=1", "'paces' doesn't exist: did you mean pace?"),
    ],
)
def test_an_option_that_an_emulator_does_not_take_is_refused_by_name(
    option: str, text: str, problem: str
) -> None:
    with pytest.raises(UsageError) as wrong:
        check(option, text)
    assert str(wrong.value).startswith(option)
    assert problem in str(wrong.value)


def test_options_that_the_emulators_take_pass() -> None:
    check(
        *("--teacher-option", "rpm=600", "--teacher-option", "model=weak:0.7"),
        *("--azureml-option", "pace=60", "--openai-option", "status_path=queued,running"),
        *("--azureml-option", "run_commands=yes", "--openai-option", "no_models=no"),
    )
