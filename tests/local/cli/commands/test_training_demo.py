"""When `demo --train` succeeds, and when it does not begin."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from local.cli.commands import training_demo as module
from local.cli.commands.arguments import parse
from local.cli.commands.learning import Evaluation, has_learned, read_losses, show_learning
from local.runtime.failures import UsageError
from shared.spec.parse import parse_spec

FELL = [
    {"step": 0, "validation_loss": 7.0, "validation_accuracy": 0.0},
    {"step": 1, "loss": 7.0, "accuracy": 0.0},
    {"step": 9, "loss": 1.0, "accuracy": 0.5, "validation_loss": 2.0, "validation_accuracy": 0.25},
]


def evaluation(equal: int) -> Evaluation:
    return Evaluation(tuple(row < equal for row in range(40)), commonest=0.4)


def test_a_student_has_learned_when_its_loss_fell_and_it_agrees_more_often(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert has_learned(FELL, evaluation(0), evaluation(18))
    show_learning(FELL, evaluation(0), evaluation(18))
    output = capsys.readouterr().out
    assert "loss: 7.000 first, 1.000 last" in output
    assert "0.0% (95 % interval 0.0% to 8.8%) untrained, 45.0% (95 % interval" in output
    assert "always the commonest label: 40.0%" in output
    assert "trained beside untrained: better (+45.0 points" in output
    assert "FAILED" not in output


def test_a_loss_that_did_not_fall_or_a_student_that_is_no_better_is_a_failure(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rising = [{"step": 1, "loss": 1.0}, {"step": 2, "loss": 2.0}]
    assert not has_learned(rising, evaluation(0), evaluation(18))
    assert not has_learned(FELL, evaluation(18), evaluation(18))
    show_learning(rising, evaluation(18), evaluation(18))
    output = capsys.readouterr().out
    assert "the loss did not fall" in output
    assert "no more often" in output


def test_what_was_logged_at_a_step_is_put_together(tmp_path: Path) -> None:
    log = tmp_path / "metrics.jsonl"
    rows = [{"step": 2, "loss": 1}, {"step": 2, "validation_loss": 3}]
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read_losses(log) == [{"step": 2, "loss": 1, "validation_loss": 3}]


def test_an_evaluation_is_read_as_the_script_writes_it(tmp_path: Path) -> None:
    file = tmp_path / "evaluation.json"
    answers = [{"answer": "a", "reference": "b", "equal": row < 18} for row in range(40)]
    file.write_text(json.dumps({"commonest": 0.4, "answers": answers}))
    assert Evaluation.read(file) == evaluation(18)


def test_its_run_is_one_that_the_app_accepts() -> None:
    specification = module.specification("runs/_students/x")
    spec = parse_spec({"task": "nli", "train": "datasets/nli/x/train.jsonl", **specification})
    assert spec.students[0].hyperparameters == module.HYPERPARAMETERS


def test_it_needs_an_emulator_of_its_own(tmp_path: Path) -> None:
    chosen: argparse.Namespace = parse(
        ["demo", "--train", "--data-dir", str(tmp_path), "--azureml-url", "http://127.0.0.1:9"]
    )
    with pytest.raises(UsageError, match="--azureml-url"):
        module.main(chosen)
