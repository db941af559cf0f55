"""Run ids. Deterministic where an event can be delivered twice, so that the second delivery finds
the first one's run.

A run id is also the orchestration's instance id, the fine-tuning job's name and the folder in
container `runs`; its alphabet is the narrowest of the three: letters, digits, `-` and `_`, starting
with a letter, at most 100 characters.
"""

from __future__ import annotations

import hashlib
import re
import secrets

from shared.core.paths import SPLITS

HASH_CHARACTERS = 12
NAME_CHARACTERS = 60
RUN_ID = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,99}")


def upload_run_id(path: str, etag: str) -> str:
    """Run id of one version of an uploaded dataset.

    `path` is `datasets/<task>/<name>/train.jsonl`; `etag` identifies the version, with or without
    its quotes.
    """
    _, task, *middle, _ = path.split("/")
    return named_run_id(task, "/".join(middle), path, etag)


def named_run_id(task: str, name: str, path: str, etag: str) -> str:
    """Run id of a dataset version under a name of the caller's choice: `<task>-<name>-<hash of path
    and ETag>`.
    """
    version = f"{path}\n{etag.strip().removeprefix('W/').strip(chr(34))}"
    digest = hashlib.sha256(version.encode()).hexdigest()[:HASH_CHARACTERS]
    return f"{task}-{slug(name)}-{digest}"


def random_run_id(task: str, name: str) -> str:
    """A run id that is new at every call, for callers who give no name."""
    return f"{task}-{slug(name)}-{secrets.token_hex(HASH_CHARACTERS // 2)}"


def generation_id(run_id: str, split: str) -> str:
    """Instance id of the sub-orchestration that answers one split."""
    return f"{run_id}:generate:{split}"


def scanning_id(run_id: str) -> str:
    """Instance id of the sub-orchestration that scans large inputs."""
    return f"{run_id}:scan"


def finetuning_id(run_id: str, student: int = 0) -> str:
    """Instance id of the sub-orchestration that follows the fine-tuning job of a student."""
    return f"{run_id}:finetune:{student + 1}" if student else f"{run_id}:finetune"


def parts_of(run_id: str, students: int = 1) -> list[str]:
    """Instance ids of all sub-orchestrations that a run with so many students may have."""
    finetuning = (finetuning_id(run_id, student) for student in range(students))
    return [scanning_id(run_id), *(generation_id(run_id, split) for split in SPLITS), *finetuning]


def slug(name: str) -> str:
    """The name in the alphabet of run ids; what is not in it becomes a hyphen."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", name)[:NAME_CHARACTERS].strip("-") or "dataset"


def is_run_id(text: str) -> bool:
    return RUN_ID.fullmatch(text) is not None
