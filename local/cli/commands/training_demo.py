"""`demo --train`: one run whose student is trained for real, on the CPU, from nothing: does the whole way teach it anything?

The student has 1.4 million random weights, the task is nli, the teacher the local one. What counts: the loss falls, and the
trained student agrees with the teacher on more rows of the validation set than it did untrained.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from azure.storage.blob import BlobServiceClient
from rich.console import Console
from rich.table import Table

from local.bootstrap import ROOT
from local.bootstrap.install import InstallFailed
from local.bootstrap.training import TrainingEnvironment
from local.cli.display import RunsDisplay
from local.cli.following import follow
from local.cli.verification import check_run
from local.emulators.azureml.commands import SHARED_MACHINE, output_path
from local.runtime.client import RunsClient, View, download_outputs, storage_client, upload_dataset
from local.runtime.failures import LocalError, UsageError
from local.runtime.options import CloudOptions, cloud_options
from local.runtime.session import Session, is_served, session
from shared.core.paths import RUNS
from shared.students.backends import AZUREML_COMMAND

TASK = "nli"
SAMPLES = ROOT / "samples"
SCRIPTS = ROOT / "training"
HYPERPARAMETERS: dict[
    str, float
] = {  # high rank, high rate, embeddings too: there is nothing to be kept of random weights
    "num_train_epochs": 10,
    "per_device_train_batch_size": 8,
    "learning_rate": 1e-3,
    "max_length": 1024,
    "lora_r": 64,
    "lora_alpha": 128,
    "train_embeddings": 1,
}
SHOWN_POINTS = 8
ANSWER_TOKENS = 16  # of which a label needs five or so


class TrainingFailed(LocalError):
    """A script ended in failure. The message shows the end of what it said."""


def main(chosen: argparse.Namespace) -> int:
    """0 only if the loss fell and the student has learned. Raises UsageError, TrainingFailed, and what `demo` raises."""
    began = time.monotonic()
    options = cloud_options(chosen)
    if options.azureml_url or is_served(options.data_dir):
        raise UsageError(
            "demo --train starts an AzureML emulator that runs commands: leave --azureml-url out, and stop what serves "
            f"{options.data_dir} or choose another --data-dir"
        )
    try:
        python = TrainingEnvironment().ensure()
    except InstallFailed as failure:
        raise TrainingFailed(str(failure)) from failure
    installed = time.monotonic()
    folder = options.data_dir / "demo-train" / f"{datetime.now():%Y%m%d-%H%M%S}"
    untrained = _make_student(python, folder)
    options = _running_commands(options, python)
    with (
        session(options) as joined,
        storage_client(joined.endpoints.storage_connection_string) as storage,
    ):
        run_id, view = _distil(joined, storage, folder, untrained, chosen.timeout * 60)
        download_outputs(storage, run_id, folder)
        problems = check_run(
            view,
            {split: SAMPLES / TASK / f"{split}.jsonl" for split in ("train", "validation")},
            folder,
        )
        if problems:
            print(
                f"\nFAILED  {run_id}\n" + "\n".join(f"          {problem}" for problem in problems),
                flush=True,
            )
            return 1
        trained = _download_model(storage, view["finetune"]["job"], folder / "trained")
    accuracies = [_evaluate(python, model, folder) for model in (untrained, trained / "model")]
    has_learned = _show(folder, _losses(trained / "metrics.jsonl"), *accuracies)
    _say_times(installed - began, time.monotonic() - installed)
    return 0 if has_learned else 1


def _running_commands(options: CloudOptions, python: Path) -> CloudOptions:
    own = ("--run-commands=yes", f"--training-python={python}", "--pace=1")
    return replace(options, azureml_options=(*options.azureml_options, *own))


def _make_student(python: Path, folder: Path) -> Path:
    """A student with random weights, and a tokenizer that has seen the samples' questions."""
    student = folder / "untrained"
    texts = [str(path) for path in sorted(SAMPLES.glob("*/train.jsonl"))]
    print("Making a student from nothing: ", end="", flush=True)
    print(
        _script(python, "tiny_student.py", "--texts", *texts, "--output", str(student)), flush=True
    )
    return student


