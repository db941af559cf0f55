"""`run`: one dataset of the user's own, from file to fine-tuned student."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rich.console import Console

from local.cli.commands.outcome import outcome_lines
from local.cli.display import RunsDisplay
from local.cli.following import follow
from local.cli.verification import check_run
from local.runtime.client import RunsClient, View, download_outputs, storage_client, upload_dataset
from local.runtime.failures import UsageError
from local.runtime.options import cloud_options
from local.runtime.session import Session, session
from shared.core.ids import slug

SPECIFICATION, TRAIN, VALIDATION = "run.json", "train.jsonl", "validation.jsonl"


def main(chosen: argparse.Namespace) -> int:
    """0 when the run completed. Raises UsageError, NotJoined, ChildFailed, FollowingFailed."""
    options = cloud_options(chosen)
    files = dataset_files(chosen)
    name = slug(chosen.name or dataset_name(chosen.train))
    with session(options) as joined:
        run_id, view = _distil(joined, chosen, name, files)
        folder = options.data_dir / "runs" / run_id
        with storage_client(joined.endpoints.storage_connection_string) as storage:
            download_outputs(storage, run_id, folder)
    inputs = {
        path.removesuffix(".jsonl"): file for path, file in files.items() if path != SPECIFICATION
    }
    problems = check_run(view, inputs, folder)
    print("\n".join(["", *outcome_lines(view, folder, problems)]), flush=True)
    return 1 if problems else 0


def dataset_files(chosen: argparse.Namespace) -> dict[str, Path]:
    """The files to upload, by the name they get. Raises UsageError if the specification is not a JSON object."""
    files: dict[str, Path] = {TRAIN: chosen.train}
    if chosen.validation:
        files[VALIDATION] = chosen.validation
    if chosen.spec:
        try:
            spec: object = json.loads(chosen.spec.read_text(encoding="utf-8-sig"))
        except ValueError as error:
            raise UsageError(f"--spec {chosen.spec} is not JSON: {error}") from error
        if not isinstance(spec, dict):
            raise UsageError(
                f'--spec {chosen.spec} must hold a JSON object, such as {{"prompt": {{...}}}}'
            )
        files[SPECIFICATION] = chosen.spec
    return files


def dataset_name(train: Path) -> str:
    """A name from the file's own, or from its folder's where the file is just `train.jsonl`."""
    path = train.absolute()
    return path.parent.name if path.stem in ("train", "training", "data") else path.stem


def _distil(
    joined: Session, chosen: argparse.Namespace, name: str, files: dict[str, Path]
) -> tuple[str, View]:
    """Upload the dataset and follow its run to the end."""
    with storage_client(joined.endpoints.storage_connection_string) as storage:
        run_id = upload_dataset(storage, chosen.task, name, files)
    print(f"Uploaded datasets/{chosen.task}/{name}; its run is {run_id}.", flush=True)
    seconds = chosen.timeout * 60 if chosen.timeout else None
    with RunsDisplay(Console()) as display:
        source = RunsClient(joined.endpoints)
        return run_id, follow(
            source, [run_id], show=display.show, check=joined.check, seconds=seconds
        )[run_id]
