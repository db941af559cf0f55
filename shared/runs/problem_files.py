"""`<blob>.problem.json`: beside a blob that starts or changes no run, why, and what to do.

The file follows from the blob and what is beside it, so events may come twice or in any order: the
same problem isn't written again, and one that has gone is removed. Files that the app has not
written are never touched.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Protocol

from shared.core.blob_facts import BlobFacts, Blobs
from shared.core.ids import upload_run_id
from shared.core.paths import DATASETS, MAX_BLOB_NAME, PROBLEM_SUFFIX, RUNS, RunPaths, Split
from shared.runs.file_names import SPLIT_FILES, Role
from shared.runs.near_misses import (
    BlobName,
    MissCode,
    NearMiss,
    after_run_began,
    after_run_started,
    check_name,
    empty_file,
    is_moot,
    no_training_set,
)

DIGEST = "problem_digest"  # metadata of the app's own files
MAX_RECHECKED = 1_000  # entries of a folder among which problem files are looked for
START_DELAY = timedelta(minutes=1)  # between the upload that starts a run and its first step
MAX_WARNINGS = 20  # of a run, about files beside its training set
ABOUT = (
    "Distillation wrote this file. It starts nothing, and goes once the problem is solved. "
    "GET /api/datasets lists all problems."
)
SPLIT_OF_ROLE: dict[Role, Split] = {Role(file): split for split, file in SPLIT_FILES.items()}
log = logging.getLogger(__name__)


class RunCopies(Protocol):
    """When runs have taken their copies of datasets. `path` is `container/name`."""

    async def modified(self, path: str) -> datetime | None:
        """Return when a blob was last written, None if it doesn't exist."""
        ...


class ProblemFiles:
    """Finds the problems of uploads, and keeps their files."""

    def __init__(self, blobs: Blobs, copies: RunCopies) -> None:
        self._blobs = blobs
        self._copies = copies

    async def update(self, name: str) -> NearMiss | None:
        """Write, replace or remove the problem file of a blob, and return the blob's problem.

        A file of a right name may solve the problems of others: those in its folder are updated.
        """
        checked = check_name(name)
        if checked is None:
            return None
        if {".", ".."} & set(name.split("/")):  # storage clients can't address such a blob
            if checked.miss:
                _log(name, checked.miss, "a blob of such a name gets no problem file")
            return checked.miss
        miss = await self._update(checked)
        waits = miss is not None and miss.code is MissCode.NO_TRAINING_SET
        if waits and await self._blobs.facts(f"{checked.folder}/{Role.TRAIN}"):
            miss = await self._update(checked)  # the training set has come at this moment
        if checked.miss is None:
            await self._update_beside(checked.folder)
        return miss

    async def problem_of(self, checked: BlobName, blob: BlobFacts) -> NearMiss | None:
        """Return the problem of a blob, None if there is none."""
        exists: dict[str, BlobFacts] = {}
        others = {f"{checked.folder}/{Role.TRAIN}"}
        if checked.is_target_whole:
            others.add(checked.target)
        for other in others - {blob.name}:
            if facts := await self._blobs.facts(other):
                exists[other] = facts
        train = exists.get(f"{checked.folder}/{Role.TRAIN}")
        return await problem_of(checked, blob, exists, train, self._copies)

    async def _update(self, checked: BlobName) -> NearMiss | None:
        blob = await self._blobs.facts(checked.name)
        miss = await self.problem_of(checked, blob) if blob else None
        if checked.file.is_later_part:  # the first ones speak for the others
            return miss
        problem_file = f"{checked.name}{PROBLEM_SUFFIX}"
        if len(problem_file) > MAX_BLOB_NAME:
            if miss:
                _log(checked.name, miss, "its name is too long for a problem file")
            return miss
        written = await self._blobs.facts(problem_file)
        if blob is None or miss is None:
            if written and DIGEST in written.metadata:
                await self._blobs.delete(written.name, written.etag)
            return miss
        await self._write(blob, miss, problem_file, written)
        return miss

    async def _write(
        self, blob: BlobFacts, miss: NearMiss, name: str, written: BlobFacts | None
    ) -> None:
        if written and DIGEST not in written.metadata:
            _log(blob.name, miss, "a file of the problem file's name exists and isn't the app's")
            return
        digest = hashlib.sha256(json.dumps(_facts(blob, miss)).encode()).hexdigest()
        if written and written.metadata[DIGEST] == digest:
            return
        data = problem_document(blob, miss, datetime.now(UTC))
        etag = written.etag if written else None
        if await self._blobs.write(name, data, {DIGEST: digest}, etag):
            _log(blob.name, miss, "")

    async def _update_beside(self, folder: str) -> None:
        """Update the problem files in a folder."""
        looked_at = 0
        async for blob in self._blobs.level(f"{folder}/"):
            looked_at += 1
            if looked_at > MAX_RECHECKED:
                return
            if isinstance(blob, str) or DIGEST not in blob.metadata:
                continue
            checked = check_name(blob.name.removesuffix(PROBLEM_SUFFIX))
            if checked:
                await self._update(checked)


