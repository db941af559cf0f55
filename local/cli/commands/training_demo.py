"""`demo --train`: one run whose student is trained for real, on the CPU, from random weights.

It proves that the whole way teaches a student something. The student has 1.4 million weights, the
task is nli, the teacher the local one. It succeeds if the loss falls, and the trained student
agrees with the teacher on more rows of the validation set than it did untrained.
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

from local.bootstrap import ROOT
from local.bootstrap.install import InstallFailed
from local.bootstrap.training import TrainingEnvironment
from local.cli.commands.learning import Evaluation, has_learned, read_losses, show_learning
from local.cli.commands.stand_ins import CANNED
from local.cli.following import follow_shown
from local.cli.verification import check_run
from local.emulators.azureml.commands import SHARED_MACHINE, output_path
from local.runtime.client import View, download_outputs, upload_dataset
from local.runtime.endpoints import TEACHER
from local.runtime.failures import LocalError, UsageError
from local.runtime.options import CloudOptions, cloud_options
from local.runtime.session import Session, is_served, session
from shared.core.paths import ASKED_SPLITS, RUNS
from shared.students.backends import AZUREML_COMMAND

TASK = "nli"
SAMPLES = ROOT / "samples"
DATASET = {split: SAMPLES / TASK / f"{split}.jsonl" for split in ASKED_SPLITS}
SCRIPTS = ROOT / "training"
# High rank, high rate, embeddings too: random weights hold nothing to preserve.
HYPERPARAMETERS: dict[str, float] = {
    "num_train_epochs": 10,
    "per_device_train_batch_size": 8,
    "learning_rate": 1e-3,
    "max_length": 1024,
    "lora_r": 64,
    "lora_alpha": 128,
    "train_embeddings": 1,
}
# A label needs about five.
ANSWER_TOKENS = 16
SHOWN_LINES = 15
TRAINED = """\
This student was trained for real, on this machine's CPU. It is tiny and began with random weights:
it shows that training works, and is of no use beyond the sample. docs/train-your-own.md has others.
"""


class TrainingFailed(LocalError):
    """A script ended in failure. The message shows the end of its output."""


def main(chosen: argparse.Namespace) -> int:
    """Return 0 only if the loss fell and the student has learned.

    Raises UsageError, TrainingFailed, and what `demo` raises.
    """
    began = time.monotonic()
    options = cloud_options(chosen)
    if options.azureml_url or is_served(options.data_dir):
        raise UsageError(
            "demo --train starts an AzureML emulator that runs commands: leave out --azureml-url, "
            f"and stop what serves {options.data_dir} or choose another --data-dir"
        )
    try:
        python = TrainingEnvironment().ensure()
    except InstallFailed as failure:
        raise TrainingFailed(str(failure)) from failure
    installed = time.monotonic()
    folder = options.data_dir / "demo-train" / f"{datetime.now():%Y%m%d-%H%M%S}"
    untrained = _make_student(python, folder)
    trained = _train(_with_commands(options, python), folder, untrained, chosen.timeout * 60)
    if trained is None:
        return 1
    before = _evaluate(python, untrained, folder)
    after = _evaluate(python, trained / "model", folder)
    losses = read_losses(trained / "metrics.jsonl")
    show_learning(losses, before, after)
    print(f"\n{TRAINED}", flush=True)
    if TEACHER in options.stand_ins:
        print(CANNED, flush=True)
    print(f"The student, its answers and the run's files: {folder}", flush=True)
    print(f"{installed - began:.0f} s for the environment, ", end="")
    print(f"{time.monotonic() - installed:.0f} s for all the rest.", flush=True)
    return 0 if has_learned(losses, before, after) else 1


def specification(model: str) -> dict[str, Any]:
    """Return the run specification for a student whose files are in storage."""
    student = {
        "backend": AZUREML_COMMAND,
        "model": model,
        "seed": 1,
        "hyperparameters": HYPERPARAMETERS,
    }
    return {"prompt": {"chain_of_thought": True}, "student": student}


def _with_commands(options: CloudOptions, python: Path) -> CloudOptions:
    """Let the AzureML emulator run the commands of its jobs."""
    flags = ("--run-commands=yes", f"--training-python={python}", "--pace=1")
    return replace(options, azureml_options=(*options.azureml_options, *flags))


def _make_student(python: Path, folder: Path) -> Path:
    """Make a student with random weights, and a tokenizer for the samples' texts."""
    student = folder / "untrained"
    texts = [str(path) for path in sorted(SAMPLES.glob("*/train.jsonl"))]
    print("Making a student with random weights: ", end="", flush=True)
    output = _run_script(python, "tiny_student.py", "--texts", *texts, "--output", str(student))
    print(output, flush=True)
    return student


