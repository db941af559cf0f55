"""A dry run of files on this machine, with the app's own functions and none of its services.

What a run would find is decided by the same code as for `POST /api/runs?dry_run=true`. Of this
module's own are only the paths that the files would have, and the task where nobody names it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from local.cli.local_files import LocalFiles
from local.runtime.failures import UsageError
from shared.core.ids import slug
from shared.core.json_values import json_object
from shared.core.paths import DATASETS
from shared.core.setting_values import setting_text
from shared.core.settings import PRICES, STORAGE, Settings, load
from shared.dataset.file_form import HEAD_BYTES, file_form
from shared.dataset.lines import BOM, MAX_LINE_BYTES
from shared.dataset.rows import Row, parse_row
from shared.runs.dry_run import DryRun, dry_run
from shared.runs.file_names import SPECIFICATION_FILE, SPLIT_FILES
from shared.runs.problem_files import unused_names
from shared.runs.requests import RunRequest, specification
from shared.spec.models import RunSpec
from shared.spec.resolution import resolve
from shared.tasks import TASKS

TRAIN_FILE = "train.jsonl"
# Of a file with such a name, the folder's name says more.
USUAL_NAMES = ("train", "training", "data")
# Settings that decide what a quote says. All others are of services, which aren't asked.
QUOTED_SETTINGS = ("TEACHER_MODEL", "STUDENT_MODEL", *PRICES)
NO_SERVICES = {
    STORAGE: "AccountName=none",
    "TEACHER_BASE_URL": "https://teacher.invalid/v1",
    "TEACHER_MODEL": "unnamed-teacher",
    "AZUREML_SUBSCRIPTION_ID": "none",
    "AZUREML_RESOURCE_GROUP": "none",
    "AZUREML_WORKSPACE": "none",
    "AZURE_OPENAI_BASE_URL": "https://none.invalid/openai/v1",
}
UNNAMED_TEACHER = (
    "no teacher is named, so its price is unknown: put teacher.model into run.json, or set "
    "TEACHER_MODEL"
)
ROWS_LOOKED_AT = 200  # to tell the task
MIN_SHARE = 0.9  # of these rows that a task must be able to use


@dataclass(frozen=True, slots=True)
class Dataset:
    """The files of a dataset by the name that each would have beside its training set."""

    files: Mapping[str, Path]

    @property
    def train(self) -> Path:
        return self.files[TRAIN_FILE]


@dataclass(frozen=True, slots=True)
class Task:
    """The task of a dataset, and how it was told."""

    name: str
    source: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What a dry run found. `paths` are the files by their paths in storage."""

    outcome: DryRun
    paths: Mapping[str, Path]
    notes: list[str]


def find_dataset(path: Path, specification_file: Path | None) -> Dataset:
    """Return the files of the dataset that a path names. Raises UsageError."""
    train = path / TRAIN_FILE if path.is_dir() else path
    if not train.is_file():
        names = sorted(entry.name for entry in islice(path.iterdir(), 8))
        listed = ", ".join(names) or "nothing"
        raise UsageError(f"{path} has no {TRAIN_FILE}.\nIt has {listed}: name one of them.")
    if train.name in SPLIT_FILES.values() and train.with_name(TRAIN_FILE).is_file():
        train = train.with_name(TRAIN_FILE)
    files = {TRAIN_FILE: train}
    for name in (*SPLIT_FILES.values(), SPECIFICATION_FILE):
        other = train.with_name(name)
        if other.is_file() and other != train:
            files[name] = other
    if specification_file is not None:
        files[SPECIFICATION_FILE] = specification_file
    for file in files.values():
        if not os.access(file, os.R_OK):
            raise UsageError(f"{file} cannot be read: check its permissions")
    return Dataset(files)


def task_of(dataset: Dataset) -> Task | None:
    """Return the task that `run.json`, the path or the rows name, None if they name none."""
    named = _named_task(dataset.files.get(SPECIFICATION_FILE))
    if named is not None:
        return Task(named, SPECIFICATION_FILE)
    folders = dataset.train.absolute().parts[:-1]
    # datasets/<task>/<name>/train.jsonl, and samples/<task>/train.jsonl
    for place in (-2, -1):
        if len(folders) >= -place and folders[place] in TASKS:
            return Task(folders[place], "the path")
    name = _task_of_rows(dataset.train)
    return Task(name, "the rows") if name else None