async def problem_of(
    checked: BlobName,
    blob: BlobFacts,
    exists: Collection[str],
    train: BlobFacts | None,
    copies: RunCopies,
) -> NearMiss | None:
    """Return the problem of a blob, None if there is none.

    `exists` are names of blobs beside it, `train` is the training set in its folder.
    """
    if blob.is_directory or is_moot(checked, exists):
        return None
    if checked.miss:
        return checked.miss
    if blob.size == 0:
        return empty_file(checked)
    if checked.file.role is Role.TRAIN:
        return None
    if train is None:
        return no_training_set(checked)
    return await _too_late(checked, blob, train, copies)


async def unused_files(blobs: Blobs, train_path: str) -> list[str]:
    """Return a warning for each file beside a training set whose name keeps it from being used."""
    folder = train_path.partition("/")[2].rpartition("/")[0]
    names = [
        blob.name
        async for blob in blobs.level(f"{folder}/")
        if isinstance(blob, BlobFacts) and not blob.is_directory
    ]
    return unused_names(names)


def unused_names(names: list[str]) -> list[str]:
    """Return a warning for each of these files, `task/name/file`, that no run reads."""
    existing = set(names)
    warnings: list[str] = []
    for name in names:
        checked = check_name(name)
        if checked and checked.miss and not is_moot(checked, existing):
            shown = json.dumps(name.rpartition("/")[2], ensure_ascii=False)
            warnings.append(f"file {shown} isn't used: {checked.miss.sentence}")
    if len(warnings) > MAX_WARNINGS:
        left_out = len(warnings) - MAX_WARNINGS
        more = f"{left_out} more files beside the training set aren't used: see GET /api/datasets"
        return [*warnings[:MAX_WARNINGS], more]
    return warnings


def problem_document(blob: BlobFacts, miss: NearMiss, time: datetime) -> bytes:
    """Return the content of a problem file."""
    document = {**_facts(blob, miss), "time": time.isoformat(timespec="seconds"), "about": ABOUT}
    return json.dumps(document, indent=1).encode()


def _facts(blob: BlobFacts, miss: NearMiss) -> dict[str, str | None]:
    return {
        "code": miss.code,
        "blob": f"{DATASETS}/{blob.name}",
        "problem": miss.problem,
        "remedy": miss.remedy,
        "use": miss.use,
        "run": miss.run,
        "etag": blob.etag,
    }


async def _too_late(
    checked: BlobName, blob: BlobFacts, train: BlobFacts, copies: RunCopies
) -> NearMiss | None:
    """Return what to say of a blob that came after the training set's run began, if it did.

    A run reads `run.json` before it copies its first input. Times are the storage service's, whole
    seconds: within the same second, the blob may have been used, and nothing is said.
    """
    if blob.modified <= train.modified:
        return None
    run_id = upload_run_id(f"{DATASETS}/{train.name}", train.etag)
    paths = RunPaths(run_id)
    taken = None
    if checked.file.role in SPLIT_OF_ROLE:
        split = SPLIT_OF_ROLE[checked.file.role]
        taken = await copies.modified(f"{RUNS}/{paths.input(split)}")
    if taken is None:
        taken = await copies.modified(f"{RUNS}/{paths.input('train')}")
    if taken is not None:
        return after_run_began(checked, run_id) if blob.modified > taken else None
    started = await copies.modified(f"{RUNS}/{paths.request}")
    is_late = started is not None and blob.modified > started + START_DELAY
    return after_run_started(checked, run_id) if is_late else None


def _log(name: str, miss: NearMiss, note: str) -> None:
    """Log a problem. Names are users' data: quoted, so that no line can be forged."""
    suffix = f" ({note})" if note else ""
    sentence = json.dumps(miss.sentence, ensure_ascii=False)
    log.warning("%s: %s: %s%s", miss.code, json.dumps(f"{DATASETS}/{name}"), sentence, suffix)
