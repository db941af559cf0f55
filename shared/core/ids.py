"""Run ids. If an event can be delivered twice, its run id is deterministic: both find one run.

A run id is also an orchestration's instance id, a fine-tuning job's name, and a folder of container
`runs`. Its alphabet is the narrowest of the three: letters, digits, `-` and `_`, starting with a
letter, at most 100 characters.
"""

from __future__ import annotations

import hashlib
import re
import secrets

from shared.core.errors import NotFound
from shared.core.paths import ASKED_SPLITS

HASH_CHARACTERS = 12
NAME_CHARACTERS = 60
RUN_ID = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,99}")


def checked_run_id(text: str) -> str:
    """Return a run id of a URL. Raises NotFound for any other text, before anything is built of it.

    What a host decodes may hold `/`, `?` or `..`.
    """
    if not RUN_ID.fullmatch(text):
        raise NotFound("the path has no run id: GET /api/runs lists all runs")
    return text


def upload_run_id(path: str, etag: str) -> str:
    """Return the run id of one version of an uploaded dataset.

    `path` is `datasets/<task>/<name>/train.jsonl`; `etag` identifies the version, with or without
    its quotes.
    """
    _, task, *middle, _ = path.split("/")
    return named_run_id(task, "/".join(middle), path, etag)


def named_run_id(task: str, name: str, path: str, etag: str) -> str:
    """Return the run id of one version of a dataset, under a name that the caller chose.

    It is `<task>-<name>-<hash of path and ETag>`.
    """
    version = f"{path}\n{etag.strip().removeprefix('W/').strip(chr(34))}"
    digest = hashlib.sha256(version.encode()).hexdigest()[:HASH_CHARACTERS]
    return f"{task}-{slug(name)}-{digest}"


def random_run_id(task: str, name: str) -> str:
    """Return a new run id at each call, for runs without a name."""
    return f"{task}-{slug(name)}-{secrets.token_hex(HASH_CHARACTERS // 2)}"


def generation_id(run_id: str, split: str) -> str:
    """Return the instance id of the sub-orchestration that answers one split."""
    return f"{run_id}:generate:{split}"


def scanning_id(run_id: str) -> str:
    """Return the instance id of the sub-orchestration that scans large inputs."""
    return f"{run_id}:scan"


def finetuning_id(run_id: str, student: int = 0) -> str:
    """Return the instance id of the sub-orchestration that follows a student's job."""
    return f"{run_id}:finetune:{student + 1}" if student else f"{run_id}:finetune"


def notification_id(run_id: str, round_: int) -> str:
    """Return the instance id of the orchestration that announces how a round has ended.

    It is no part of the run: a receiver that is down must not delay its resumption.
    """
    return f"{run_id}:notify:{round_}"


def deletion_id(run_id: str) -> str:
    """Return the instance id of the orchestration that deletes a run."""
    return f"{run_id}:delete"


def is_finetuning_id(instance_id: str) -> bool:
    """Return whether an instance follows a student's job."""
    return instance_id.partition(":")[2].startswith("finetune")


def parts_of(run_id: str, students: int = 1) -> list[str]:
    """Return the instance ids of all sub-orchestrations that a run may have."""
    finetuning = (finetuning_id(run_id, student) for student in range(students))
    generation = (generation_id(run_id, split) for split in ASKED_SPLITS)
    return [scanning_id(run_id), *generation, *finetuning]


def slug(name: str) -> str:
    """Return the name in the alphabet of run ids. Other characters become hyphens."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", name)[:NAME_CHARACTERS].strip("-") or "dataset"