def _distil(
    joined: Session, storage: BlobServiceClient, folder: Path, student: Path, seconds: float
) -> tuple[str, View]:
    """Upload student and dataset, and follow the run to its end."""
    where = f"_students/{folder.name}"
    runs = storage.get_container_client(RUNS)
    for file in sorted(student.iterdir()):
        with file.open("rb") as data:
            runs.get_blob_client(f"{where}/{file.name}").upload_blob(data, overwrite=True)
    specification = folder / "run.json"
    specification.write_text(
        json.dumps(_specification(f"{RUNS}/{where}"), indent=2), encoding="utf-8"
    )
    files = {
        f"{split}.jsonl": SAMPLES / TASK / f"{split}.jsonl" for split in ("train", "validation")
    }
    run_id = upload_dataset(
        storage, TASK, f"train-{folder.name}", {**files, "run.json": specification}
    )
    print(
        f"Uploaded the student to {RUNS}/{where} and the samples of {TASK}; the run is {run_id}.",
        flush=True,
    )
    with RunsDisplay(Console()) as display:
        source = RunsClient(joined.endpoints)
        return run_id, follow(
            source, [run_id], show=display.show, check=joined.check, seconds=seconds
        )[run_id]


def _specification(model: str) -> dict[str, Any]:
    student = {
        "backend": AZUREML_COMMAND,
        "model": model,
        "seed": 1,
        "hyperparameters": HYPERPARAMETERS,
    }
    return {"prompt": {"chain_of_thought": True}, "student": student}


def _download_model(storage: BlobServiceClient, job: str, folder: Path) -> Path:
    """What the job has put into its output."""
    runs, prefix = storage.get_container_client(RUNS), f"{output_path(job, 'model')}/"
    for blob in runs.list_blobs(name_starts_with=prefix):
        path = folder / str(blob.name).removeprefix(prefix)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            runs.get_blob_client(blob.name).download_blob().readinto(file)
    return folder


def _evaluate(python: Path, model: Path, folder: Path) -> dict[str, Any]:
    """What evaluate.py says of a model on the run's validation set."""
    output = folder / f"evaluation-{model.relative_to(folder).as_posix().replace('/', '-')}.json"
    data, tokens = str(folder / "validation.jsonl"), str(ANSWER_TOKENS)
    given = [
        "--model",
        str(model),
        "--data",
        data,
        "--output",
        str(output),
        "--max-new-tokens",
        tokens,
    ]
    _script(python, "evaluate.py", *given)
    return json.loads(output.read_text(encoding="utf-8"))


def _script(python: Path, name: str, *arguments: str) -> str:
    """What a script has printed. Raises TrainingFailed."""
    command = [str(python), str(SCRIPTS / name), *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**SHARED_MACHINE, **os.environ}, check=False
    )
    if done.returncode:
        end = "\n".join(done.stderr.splitlines()[-15:])
        raise TrainingFailed(f"training/{name} ended with exit code {done.returncode}:\n{end}")
    return done.stdout.strip()


def _losses(metrics: Path) -> list[dict[str, float]]:
    """By step: what was logged of the training, with the validation set's numbers where that was looked at."""
    steps: dict[int, dict[str, float]] = {}
    for line in metrics.read_text(encoding="utf-8").splitlines():
        logged = json.loads(line)
        steps.setdefault(logged["step"], {}).update(logged)
    return [steps[step] for step in sorted(steps)]


def _show(
    folder: Path, logged: list[dict[str, float]], before: dict[str, Any], after: dict[str, Any]
) -> bool:
    """Print what was learned, and return whether anything was."""
    table = Table(title="loss by step")
    for name in ("step", "loss", "accuracy", "validation_loss", "validation_accuracy"):
        table.add_column(name.replace("_", " "), justify="right")
    evaluated = [point for point in logged if "loss" in point and "validation_loss" in point]
    for point in evaluated[:: max(1, len(evaluated) // SHOWN_POINTS)]:
        numbers = (
            point[name] for name in ("loss", "accuracy", "validation_loss", "validation_accuracy")
        )
        table.add_row(str(int(point["step"])), *(f"{number:.3f}" for number in numbers))
    Console().print(table)
    losses = [point["loss"] for point in logged if "loss" in point]
    print(f"loss: {losses[0]:.3f} at first, {losses[-1]:.3f} at last, over {len(losses)} points")
    print(
        f"agreement with the teacher on {after['rows']} validation rows: {before['accuracy']:.1%} untrained, "
        f"{after['accuracy']:.1%} trained; always the commonest label: {after['commonest']:.1%}"
    )
    print(f"The student, its answers and the run's files: {folder}", flush=True)
    fell, learned = losses[-1] < losses[0], after["equal"] > before["equal"]
    if not fell:
        print("FAILED: the loss did not fall")
    if not learned:
        print(
            "FAILED: the trained student agrees with the teacher no more often than it did untrained"
        )
    return fell and learned


def _say_times(installing: float, rest: float) -> None:
    print(f"{installing:.0f} s for the environment, {rest:.0f} s for all the rest.", flush=True)
