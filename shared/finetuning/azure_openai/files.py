"""A job's datasets as files of the service. A file's name holds job and content, so that an upload is found again, not repeated."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from shared.core.errors import PermanentError
from shared.core.settings import Settings
from shared.finetuning.azure_openai.blob_file import open_blob
from shared.finetuning.azure_openai.errors import usable
from shared.finetuning.azure_openai.paging import bounded
from shared.finetuning.base import Dataset, FineTuneRequest

if TYPE_CHECKING:
    from openai import OpenAI, Timeout
    from openai.types import FileObject

log = logging.getLogger(__name__)

PURPOSE = "fine-tune"
MAX_FILE_BYTES = 512 * 1024 * 1024  # what the service takes in one upload
UPLOAD_SECONDS = 300  # for a read or a write of the connection, not for the whole upload
READY = frozenset({"processed", "succeeded"})
REFUSED = frozenset({"error", "failed", "canceled", "cancelled"})
GONE = frozenset({"deleting", "deleted"})


def datasets_of(request: FineTuneRequest) -> dict[str, Dataset]:
    """The datasets by the name that each one's file has."""
    given = {"train": request.training, "validation": request.validation}
    return {
        f"{request.job_name}-{split}-{dataset.sha256[:12]}.jsonl": dataset
        for split, dataset in given.items()
        if dataset
    }


class DatasetFiles:
    """Files of one resource. Its methods raise the SDK's errors."""

    def __init__(self, client: OpenAI, settings: Settings) -> None:
        self._client, self._settings = client, settings

    def known(self, request: FineTuneRequest) -> list[FileObject]:
        """The files of this job that the service has, oldest first."""
        wanted = datasets_of(request)
        listed = bounded(self._client.files.list(purpose=PURPOSE, limit=100))
        return _oldest_first(
            file
            for file in listed
            if file.filename in wanted
            and file.bytes == wanted[file.filename].bytes
            and file.status not in GONE
        )

    def take_in(self, request: FineTuneRequest, known: list[FileObject]) -> list[FileObject]:
        """The file of each dataset, uploaded where there is none. Raises PermanentError for one that the service refuses."""
        self._refuse_bad(known)
        files: list[FileObject] = []
        for name, dataset in datasets_of(request).items():
            found = next((file for file in known if file.filename == name), None)
            files.append(found or self._upload(name, dataset))
        self._refuse_bad(files)
        return files

    def delete(self, files: Iterable[FileObject]) -> list[str]:
        """What could not be deleted, each in a sentence."""
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
        if dataset.bytes > MAX_FILE_BYTES:
            raise PermanentError(
                f"dataset {dataset.blob} has {dataset.bytes} bytes, and Azure OpenAI takes {MAX_FILE_BYTES} a file: "
                "use another backend, or fewer rows",
                code="openai",
            )
        with open_blob(self._settings, dataset.blob, dataset.bytes) as file:
            content = (name, file, "application/jsonl")
            return usable(
                self._client.files.create(file=content, purpose=PURPOSE, timeout=_upload_timeout())
            )

    def _refuse_bad(self, files: list[FileObject]) -> None:
        """A bad file is deleted, so that a resumed run, whose data may be better, uploads anew."""
        bad = [file for file in files if file.status in REFUSED]
        if not bad:
            return
        for problem in self.delete(bad):
            log.warning("%s", problem)
        told = "; ".join(
            f"{file.filename}: {file.status_details or 'no reason is given'}" for file in bad
        )
        raise PermanentError(f"the service refuses the data: {told}", code="finetuning_data")


def waiting_for(files: list[FileObject]) -> str | None:
    """The status of the first file that is not ready yet."""
    return next((file.status for file in files if file.status and file.status not in READY), None)


def _oldest_first(files: Iterable[FileObject]) -> list[FileObject]:
    return sorted(files, key=lambda file: (file.created_at, file.id))


def _upload_timeout() -> Timeout:
    from openai import Timeout

    from shared.finetuning.azure_openai.clients import CONNECT_SECONDS

    return Timeout(UPLOAD_SECONDS, connect=CONNECT_SECONDS)
