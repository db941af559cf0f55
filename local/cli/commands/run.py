"""`run`: one dataset of the user's own, from file to fine-tuned student."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from local.cli.commands.outcome import outcome_lines
from local.cli.commands.stand_ins import stand_in_lines
from local.cli.dataset_check import dataset_name
from local.cli.following import follow_shown
from local.cli.verification import check_run
from local.runtime.client import View, download_outputs, upload_dataset
from local.runtime.failures import UsageError
from local.runtime.options import cloud_options
from local.runtime.session import Session, session
from shared.core.errors import InvalidInput
from shared.core.ids import slug
from shared.core.json_values import json_object
from shared.core.paths import DATASETS
from shared.runs.file_names import SPECIFICATION_FILE, SPLIT_FILES
from shared.spec.parse import parse_spec

SPECIFICATION = SPECIFICATION_FILE
TRAIN = "train.jsonl"
VALIDATION = SPLIT_FILES["validation"]
TEST = SPLIT_FILES["test"]


def main(chosen: argparse.Namespace) -> int:
    """Return 0 if the run completed and passes the checks.

    Raises UsageError, NotJoined, ChildFailed, FollowingFailed.
    """
    options = cloud_options(chosen)
    files = dataset_files(chosen)
    _announce(files_beside(chosen))
    name = slug(chosen.name or dataset_name(chosen.train))
    with session(options) as joined:
        view = _distil(joined, chosen, name, files)
        folder = options.data_dir / "runs" / view["id"]
        with joined.storage() as storage:
            download_outputs(storage, view["id"], folder)
    inputs = {
        name.removesuffix(".jsonl"): file for name, file in files.items() if name != SPECIFICATION
    }
    problems = check_run(view, inputs, folder)
    print("\n".join(["", *outcome_lines(view, folder, problems)]), flush=True)
    for paragraph in stand_in_lines(joined.endpoints.stand_ins, [(view, folder)]):
        print(f"\n{paragraph}", flush=True)
    return 1 if problems else 0


def dataset_files(chosen: argparse.Namespace) -> dict[str, Path]:
    """Return the files to upload, by their names in storage. Options replace files beside TRAIN.

    Raises UsageError if the specification is wrong.
    """
    files: dict[str, Path] = {TRAIN: chosen.train, **files_beside(chosen)}
    replacements = {name: path for name, path in _options(chosen).items() if path}
    files |= replacements
    if SPECIFICATION in files:
        _check_specification(files[SPECIFICATION], chosen.task)
    return files


def files_beside(chosen: argparse.Namespace) -> dict[str, Path]:
    """Return what is beside the training set: `validation.jsonl`, `test.jsonl` and `run.json`.

    A file that an option replaces is left out.
    """
    files: dict[str, Path] = {}
    for name, replacement in _options(chosen).items():
        path = chosen.train.with_name(name)
        if not replacement and path.is_file() and path != chosen.train:
            files[name] = path
    return files


def _options(chosen: argparse.Namespace) -> dict[str, Path | None]:
    """Return the files that the command line names, by their names in storage."""
    return {VALIDATION: chosen.validation, TEST: chosen.test, SPECIFICATION: chosen.spec}


def _announce(files: dict[str, Path]) -> None:
    """Say which files are used that the command line doesn't name."""
    if files:
        print(f"Also uses {', '.join(map(str, files.values()))}.", flush=True)


def _check_specification(path: Path, task: str) -> None:
    try:
        specification: object = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise UsageError(f"the specification {path} is not JSON: {error}") from error
    settings = json_object(specification)
    if settings is None:
        raise UsageError(
            f'the specification {path} must hold a JSON object, such as {{"prompt": {{...}}}}'
        )
    try:
        parse_spec({**settings, "task": task, "train": f"{DATASETS}/{task}/{TRAIN}"})
    except InvalidInput as error:
        problems = [f"{problem['where']} {problem['problem']}" for problem in error.details]
        raise UsageError(f"the specification {path} is wrong: {'; '.join(problems)}") from error


def _distil(joined: Session, chosen: argparse.Namespace, name: str, files: dict[str, Path]) -> View:
    """Upload the dataset, follow its run to the end and return its last status."""
    with joined.storage() as storage:
        run_id = upload_dataset(storage, chosen.task, name, files)
    print(f"Uploaded datasets/{chosen.task}/{name}; its run is {run_id}.", flush=True)
    seconds = chosen.timeout * 60 if chosen.timeout else None
    return follow_shown(joined, [run_id], seconds)[run_id]
