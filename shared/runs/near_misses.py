"""Why a blob in container `datasets` starts no run or isn't read by one, and what to do about it.

Everything here follows from names, sizes and times, so no content is read. The words hold before
and after the training set has arrived.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from shared.core.paths import DATASETS, PROBLEM_SUFFIX
from shared.runs.file_names import (
    COMPRESSED,
    CONVERTIBLE,
    SPREADSHEETS,
    Difference,
    FileName,
    Role,
    plain,
    recognise,
)
from shared.tasks import TASKS

TASK_PART = "<task>"
NAME_PART = "<name>"
MAX_TEXT = 300  # characters of a name within a sentence
CONVERT = "python3 -m local convert"
LAST = "Upload train.jsonl last: it starts the run."
# Names of tasks that other people use, beside those that are spelled nearly the same
TASK_NAMES = {
    **dict.fromkeys(("entailment", "mnli", "snli", "natural_language_inference"), "nli"),
    **dict.fromkeys(("chat", "dialog", "dialogue", "conversations"), "conversation"),
    **dict.fromkeys(("qa", "nlu", "multiple_choice", "question_answering"), "nlu_qa"),
    **dict.fromkeys(("gsm8k", "maths", "mathematics"), "math"),
    **dict.fromkeys(("summary", "summaries", "summarize", "summarise"), "summarization"),
}
DATA_ROLES = {
    Role.TRAIN: "training set",
    Role.VALIDATION: "validation set",
    Role.TEST: "test set",
    Role.SETTINGS: "settings",
}


class MissCode(StrEnum):
    """What is wrong with a blob, for programs."""

    FILE_NAME = "file_name"
    FILE_FORMAT = "file_format"
    SEVERAL_FILES = "several_files"
    WRONG_FOLDER = "wrong_folder"
    UNKNOWN_TASK = "unknown_task"
    DATASET_NAME = "dataset_name"
    EMPTY_FILE = "empty_file"
    NO_TRAINING_SET = "no_training_set_yet"
    AFTER_RUN_BEGAN = "after_run_began"


@dataclass(frozen=True, slots=True)
class NearMiss:
    """Why a blob isn't used.

    `use` is the path to upload it to, None if it has the right one; a part in angle brackets is
    the user's to choose.
    """

    code: MissCode
    problem: str
    remedy: str
    use: str | None = None
    run: str | None = None
    """The run that has not used the blob."""

    @property
    def sentence(self) -> str:
        """Return problem and remedy."""
        return f"{self.problem} {self.remedy}"


@dataclass(frozen=True, slots=True)
class BlobName:
    """A name in container `datasets` that is meant for a run.

    `miss` says what is wrong with the name, None if it is right; `target` is the right one, without
    the container.
    """

    name: str
    file: FileName
    target: str
    miss: NearMiss | None
    is_target_whole: bool = True
    """Whether no part of the target is left to the user."""

    @property
    def folder(self) -> str:
        return self.name.rpartition("/")[0]


def nearest_task(text: str) -> str | None:
    """Return the task that a folder's name is probably meant to be."""
    word = "_".join(plain(text[:MAX_TEXT]).replace("-", " ").split())
    if word in TASKS:
        return word
    if word in TASK_NAMES:
        return TASK_NAMES[word]
    close = get_close_matches(word, TASKS, n=1, cutoff=0.65)
    return close[0] if close else None


def unknown_task(folder: str) -> str:
    """Return the sentence about a folder that isn't a task."""
    near = nearest_task(folder)
    hint = f" Did you mean `{near}`?" if near else ""
    return f"{_cut(folder)!r} isn't a task: use one of {', '.join(TASKS)}.{hint}"


def check_name(name: str) -> BlobName | None:
    """Return what a blob's name means, None if it has nothing to do with runs."""
    *folders, base = name.split("/")
    if not base or name.endswith(PROBLEM_SUFFIX):
        return None
    file = recognise(base)
    if file is None:
        return None
    place = _Place.of(folders)
    if not _is_meant(file, place):
        return None
    target = f"{place.target}/{file.role}"
    faults = [*place.faults(), *_file_faults(base, file)]
    if not faults:
        return BlobName(name, file, name, None)
    remedy = _remedy(base, file, place.task, target)
    code = faults[0][0]
    problem = " ".join(text for _, text in faults)
    miss = NearMiss(code, problem, remedy, f"{DATASETS}/{target}")
    return BlobName(name, file, target, miss, place.is_whole)


