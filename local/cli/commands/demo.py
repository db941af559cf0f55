"""`demo`: the five sample datasets, from upload to registered model, each result checked."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from rich.console import Console

from local.bootstrap import ROOT
from local.cli.commands.arguments import TASKS
from local.cli.commands.outcome import outcome_lines
from local.cli.display import RunsDisplay
from local.cli.following import follow
from local.cli.verification import check_run
from local.runtime.client import RunsClient, View, download_outputs, storage_client, upload_dataset
from local.runtime.options import CloudOptions, cloud_options
from local.runtime.session import Session, session

SAMPLES = ROOT / "samples"
SPLIT_FILES = {"train": "train.jsonl", "validation": "validation.jsonl"}


def main(chosen: argparse.Namespace) -> int:
    """0 only if all five runs are as they should be. Raises UsageError, NotJoined, ChildFailed, FollowingFailed."""
    options = cloud_options(chosen)
    began = time.monotonic()
    with session(options) as joined:
        runs = _upload_samples(joined, f"demo-{datetime.now():%Y%m%d-%H%M%S}")
        views = _follow(joined, runs, chosen.timeout * 60)
        problems = _collect(joined, options, runs, views)
    _print_outcome(options, runs, views, problems)
    failed = [run_id for run_id, found in problems.items() if found]
    print(
        f"\n{len(runs) - len(failed)} of {len(runs)} runs are as they should be, after {time.monotonic() - began:.0f} s."
    )
    return 1 if failed else 0


def sample_files(task: str) -> dict[str, Path]:
    """The files of a task's sample dataset by name; `run.json` where there is one."""
    names = (*SPLIT_FILES.values(), "run.json")
    return {name: SAMPLES / task / name for name in names if (SAMPLES / task / name).exists()}


def outputs_folder(options: CloudOptions, run_id: str) -> Path:
    return options.data_dir / "demo" / run_id


def _upload_samples(joined: Session, name: str) -> dict[str, str]:
    """Task of each run id. The name is new for each demo, so that each makes five runs of its own."""
    with storage_client(joined.endpoints.storage_connection_string) as storage:
        runs = {upload_dataset(storage, task, name, sample_files(task)): task for task in TASKS}
    print(f"Uploaded the samples as datasets/<task>/{name}. The five runs:", flush=True)
    return runs


def _follow(joined: Session, runs: Mapping[str, str], seconds: float) -> dict[str, View]:
    with RunsDisplay(Console()) as display:
        source = RunsClient(joined.endpoints)
        return follow(source, list(runs), show=display.show, check=joined.check, seconds=seconds)


def _collect(
    joined: Session, options: CloudOptions, runs: Mapping[str, str], views: Mapping[str, View]
) -> dict[str, list[str]]:
    """Download the outputs of each run, and return what is wrong with it."""
    problems: dict[str, list[str]] = {}
    with storage_client(joined.endpoints.storage_connection_string) as storage:
        for run_id, task in runs.items():
            folder = outputs_folder(options, run_id)
            download_outputs(storage, run_id, folder)
            inputs = {split: SAMPLES / task / name for split, name in SPLIT_FILES.items()}
            problems[run_id] = check_run(views[run_id], inputs, folder)
    return problems


def _print_outcome(
    options: CloudOptions,
    runs: Mapping[str, str],
    views: Mapping[str, View],
    problems: Mapping[str, list[str]],
) -> None:
    for run_id in runs:
        print(
            "\n".join(
                [
                    "",
                    *outcome_lines(
                        views[run_id], outputs_folder(options, run_id), problems[run_id]
                    ),
                ]
            )
        )
    print(
        "\nNo model was trained: the emulators play the services, losses included. `demo --train` trains one."
    )
    print(f"Logs of each process: {options.logs}")