def _train(options: CloudOptions, folder: Path, student: Path, seconds: float) -> Path | None:
    """Make the run and return the folder of the trained student; None after a failed run."""
    with session(options) as joined, joined.storage() as storage:
        view = _distil(joined, storage, folder, student, seconds)
        download_outputs(storage, view["id"], folder)
        problems = check_run(view, DATASET, folder)
        if problems:
            print("\n          ".join([f"\nFAILED  {view['id']}", *problems]), flush=True)
            return None
        return _download_model(storage, view["finetune"]["job"], folder / "trained")


def _distil(
    joined: Session, storage: BlobServiceClient, folder: Path, student: Path, seconds: float
) -> View:
    """Upload student and dataset, follow the run to its end and return its last status."""
    model = f"_students/{folder.name}"
    runs = storage.get_container_client(RUNS)
    for file in sorted(student.iterdir()):
        with file.open("rb") as data:
            runs.get_blob_client(f"{model}/{file.name}").upload_blob(data, overwrite=True)
    run_json = folder / "run.json"
    run_json.write_text(json.dumps(specification(f"{RUNS}/{model}"), indent=2), encoding="utf-8")
    files = {path.name: path for path in (*DATASET.values(), run_json)}
    run_id = upload_dataset(storage, TASK, f"train-{folder.name}", files)
    print(
        f"Uploaded the student to {RUNS}/{model} and the samples of {TASK}; the run is {run_id}.",
        flush=True,
    )
    return follow_shown(joined, [run_id], seconds)[run_id]


def _download_model(storage: BlobServiceClient, job: str, folder: Path) -> Path:
    """Download the job's output."""
    runs = storage.get_container_client(RUNS)
    prefix = f"{output_path(job, 'model')}/"
    for blob in runs.list_blobs(name_starts_with=prefix):
        path = folder / str(blob.name).removeprefix(prefix)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            runs.get_blob_client(blob.name).download_blob().readinto(file)
    return folder


def _evaluate(python: Path, model: Path, folder: Path) -> Evaluation:
    """Return the outcome of evaluate.py for a model on the run's validation set."""
    name = model.relative_to(folder).as_posix().replace("/", "-")
    output = folder / f"evaluation-{name}.json"
    arguments = [
        *("--model", str(model)),
        *("--data", str(folder / "validation.jsonl")),
        *("--output", str(output)),
        *("--max-new-tokens", str(ANSWER_TOKENS)),
    ]
    _run_script(python, "evaluate.py", *arguments)
    return Evaluation.read(output)


def _run_script(python: Path, name: str, *arguments: str) -> str:
    """Return a script's output. Raises TrainingFailed."""
    finished = subprocess.run(
        [str(python), str(SCRIPTS / name), *arguments],
        capture_output=True,
        text=True,
        env={**SHARED_MACHINE, **os.environ},
        check=False,
    )
    if finished.returncode:
        end = "\n".join(finished.stderr.splitlines()[-SHOWN_LINES:])
        raise TrainingFailed(f"training/{name} ended with exit code {finished.returncode}:\n{end}")
    return finished.stdout.strip()
