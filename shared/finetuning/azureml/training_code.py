"""Writes the training scripts into container `runs`, where command jobs read them.

Their folder is named by a hash of its contents: a job keeps the scripts that it was submitted with
whatever is deployed meanwhile, and writing them again changes nothing.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from azure.core.exceptions import AzureError, ResourceExistsError

from shared.core.errors import ErrorCode, PermanentError, TransientError
from shared.core.paths import RUNS
from shared.core.settings import Settings
from shared.core.storage_account import open_blocking

FOLDER = Path(__file__).parents[3] / "training"
PREFIX = "_training"  # run ids don't begin with _
HASH_CHARACTERS = 12
MAX_MESSAGE_CHARACTERS = 300
NO_RETRIES = {"retry_total": 0}  # Durable retries the activity


@cache
def scripts(folder: Path = FOLDER) -> dict[str, bytes]:
    """Return the scripts and their requirements by file name.

    Raises PermanentError if the app was deployed without them.
    """
    files = sorted([*folder.glob("*.py"), *folder.glob("requirements.txt")])
    if not files:
        raise PermanentError(
            f"the app was deployed without its folder {folder.name}/: deploy it again with it",
            code=ErrorCode.DEPLOYMENT,
        )
    return {file.name: file.read_bytes() for file in files}


def code_folder(files: dict[str, bytes]) -> str:
    """Return `_training/<hash of names and contents>`."""
    digest = hashlib.sha256()
    for name, content in files.items():
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return f"{PREFIX}/{digest.hexdigest()[:HASH_CHARACTERS]}"


def publish(settings: Settings, files: dict[str, bytes]) -> str:
    """Write the scripts into container `runs` unless they are there, and return their folder.

    Raises PermanentError for settings that name no account, TransientError if it can't be used.
    """
    folder = code_folder(files)
    try:
        client: Any
        with open_blocking(settings, **NO_RETRIES) as client:
            for name, content in files.items():
                _write_once(client.get_blob_client(RUNS, f"{folder}/{name}"), content)
    except AzureError as error:
        message = " ".join(str(error).split())[:MAX_MESSAGE_CHARACTERS]
        raise TransientError(
            f"the training scripts could not be written to container {RUNS}: {message}"
        ) from error
    return folder


def container_url(settings: Settings) -> str:
    """Return the URL of container `runs`, without a signature."""
    client: Any
    with open_blocking(settings, **NO_RETRIES) as client:
        return client.get_container_client(RUNS).url


def _write_once(blob: Any, content: bytes) -> None:
    with suppress(ResourceExistsError):  # by its name it has the same content
        blob.upload_blob(content)
