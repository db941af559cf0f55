"""A small client of the app's HTTP API and of its storage, for the commands."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient, ContainerClient

from local.runtime.endpoints import Endpoints
from local.runtime.failures import LocalError
from shared.core.ids import upload_run_id
from shared.core.paths import DATASETS, RUNS

REQUEST_SECONDS = 30.0

# The body of GET /api/runs/{id}.
View = dict[str, Any]


class HostUnreachable(LocalError):
    """The Functions host does not answer."""


class ApiError(LocalError):
    """The app answered with an error. The message is the app's own."""


class RunsClient:
    """The app's HTTP API, with its function key."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._base = endpoints.host_url
        self._key = endpoints.function_key
        self._direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def get(self, run_id: str) -> View | None:
        """Return a run's status, or None if there is no such run.

        Raises HostUnreachable, ApiError.
        """
        return self._get(f"/api/runs/{urllib.parse.quote(run_id)}")

    def list(self, **query: str | int) -> Iterator[View]:
        """Yield all runs that match, the newest first, page by page.

        Raises HostUnreachable, ApiError.
        """
        after: str | None = ""
        while after is not None:
            parameters = urllib.parse.urlencode({**query, "after": after})
            page = self._get(f"/api/runs?{parameters}")
            if page is None:
                return
            yield from page["runs"]
            after = page["next"]

    def _get(self, path: str) -> View | None:
        request = urllib.request.Request(self._base + path, headers={"x-functions-key": self._key})
        try:
            with self._direct.open(request, timeout=REQUEST_SECONDS) as response:
                return cast(View, json.load(response))
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 404:
                    return None
                message = f"GET {path} answered {error.code}: {_message(error.read())}"
                raise ApiError(message) from error
        except (OSError, http.client.HTTPException) as error:
            message = f"the Functions host at {self._base} does not answer ({error})"
            raise HostUnreachable(message) from error


def storage_client(connection_string: str) -> BlobServiceClient:
    """Return a client of the storage on loopback, which bypasses the user's proxy."""
    return BlobServiceClient.from_connection_string(connection_string, use_env_settings=False)


def make_containers(connection_string: str) -> None:
    """Create the app's two containers if they don't exist."""
    with storage_client(connection_string) as storage:
        for name in (DATASETS, RUNS):
            try:
                storage.get_container_client(name).create_container()
            except ResourceExistsError:
                continue


def upload_dataset(storage: BlobServiceClient, task: str, name: str, files: dict[str, Path]) -> str:
    """Upload a dataset as `datasets/<task>/<name>/` and return the id of the run that it starts.

    `files` are local files by their names in storage. The training set goes last, as it starts the
    run. Files of an earlier dataset of that name are removed: the run would pick them up.
    """
    datasets = storage.get_container_client(DATASETS)
    folder = f"{task}/{name}/"
    for stale in [blob.name for blob in datasets.list_blobs(name_starts_with=folder)]:
        if stale.removeprefix(folder) not in files:
            datasets.delete_blob(stale)
    train = "train.jsonl"
    for file_name in sorted(files.keys() - {train}):
        _upload(datasets, folder + file_name, files[file_name])
    etag = _upload(datasets, folder + train, files[train])
    return upload_run_id(f"{DATASETS}/{folder}{train}", etag)


def download_outputs(storage: BlobServiceClient, run_id: str, folder: Path) -> list[Path]:
    """Download a run's outputs (not its journals) into `folder`, replacing files there."""
    runs = storage.get_container_client(RUNS)
    folder.mkdir(parents=True, exist_ok=True)
    return [_download(runs, name, folder) for name in _top_level(runs, f"{run_id}/")]


def _upload(container: ContainerClient, name: str, path: Path) -> str:
    """Upload a file and return the ETag of the new version of the blob."""
    with path.open("rb") as data:
        return str(container.get_blob_client(name).upload_blob(data, overwrite=True)["etag"])


def _top_level(container: ContainerClient, prefix: str) -> list[str]:
    """Return the names of the blobs directly in a folder."""
    blobs = container.list_blobs(name_starts_with=prefix)
    return [blob.name for blob in blobs if "/" not in blob.name.removeprefix(prefix)]


def _download(container: ContainerClient, name: str, folder: Path) -> Path:
    path = folder / name.rpartition("/")[2]
    with path.open("wb") as file:
        container.get_blob_client(name).download_blob().readinto(file)
    return path


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return body[:500].decode(errors="replace")