def empty_file(name: BlobName) -> NearMiss:
    """Return what to say of a file without content."""
    kind = DATA_ROLES[name.file.role]
    return NearMiss(
        MissCode.EMPTY_FILE,
        f"The file is empty (0 bytes): it has no {kind}.",
        "Upload it again with its content; if the upload is still going on, nothing is wrong.",
    )


def no_training_set(name: BlobName) -> NearMiss:
    """Return what to say of a file that waits for its training set."""
    train = f"{name.folder}/{Role.TRAIN}"
    return NearMiss(
        MissCode.NO_TRAINING_SET,
        f"There is no {Role.TRAIN} beside this file yet. It alone starts no run.",
        f"If {Role.TRAIN} is still to come, nothing is wrong: its upload starts the run, which "
        f"reads this file too. Otherwise upload the training set as {DATASETS}/{_cut(train)}.",
        f"{DATASETS}/{train}",
    )


def after_run_began(name: BlobName, run_id: str) -> NearMiss:
    """Return what to say of a file that came too late for a run."""
    kind = DATA_ROLES[name.file.role]
    return NearMiss(
        MissCode.AFTER_RUN_BEGAN,
        f"This version of the file came after run {run_id} began, which doesn't use it.",
        f"To use this {kind}, upload {Role.TRAIN} again: that starts a new run. Set "
        f'`"reuse": "{run_id}"` in run.json, and answers that the teacher gave are used again '
        "where the same is asked.",
        run=run_id,
    )


def after_run_started(name: BlobName, run_id: str) -> NearMiss:
    """Return what to say of a file that came after a run was started that has copied nothing yet.

    It failed before, most likely because of `run.json`, or hasn't begun.
    """
    kind = DATA_ROLES[name.file.role]
    return NearMiss(
        MissCode.AFTER_RUN_BEGAN,
        f"This version of the file came after run {run_id} was started, which has not used it so "
        "far.",
        f"If the run waits to begin, nothing is wrong. If it has failed, resume it, or upload "
        f"{Role.TRAIN} again, to use this {kind}.",
        run=run_id,
    )


def is_moot(name: BlobName, exists: Collection[str]) -> bool:
    """Return whether a wrongly named file is superseded, or only one of the things beside a run.

    `exists` holds names of blobs: the file that a run reads in its place, if it exists, and the
    training set beside it.
    """
    if name.miss is None:
        return False
    if name.target in exists:
        return True
    train = f"{name.folder}/{Role.TRAIN}"
    return name.file.difference in (Difference.ROWS, Difference.PART) and train in exists


@dataclass(frozen=True, slots=True)
class _Place:
    """The folders of a blob, and those that it should be in."""

    folders: Sequence[str]
    task: str
    names: Sequence[str]
    task_index: int | None
    """Where the folder is that is a task, None if none is."""

    @classmethod
    def of(cls, folders: Sequence[str]) -> _Place:
        """Return the place of a blob in these folders, from the outermost one on."""
        parts = [part for part in folders if part.strip()]
        index = next((n for n, part in enumerate(parts[:3]) if part in TASKS), None)
        if index is not None:
            is_swapped = index > 0 and index == len(parts) - 1 and parts[0] != DATASETS
            names = parts[:index] if is_swapped else parts[index + 1 :]
            return cls(folders, parts[index], names, index)
        near = nearest_task(parts[0]) if parts else None
        names = parts[1:] if near or len(parts) > 1 else parts
        return cls(folders, near or TASK_PART, names, None)

    @property
    def target(self) -> str:
        """Return the folder `<task>/<name>` that a run reads."""
        names = [_usable_name(part) for part in self.names if part not in (".", "..")]
        return "/".join([self.task, *(names or [NAME_PART])])

    @property
    def is_whole(self) -> bool:
        """Return whether task and name are known."""
        return self.has_task and bool(self.names)

    @property
    def has_task(self) -> bool:
        """Return whether a task is named, if only nearly."""
        return self.task != TASK_PART

    def faults(self) -> list[tuple[MissCode, str]]:
        """Return what is wrong with the folders."""
        faults: list[tuple[MissCode, str]] = []
        if self.task_index is not None and self.task_index > 0:
            text = f"`{self.task}` must be the first folder of the blob's name in container"
            faults.append((MissCode.WRONG_FOLDER, f"{text} `{DATASETS}`."))
        elif self.task_index is None and (self.has_task or len(self.folders) > 1):
            faults.append((MissCode.UNKNOWN_TASK, f"The folder {unknown_task(self.folders[0])}"))
        if len(self.folders) < 2:
            place = "in no folder" if not self.folders else f"directly in `{_cut(self.folders[0])}`"
            text = f"The file is {place}: a dataset is a folder `{TASK_PART}/{NAME_PART}/`."
            faults.append((MissCode.WRONG_FOLDER, text))
        elif any(_usable_name(part) != part for part in self.folders):
            text = (
                "A dataset's name must not contain empty parts, `.`, `..`, `?`, `#`, backslashes "
                "or control characters."
            )
            faults.append((MissCode.DATASET_NAME, text))
        return faults