async def check(dataset: Dataset, task: str, settings: Settings | None = None) -> Checked:
    """Return what a dry run of the dataset finds.

    Raises InvalidInput for a wrong specification, UsageError if it names files elsewhere.
    """
    name = slug(dataset_name(dataset.train))
    folder = f"{DATASETS}/{task}/{name}"
    paths = {f"{folder}/{file_name}": path for file_name, path in dataset.files.items()}
    storage = LocalFiles(paths)
    request = RunRequest(
        run_id=f"{task}-{name}",
        source="upload",
        task=task,
        name=name,
        train=f"{folder}/{TRAIN_FILE}",
        etag="",
    )
    spec = await specification(storage, request)
    _check_inputs(spec, paths)
    notes = [f"{path} is empty" for path in paths.values() if not path.stat().st_size]
    if dataset.train.name == TRAIN_FILE:  # its folder is what would be uploaded
        siblings = [entry for entry in dataset.train.parent.iterdir() if entry.is_file()]
        notes += unused_names([f"{task}/{name}/{entry.name}" for entry in sorted(siblings)])
    if spec.reuse:
        notes.append(f"answers of run {spec.reuse} (`reuse`) are in storage: they aren't counted")
        spec = spec.model_copy(update={"reuse": None})
    settings = settings or offline_settings(os.environ)
    resolved = resolve(spec, settings, request.run_id)
    outcome = await dry_run(storage, resolved, settings, request.run_id, is_request=False)
    has_usable_rows = any(findings["valid"] for findings in outcome["splits"].values())
    if has_usable_rows and resolved.teacher.model == NO_SERVICES["TEACHER_MODEL"]:
        notes.append(UNNAMED_TEACHER)
    return Checked(outcome, paths, notes)


def offline_settings(environ: Mapping[str, str]) -> Settings:
    """Return settings without services: models and prices are those of the environment.

    Raises SettingsError if one of them is wrong.
    """
    values = dict(NO_SERVICES)
    for name in QUOTED_SETTINGS:
        value = setting_text(environ, name)
        if value is not None:
            values[name] = value
    return load(values)


def dataset_name(train: Path) -> str:
    """Return the file's name, or its folder's if the file is just `train.jsonl`."""
    path = train.absolute()
    return path.parent.name if path.stem in USUAL_NAMES else path.stem


def form_sentence(train: Path, task: str) -> str | None:
    """Return what a file is that isn't rows of messages, with the remedy."""
    with train.open("rb") as file:
        form = file_form(file.read(HEAD_BYTES))
    return form.sentence(train.name, task) if form else None


def _check_inputs(spec: RunSpec, paths: Mapping[str, Path]) -> None:
    missing = [path for path in spec.inputs.values() if path not in paths]
    if missing:
        raise UsageError(
            f"{SPECIFICATION_FILE} names {', '.join(missing)} in storage, but check reads only "
            "files on this machine: remove it from the specification, and put a copy beside the "
            "training set"
        )


def _named_task(specification_file: Path | None) -> str | None:
    """Return the task in a specification, None without one: mistakes are reported later."""
    if specification_file is None:
        return None
    try:
        settings = json_object(json.loads(specification_file.read_text(encoding="utf-8-sig")))
    except (ValueError, RecursionError):
        return None
    task = (settings or {}).get("task")
    return task if isinstance(task, str) and task in TASKS else None


def _task_of_rows(train: Path) -> str | None:
    """Return the only task that can use the rows, or the only one whose values they offer."""
    rows = list(islice(_rows(train), ROWS_LOOKED_AT))
    if not rows:
        return None
    checked = {name: [task.check(row) for row in rows] for name, task in TASKS.items()}
    usable = {
        name: [row for row in outcome if isinstance(row, Row)] for name, outcome in checked.items()
    }
    able = [name for name, ready in usable.items() if len(ready) >= MIN_SHARE * len(rows)]
    offering = [name for name in able if all(row.answers is not None for row in usable[name])]
    for candidates in (able, offering):
        if len(candidates) == 1:
            return candidates[0]
    return None


def _rows(train: Path) -> Iterator[Row]:
    """Yield the well-formed rows at the beginning of a file."""
    with train.open("rb") as file:
        for _ in range(ROWS_LOOKED_AT * 5):
            line = file.readline(MAX_LINE_BYTES)
            if not line:
                return
            row = parse_row(line.removeprefix(BOM).strip())
            if isinstance(row, Row):
                yield row
