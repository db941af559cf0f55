"""The training scripts, run as a job runs them, on a tiny student: a minute a test.

They need the environment that `python3 -m local demo --train` makes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from local.bootstrap.training import TrainingEnvironment
from local.emulators.azureml.commands import SHARED_MACHINE
from shared.finetuning.azureml.training_code import FOLDER

ENVIRONMENT = TrainingEnvironment()
LABELS = ("entailment", "neutral", "contradiction")
TINY = ("--width", "32", "--layers", "1", "--vocabulary", "400", "--context", "256")
QUICK = (
    *("--per_device_train_batch_size", "4", "--learning_rate", "5e-3"),
    *("--lora_r", "16", "--train-embeddings"),
)

pytestmark = [
    pytest.mark.training,
    pytest.mark.skipif(
        not ENVIRONMENT.is_finished(),
        reason="there is no environment to train in: `python3 -m local demo --train` makes it",
    ),
]


def run(script: str, *arguments: str | Path) -> str:
    command = [ENVIRONMENT.python, FOLDER / script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=_offline(), check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def _offline() -> dict[str, str]:
    return {**SHARED_MACHINE, **os.environ, "HF_HUB_OFFLINE": "1"}


def rows(path: Path, count: int) -> Path:
    """Write rows that name the label in the question, which the smallest student can learn."""
    with path.open("w") as file:
        for number in range(count):
            label = LABELS[number % 3]
            messages = [
                {"role": "system", "content": "Say the label."},
                {"role": "user", "content": f"It is {label}."},
                {"role": "assistant", "content": label},
            ]
            file.write(json.dumps({"messages": messages}) + "\n")
    return path


def metrics(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]


def digests(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a training set, a validation set, and an untrained student."""
    folder = tmp_path_factory.mktemp("training")
    rows(folder / "train.jsonl", 24)
    rows(folder / "validation.jsonl", 6)
    texts = ("--texts", folder / "train.jsonl")
    run("tiny_student.py", *texts, "--output", folder / "student", "--seed", "1", *TINY)
    return folder


def test_the_same_texts_and_seed_make_the_same_student(folder: Path, tmp_path: Path) -> None:
    make = ("tiny_student.py", "--texts", folder / "train.jsonl", *TINY, "--output")
    run(*make, tmp_path / "same", "--seed", "1")
    run(*make, tmp_path / "other", "--seed", "2")
    assert digests(tmp_path / "same") == digests(folder / "student")
    assert (
        digests(tmp_path / "other")["model.safetensors"]
        != digests(folder / "student")["model.safetensors"]
    )


def test_a_student_learns_and_what_is_saved_is_what_was_trained(
    folder: Path, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    datasets = (
        *("--training-data", folder / "train.jsonl"),
        *("--validation-data", folder / "validation.jsonl"),
    )
    student = ("--model", folder / "student")
    epochs = ("--num_train_epochs", "15")
    printed = run("train.py", *student, *datasets, "--output", output, *epochs, *QUICK)
    assert "loss: assistant messages" in printed
    logged = metrics(output)
    losses = [row["loss"] for row in logged if "loss" in row]
    assert losses[-1] < losses[0] / 2
    assert logged[0]["step"] == 0
    assert {"step", "time", "validation_loss", "validation_accuracy"} == logged[0].keys()
    assert {"step", "time", "loss", "accuracy", "learning_rate"} <= logged[1].keys()
    assert (output / "adapter" / "adapter_model.safetensors").exists()
    assert not (output / "checkpoints").exists()
    shares: list[float] = []
    for model in (folder / "student", output / "model"):
        result = tmp_path / "result.json"
        data = ("--data", folder / "validation.jsonl")
        run("evaluate.py", "--model", model, *data, "--output", result)
        shares.append(json.loads(result.read_text())["accuracy"])
    assert shares[0] < shares[1]
    assert shares[1] >= 0.5


def test_a_training_that_was_killed_resumes_from_its_last_checkpoint(
    folder: Path, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    arguments = (
        *("--model", folder / "student"),
        *("--training-data", folder / "train.jsonl"),
        *("--num_train_epochs", "50", *QUICK),
    )
    command = [ENVIRONMENT.python, FOLDER / "train.py", *arguments, "--output", output]
    process = subprocess.Popen(
        list(map(str, command)),
        env=_offline(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    give_up = time.monotonic() + 120
    while not list(output.glob("checkpoints/*/trainer_state.json")):
        assert process.poll() is None
        assert time.monotonic() < give_up
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    shutil.copytree(output, tmp_path / "half")
    (tmp_path / "half" / "checkpoints" / "checkpoint-100000").mkdir()  # an incomplete one
    printed = run("train.py", *arguments, "--output", tmp_path / "half")
    assert "resuming from step " in printed
    assert "resuming from step 100000" not in printed
    steps = [row["step"] for row in metrics(tmp_path / "half")]
    assert steps == sorted(set(steps))
    assert (steps[0], steps[-1]) == (1, 300)


def test_rows_that_are_not_chat_are_named_by_their_line(folder: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    good = (folder / "train.jsonl").read_text().splitlines()[0]
    bad.write_text(f'{good}\n{{"messages": [{{"role": "user", "content": "and?"}}]}}\n')
    model = ("--model", folder / "student")
    data = ("--training-data", bad, "--output", tmp_path / "output")
    command = [ENVIRONMENT.python, FOLDER / "train.py", *model, *data]
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, env=_offline(), check=False
    )
    assert done.returncode != 0
    assert "bad.jsonl, line 2: doesn't end with an assistant message" in done.stderr
