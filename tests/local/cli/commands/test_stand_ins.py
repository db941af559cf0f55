"""A run with stand-ins says that it was none of the real thing, and one without says nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.cli.commands.stand_ins import CANNED, UNTRAINED, stand_in_lines
from local.runtime.options import CloudOptions
from tests.support.views import view

JOB = {"status": "completed", "model": "m:1"}
REAL_TEACHER = {"teacher_url": "https://t/v1", "teacher_model": "m"}
COMMANDS = ("--run-commands=yes",)
ASSET = "azureml://registries/azureml/models/Phi-4/versions/7"
HUGGING_FACE_ID = "organisation/model"


@pytest.mark.parametrize(
    ("options", "student", "said"),
    [
        ({}, {"backend": "azureml"}, [CANNED, UNTRAINED]),
        ({}, None, [CANNED]),
        (REAL_TEACHER, {"backend": "azureml"}, [UNTRAINED]),
        (REAL_TEACHER, {"backend": "azure_openai"}, [UNTRAINED]),
        ({**REAL_TEACHER, "openai_url": "https://o/v1"}, {"backend": "azure_openai"}, []),
        ({**REAL_TEACHER, "azureml_options": COMMANDS}, {"backend": "azureml_command"}, []),
        ({**REAL_TEACHER, "azureml_options": COMMANDS}, {"backend": "azureml"}, [UNTRAINED]),
        (REAL_TEACHER, {"backend": "azureml_command"}, [UNTRAINED]),
    ],
)
def test_what_was_not_real_is_said(
    options: dict[str, Any], student: dict[str, Any] | None, said: list[str], tmp_path: Path
) -> None:
    if student:
        is_command = student["backend"] == "azureml_command"
        student = {"model": HUGGING_FACE_ID if is_command else ASSET, **student}
    spec = {"task": "math", "train": "datasets/x.jsonl", "student": student}
    (tmp_path / "run.json").write_text(json.dumps(spec))
    ended = view(status="completed", requests=3, finetune=JOB if student else None)
    stand_ins = CloudOptions(data_dir=tmp_path, **options).stand_ins
    assert stand_in_lines(stand_ins, [(ended, tmp_path)]) == said


def test_a_run_that_asked_nobody_says_nothing(tmp_path: Path) -> None:
    stand_ins = CloudOptions(data_dir=tmp_path).stand_ins
    assert stand_in_lines(stand_ins, [(view(status="failed"), tmp_path)]) == []


def test_only_real_options_are_suggested() -> None:
    from local.cli.commands.arguments import build_parser

    known = build_parser().parse_args(
        ["run", "math", __file__, "--teacher-url", "u", "--teacher-model", "m", "--openai-url", "o"]
    )
    assert (known.teacher_url, known.teacher_model, known.openai_url) == ("u", "m", "o")
