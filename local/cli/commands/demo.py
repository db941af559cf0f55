"""`demo`: the five sample datasets, from upload to registered model, each result checked."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from local.bootstrap import ROOT
from local.cli.commands.arguments import TASKS
from local.cli.commands.outcome import outcome_lines
from local.cli.commands.stand_ins import stand_in_lines
from local.cli.following import follow_shown
from local.cli.verification import check_run
from local.runtime.client import View, download_outputs, upload_dataset
from local.runtime.options import CloudOptions, cloud_options
from local.runtime.session import Session, session

SAMPLES = ROOT / "samples"
SPLIT_FILES = {"train": "train.jsonl", "validation": "validation.jsonl"}


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run that has ended: its last status, the folder of its files, and its problems."""

    view: View
    folder: Path
    problems: list[str]


def main(chosen: argparse.Namespace) -> int:
    """Return 0 only if all five runs pass their checks.

    Raises UsageError, NotJoined, ChildFailed, FollowingFailed.
    """
    options = cloud_options(chosen)
    began = time.monotonic()
    with session(options) as joined:
        tasks = _upload_samples(joined, f"demo-{datetime.now():%Y%m%d-%H%M%S}")
        views = follow_shown(joined, list(tasks), chosen.timeout * 60)
        runs = _collect(joined, options, tasks, views)
    for run in runs:
        print("\n".join(["", *outcome_lines(run.view, run.folder, run.problems)]))
    for paragraph in stand_in_lines(
        joined.endpoints.stand_ins, [(run.view, run.folder) for run in runs]
    ):
        print(f"\n{paragraph}")
    print(f"\nLogs of each process: {options.logs}")
    good = sum(1 for run in runs if not run.problems)
    print(f"\n{good} of {len(runs)} runs are correct, after {time.monotonic() - began:.0f} s.")
    return 0 if good == len(runs) else 1


def sample_files(task: str) -> dict[str, Path]:
    """Return the files of a task's sample dataset by name, `run.json` if there is one."""
    names = (*SPLIT_FILES.values(), "run.json")
    return {name: SAMPLES / task / name for name in names if (SAMPLES / task / name).exists()}


def outputs_folder(options: CloudOptions, run_id: str) -> Path:
    return options.data_dir / "demo" / run_id


def _upload_samples(joined: Session, name: str) -> dict[str, str]:
    """Return the task of each run id. Each demo has a new name, so it starts five new runs."""
    with joined.storage() as storage:
        tasks = {upload_dataset(storage, task, name, sample_files(task)): task for task in TASKS}
    print(f"Uploaded the samples as datasets/<task>/{name}. The five runs:", flush=True)
    return tasks


def _collect(
    joined: Session, options: CloudOptions, tasks: Mapping[str, str], views: Mapping[str, View]
) -> list[FinishedRun]:
    """Download the outputs of each run, and check them."""
    runs: list[FinishedRun] = []
    with joined.storage() as storage:
        for run_id, task in tasks.items():
            folder = outputs_folder(options, run_id)
            download_outputs(storage, run_id, folder)
            inputs = {split: SAMPLES / task / name for split, name in SPLIT_FILES.items()}
            problems = check_run(views[run_id], inputs, folder)
            runs.append(FinishedRun(views[run_id], folder, problems))
    return runs
