"""Uploaded files: streamed to disk, then checked as the service does before a job may use them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiohttp import BodyPartReader, web

from local.emulators.azure_openai.options import EmulatorOptions
from local.emulators.azure_openai.store import File, Store, new_id
from local.emulators.chat_dataset import line_problem
from local.emulators.jobs import BackgroundTasks
from local.emulators.openai_errors import ApiError

CHUNK_BYTES = 256 * 1024
MAX_FILE_BYTES = 512 * 1024 * 1024  # of a fine-tuning file, as the service has it


class Files:
    """The files on disk, and the tasks that check them."""

    def __init__(self, store: Store, folder: Path, options: EmulatorOptions) -> None:
        self._store = store
        self._folder = folder
        self._options = options
        self._tasks = BackgroundTasks()
        self.stop = self._tasks.stop
        folder.mkdir(parents=True, exist_ok=True)

    def resume(self) -> None:
        """Check the files that were not checked yet."""
        for file in self._store.files.all():
            if file.status == "pending":
                self._tasks.start(file.id, self._check(file.id))

    def path(self, file_id: str) -> Path:
        return self._folder / file_id

    async def save(self, request: web.Request) -> File:
        """Return the file of a multipart body. Raises ApiError for a body without one."""
        if not request.content_type.startswith("multipart/"):
            raise ApiError(
                400, "The body must be multipart/form-data.", code="invalid_content_type"
            )
        file_id = new_id("file")()
        try:
            filename, purpose = await self._read_form(request, file_id)
            size = self.path(file_id).stat().st_size
        except BaseException:  # also a client that disconnects half-way
            self.path(file_id).unlink(missing_ok=True)
            raise
        file = File(id=file_id, filename=filename, purpose=purpose, bytes=size)
        self._store.files.save(file)
        self._tasks.start(file_id, self._check(file_id))
        return file

    async def _read_form(self, request: web.Request, file_id: str) -> tuple[str, str]:
        """Return the file's name and purpose; its content is on disk then."""
        filename = ""
        purpose = ""
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader):
                raise ApiError(
                    400, "A part of the body is multipart itself.", code="invalid_multipart"
                )
            if part.name == "purpose":
                purpose = await part.text()
            elif part.name == "file":
                filename = part.filename or "file"
                await self._write(part, file_id)
            else:
                raise ApiError(
                    400, f"Unrecognized form field: {part.name}", code="unknown_parameter"
                )
        if not filename or not purpose:
            message = "The form needs 'file' and 'purpose'."
            raise ApiError(400, message, code="missing_required_parameter")
        if purpose != "fine-tune":
            message = f"Purpose '{purpose}' is not emulated."
            raise ApiError(400, message, param="purpose", code="invalid_value")
        return filename, purpose

    def delete(self, file_id: str) -> None:
        self._store.files.delete(file_id)
        self.path(file_id).unlink(missing_ok=True)

    async def _write(self, part: BodyPartReader, file_id: str) -> None:
        size = 0
        with self.path(file_id).open("wb") as target:
            while chunk := await part.read_chunk(CHUNK_BYTES):
                size += len(chunk)
                if size > MAX_FILE_BYTES:
                    message = "The file is larger than 512 MB."
                    raise ApiError(413, message, param="file", code="file_too_large")
                target.write(chunk)

    async def _check(self, file_id: str) -> None:
        await asyncio.sleep(self._options.file_seconds)
        try:
            rows, problem = await asyncio.to_thread(_first_problem, self.path(file_id))
        except FileNotFoundError:  # deleted meanwhile
            return
        file = self._store.files.get(file_id)
        assert file is not None
        details = f"The file cannot be used: {problem}" if problem else None
        status = "error" if problem else "processed"
        changes = {"status": status, "status_details": details, "rows": rows}
        self._store.files.save(file.model_copy(update=changes))


def _first_problem(path: Path) -> tuple[int, str | None]:
    """Return the number of rows up to the first bad one, and what is wrong with that."""
    rows = 0
    with path.open("rb") as lines:
        for line in lines:
            rows += 1
            problem = line_problem(line.removesuffix(b"\n"))
            if problem:
                return rows, f"line {rows}: {problem}"
    return rows, None if rows else "it is empty"
