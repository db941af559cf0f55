"""Puts the training scripts where a job can read them: once for each version of them, in container `runs`, by the app itself.

The folder is named by a hash of what is in it, so that a job goes on with the scripts it was submitted with whatever is
deployed meanwhile, and writing them again changes nothing.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from shared.core.errors import PermanentError, TransientError
from shared.core.paths import RUNS
from shared.core.settings import Settings
from shared.core.storage_account import open_blocking

FOLDER = Path(__file__).parents[3] / "training"
PREFIX = "_training"  # no run id begins with _, so that no run is taken for this
HASH_CHARACTERS = 12
ONCE: dict[str, Any] = {"retry_total": 0}  # Durable retries the activity: one policy, in one place


@cache
def scripts(folder: Path = FOLDER) -> dict[str, bytes]:
    """The scripts and their requirements by file name. Raises PermanentError where the app was deployed without them."""
    files = sorted([*folder.glob("*.py"), *folder.glob("requirements.txt")])
    if not files:
        raise PermanentError(
            f"the app was deployed without its folder {folder.name}/", code="deployment"
        )
    return {file.name: file.read_bytes() for file in files}


def code_folder(files: dict[str, bytes]) -> str:
    """`_training/<hash of names and contents>`."""
    digest = hashlib.sha256()
    for name, content in files.items():
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return f"{PREFIX}/{digest.hexdigest()[:HASH_CHARACTERS]}"


def publish(settings: Settings, files: dict[str, bytes]) -> str:
    """The folder of the scripts in container `runs`, after seeing to it that they are there. Blocks.

    Raises PermanentError for settings that are no account, TransientError when the account cannot be used.
    """
    from azure.core.exceptions import AzureError, ResourceExistsError

    folder = code_folder(files)
    try:
        client: Any
        with open_blocking(settings, **ONCE) as client:
            for name, content in files.items():
                try:
                    client.get_blob_client(RUNS, f"{folder}/{name}").upload_blob(content)
                except (
                    ResourceExistsError
                ):  # written by another submission: by its name it is the same
                    continue
    except AzureError as error:
        said = " ".join(str(error).split())[:300]
        raise TransientError(
            f"the training scripts could not be written to container {RUNS}: {said}"
        ) from error
    return folder


def container_url(settings: Settings) -> str:
    """URL of container `runs`, without any signature."""
    client: Any
    with open_blocking(settings, **ONCE) as client:
        return client.get_container_client(RUNS).url
