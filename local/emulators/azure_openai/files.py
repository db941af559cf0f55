"""Uploaded files: streamed to disk as they arrive, then judged as the service does before a job may use them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiohttp import BodyPartReader, web

from local.emulators.azure_openai.errors import ApiError
from local.emulators.azure_openai.options import EmulatorOptions
from local.emulators.azure_openai.store import FileRecord, Store, new_id
from local.emulators.chat_dataset import line_problem

CHUNK_BYTES = 256 * 1024
MAX_FILE_BYTES = 512 * 1024 * 1024  # of a fine-tuning file, as the service has it


class Files:
    """The files on disk, and the tasks that judge them."""

    def __init__(self, store: Store, folder: Path, options: EmulatorOptions) -> None:
        self._store, self._folder, self._options = store, folder, options
        self._tasks: set[asyncio.Task[None]] = set()
        folder.mkdir(parents=True, exist_ok=True)

    def resume(self) -> None:
        """Judge what was not judged yet."""
        for file in self._store.files():
            if file.status == "pending":
                self._start(file.id)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def path(self, file_id: str) -> Path:
        return self._folder / file_id

    async def take(self, request: web.Request) -> FileRecord:
        """The file of a multipart body. Raises ApiError for a body that holds none."""
        if not request.content_type.startswith("multipart/"):
            raise ApiError(
                400, "The body must be multipart/form-data.", code="invalid_content_type"
            )
        purpose, filename, file_id, size = "", "", new_id("file"), 0
        try:
            async for part in await request.multipart():
                if not isinstance(part, BodyPartReader):
                    raise ApiError(
                        400, "A part of the body is multipart itself.", code="invalid_multipart"
                    )
                if part.name == "purpose":
                    purpose = await part.text()
                elif part.name == "file":
                    filename, size = part.filename or "file", await self._write(part, file_id)
                else:
                    raise ApiError(
                        400, f"Unrecognized form field: {part.name}", code="unknown_parameter"
                    )
            if not filename or not purpose:
                raise ApiError(
                    400, "The form needs 'file' and 'purpose'.", code="missing_required_parameter"
                )
            if purpose != "fine-tune":
                raise ApiError(
                    400,
                    f"Purpose '{purpose}' is not emulated.",
                    param="purpose",
                    code="invalid_value",
                )
        except BaseException:  # also a client that goes away half-way
            self.path(file_id).unlink(missing_ok=True)
            raise
        file = self._store.add_file(file_id, filename, purpose, size)
        self._start(file_id)
        return file

    def delete(self, file_id: str) -> None:
        self._store.delete_file(file_id)
        self.path(file_id).unlink(missing_ok=True)

    async def _write(self, part: BodyPartReader, file_id: str) -> int:
        size = 0
        with self.path(file_id).open("wb") as target:
            while chunk := await part.read_chunk(CHUNK_BYTES):
                size += len(chunk)
                if size > MAX_FILE_BYTES:
                    raise ApiError(
                        413, "The file is larger than 512 MB.", param="file", code="file_too_large"
                    )
                target.write(chunk)
        return size

    def _start(self, file_id: str) -> None:
        task = asyncio.create_task(self._judge(file_id), name=file_id)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _judge(self, file_id: str) -> None:
        await asyncio.sleep(self._options.file_seconds)
        try:
            rows, problem = await asyncio.to_thread(_read, self.path(file_id))
        except FileNotFoundError:  # deleted meanwhile
            return
        if problem:
            self._store.judge_file(
                file_id, "error", rows=rows, details=f"The file cannot be used: {problem}"
            )
        else:
            self._store.judge_file(file_id, "processed", rows=rows)


def _read(path: Path) -> tuple[int, str | None]:
    """Number of rows up to the first bad one, and what is wrong with that."""
    rows = 0
    with path.open("rb") as lines:
        for line in lines:
            rows += 1
            problem = line_problem(line.removesuffix(b"\n"))
            if problem:
                return rows, f"line {rows}: {problem}"
    return rows, None if rows else "it is empty"