def _usable_name(part: str) -> str:
    """Return a folder's name with hyphens in place of what paths of datasets can't contain."""
    if part in ("", ".", ".."):
        return "-"
    return "".join(c if c.isprintable() and c not in "?#\\" else "-" for c in part)


def _is_meant(file: FileName, place: _Place) -> bool:
    """Return whether a file in this place is meant for a run, so that silence would be wrong."""
    if file.difference is Difference.ROWS:
        return place.task_index == 0 and len(place.folders) <= 2
    if file.role is Role.TRAIN or place.has_task:
        return True
    return file.is_read and len(place.folders) in (0, 2)


def _file_faults(base: str, file: FileName) -> list[tuple[MissCode, str]]:
    shown, read, kind = _cut(base), file.role.value, DATA_ROLES[file.role]
    if file.is_read:
        return []
    if file.difference is Difference.SPELLING:
        text = f"`{shown}` isn't `{read}`: upper case, spaces and invisible characters count."
        return [(MissCode.FILE_NAME, text)]
    if file.difference is Difference.PART:
        text = f"`{shown}` looks like a part or a copy: a run reads one {kind}, `{read}`."
        return [(MissCode.SEVERAL_FILES, text)]
    if file.difference is Difference.FORMAT:
        form = "a JSON object" if file.role is Role.SETTINGS else "JSON lines (UTF-8)"
        text = f"`{shown}` isn't read: a run's {kind} must be {form}, named `{read}`."
        return [(MissCode.FILE_FORMAT, text)]
    if file.difference is Difference.ROWS:
        text = f"No upload of the name `{shown}` starts a run: only `{read}` does."
        return [(MissCode.FILE_NAME, text)]
    return [(MissCode.FILE_NAME, f"`{shown}` isn't read: a run's {kind} is `{read}`.")]


def _remedy(base: str, file: FileName, task: str, target: str) -> str:
    path = f"{DATASETS}/{_cut(target)}"
    steps = [*_conversion(base, file, task), f"Upload it as {path}."]
    if file.difference is Difference.PART:
        steps = [f"Join all parts into one file of JSON lines, one after the other. {steps[-1]}"]
    if file.is_ambiguous:
        steps.append(f"If it is kept for evaluation, name it {Role.TEST} instead.")
    if file.difference is Difference.ROWS:
        steps.append(
            "Or start a run with it by POST /api/runs, under any name that ends in .jsonl."
        )
    if file.role is not Role.TRAIN:
        steps.append(LAST)
    return " ".join(steps)


def _conversion(base: str, file: FileName, task: str) -> list[str]:
    """Return how to bring a file into the form that a run reads."""
    if file.difference not in (Difference.FORMAT, Difference.ROWS):
        return []
    if file.role is Role.SETTINGS:
        return ["Write it as a JSON object."]
    suffixes = file.suffix.split(".")
    command = f"`{CONVERT} {shlex.quote(_cut(base))} --task {task} -o {file.role}`"
    if suffixes[-1] in SPREADSHEETS:
        command = f"`{CONVERT} rows.csv --task {task} -o {file.role}`"
        return [f"Save the sheet as rows.csv, and convert that: {command}."]
    if set(suffixes) <= CONVERTIBLE | {"jsonl"} and suffixes != ["jsonl"]:
        return [f"Convert it: {command}."]
    if set(suffixes) & COMPRESSED or file.difference is Difference.FORMAT:
        return ["Export it as JSON lines, CSV or Parquet; `convert` reads these."]
    return []


def _cut(text: str) -> str:
    """Return a name for a sentence: printable, and not too long."""
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return shown if len(shown) <= MAX_TEXT else f"{shown[: MAX_TEXT - 1]}…"
