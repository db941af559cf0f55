"""What `demo --train` takes for success, and when it does not begin."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from local.cli.commands import training_demo as module
from local.cli.commands.arguments import parse
from local.runtime.failures import UsageError
from shared.spec.models import parse_spec

FELL = [
    {"step": 0, "validation_loss": 7.0, "validation_accuracy": 0.0},
    {"step": 1, "loss": 7.0, "accuracy": 0.0},
    {"step": 9, "loss": 1.0, "accuracy": 0.5, "validation_loss": 2.0, "validation_accuracy": 0.25},
]


def result(equal: int) -> dict[str, Any]:
    return {"rows": 40, "equal": equal, "accuracy": equal / 40, "commonest": 0.4}


def show(logged: list[dict[str, Any]], before: int, after: int) -> bool:
    return module._show(Path("here"), logged, result(before), result(after))  # pyright: ignore[reportPrivateUsage]


def test_a_student_has_learned_when_its_loss_fell_and_it_agrees_more_often(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert show(FELL, 0, 18)
    said = capsys.readouterr().out
    assert "loss: 7.000 at first, 1.000 at last" in said
    assert "0.0% untrained, 45.0% trained; always the commonest label: 40.0%" in said


def test_a_loss_that_did_not_fall_or_a_student_that_is_no_better_is_a_failure(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rising = [{"step": 1, "loss": 1.0}, {"step": 2, "loss": 2.0}]
    assert not show(rising, 0, 18)
    assert not show(FELL, 18, 18)
    said = capsys.readouterr().out
    assert "the loss did not fall" in said
    assert "no more often" in said


def test_what_was_logged_at_a_step_is_put_together(tmp_path: Path) -> None:
    log = tmp_path / "metrics.jsonl"
    log.write_text(
        "".join(
            json.dumps(row) + "\n"
            for row in ({"step": 2, "loss": 1}, {"step": 2, "validation_loss": 3})
        )
    )
    assert module._losses(log) == [{"step": 2, "loss": 1, "validation_loss": 3}]  # pyright: ignore[reportPrivateUsage]


def test_its_run_is_one_that_the_app_accepts() -> None:
    own = module._specification("runs/_students/x")  # pyright: ignore[reportPrivateUsage]
    spec = parse_spec({"task": "nli", "train": "datasets/nli/x/train.jsonl", **own})
    assert spec.students[0].hyperparameters == module.HYPERPARAMETERS


def test_it_needs_an_emulator_of_its_own(tmp_path: Path) -> None:
    chosen: argparse.Namespace = parse(
        ["demo", "--train", "--data-dir", str(tmp_path), "--azureml-url", "http://127.0.0.1:9"]
    )
    with pytest.raises(UsageError, match="--azureml-url"):
        module.main(chosen)
