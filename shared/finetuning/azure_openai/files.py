"""A job's datasets as files of the service.

A file's name holds job and content, so an upload is found again instead of being repeated.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Container, Iterable
from typing import TYPE_CHECKING

from shared.core.errors import ErrorCode, PermanentError
from shared.core.settings import Settings
from shared.finetuning.azure_openai.blob_file import open_blob
from shared.finetuning.azure_openai.clients import CONNECT_SECONDS
from shared.finetuning.azure_openai.errors import usable
from shared.finetuning.azure_openai.paging import bounded
from shared.finetuning.base import Dataset, FineTuneRequest

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types import FileObject

log = logging.getLogger(__name__)

PURPOSE = "fine-tune"
MAX_FILE_BYTES = 512 * 1024 * 1024  # the service's limit for one upload
UPLOAD_SECONDS = 300  # for a read or a write of the connection, not for the whole upload
READY = frozenset({"processed", "succeeded"})
REFUSED = frozenset({"error", "failed", "canceled", "cancelled"})
GONE = frozenset({"deleting", "deleted"})


# <job name>-<split>-<hash of the content>.jsonl
FILE_NAME = re.compile(r"(?P<job>.+)-(?:train|validation)-[0-9a-f]{12}\.jsonl")


def datasets_by_file_name(request: FineTuneRequest) -> dict[str, Dataset]:
    """Return the request's datasets by the names of their files."""
    named: dict[str, Dataset] = {}
    for split, dataset in (("train", request.training), ("validation", request.validation)):
        if dataset:
            named[f"{request.job_name}-{split}-{dataset.sha256[:12]}.jsonl"] = dataset
    return named


def is_file_of(file_name: str, job_names: Container[str]) -> bool:
    """Return whether a file was uploaded for a job of one of these names."""
    match = FILE_NAME.fullmatch(file_name)
    return match is not None and match["job"] in job_names


class DatasetFiles:
    """Files of one resource. Methods raise the SDK's errors."""

    def __init__(self, client: OpenAI, settings: Settings) -> None:
        self._client = client
        self._settings = settings

    def uploaded(self, request: FineTuneRequest) -> list[FileObject]:
        """Return the files of this job that the service has, oldest first."""
        datasets = datasets_by_file_name(request)
        files = [
            file
            for file in bounded(self._client.files.list(purpose=PURPOSE, limit=100))
            if file.status not in GONE
            and file.filename in datasets
            and file.bytes == datasets[file.filename].bytes
        ]
        return sorted(files, key=lambda file: (file.created_at, file.id))

    def uploaded_for(self, job_names: Container[str]) -> list[FileObject]:
        """Return the files of these jobs, whatever their content."""
        return [
            file
            for file in bounded(self._client.files.list(purpose=PURPOSE, limit=100))
            if file.status not in GONE and is_file_of(file.filename, job_names)
        ]

    def upload_missing(
        self, request: FineTuneRequest, uploaded: list[FileObject]
    ) -> list[FileObject]:
        """Return the file of each dataset, uploading those that the service doesn't have.

        Raises PermanentError if the service refuses one.
        """
        self._raise_for_refused(uploaded)
        files: list[FileObject] = []
        for name, dataset in datasets_by_file_name(request).items():
            existing = next((file for file in uploaded if file.filename == name), None)
            files.append(existing or self._upload(name, dataset))
        self._raise_for_refused(files)
        return files

    def delete(self, files: Iterable[FileObject]) -> list[str]:
        """Delete the files, and return a sentence for each that couldn't be deleted."""
        from openai import NotFoundError, OpenAIError

        problems: list[str] = []
        for file in files:
            try:
                self._client.files.delete(file.id)
            except NotFoundError:
                pass
            except OpenAIError as error:
                problems.append(
                    f"file {file.filename} ({file.id}) could not be deleted: {type(error).__name__}"
                )
        return problems

    def _upload(self, name: str, dataset: Dataset) -> FileObject:
        from openai import Timeout

        if dataset.bytes > MAX_FILE_BYTES:
            raise PermanentError(
                f"dataset {dataset.blob} has {dataset.bytes} bytes, and Azure OpenAI takes "
                f"{MAX_FILE_BYTES} a file: use another backend, or fewer rows",
                code=ErrorCode.OPENAI,
            )
        timeout = Timeout(UPLOAD_SECONDS, connect=CONNECT_SECONDS)
        with open_blob(self._settings, dataset.blob, dataset.bytes) as file:
            content = (name, file, "application/jsonl")
            created = self._client.files.create(file=content, purpose=PURPOSE, timeout=timeout)
        return usable(created)

    def _raise_for_refused(self, files: list[FileObject]) -> None:
        """Raise PermanentError for files that the service refused, and delete them.

        A resumed run, whose data may be better, then uploads anew.
        """
        refused = [file for file in files if file.status in REFUSED]
        if not refused:
            return
        for problem in self.delete(refused):
            log.warning("%s", problem)
        reasons = "; ".join(
            f"{file.filename}: {file.status_details or 'no reason is given'}" for file in refused
        )
        raise PermanentError(
            f"the service refuses the data: {reasons}", code=ErrorCode.FINETUNING_DATA
        )


def pending_status(files: list[FileObject]) -> str | None:
    """Return the status of the first file that isn't ready yet, None if all are."""
    return next((file.status for file in files if file.status and file.status not in READY), None)
