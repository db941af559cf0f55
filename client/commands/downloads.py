"""Downloading the files of a run, one after the other, directly from the storage account."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ..api import Api
from ..errors import ClientError, UsageError
from ..session import Session
from ..transfer_bar import TransferBar

# Checked before a path is built of a name that an app has answered.
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def download_files(
    session: Session,
    api: Api,
    run_id: str,
    folder: Path,
    *,
    names: Sequence[str],
    force: bool,
    identity: bool,
    quiet: bool,
) -> list[Path]:
    """Download a run's files into a folder. Return their paths. Raises ClientError."""
    sizes = _chosen(_stored(api, run_id), names, run_id)
    targets = {name: folder / name for name in sizes}
    existing = [name for name, path in targets.items() if path.exists()]
    if existing and not force:
        raise UsageError(
            f"{folder} has {', '.join(existing)} already: choose another folder with --to, or "
            "replace them with --force"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} can't be made: {error.strerror}") from None
    with TransferBar(sum(sizes.values()), quiet=quiet) as bar:
        for name, target in targets.items():
            bar.name(name)
            url = session.blob_url(lambda name=name: _fetch(api, run_id, name, identity=identity))
            try:
                with session.blobs(url.current(), identity=identity) as blobs:
                    blobs.download(url, target, bar.advance)
            except OSError as error:
                raise UsageError(f"{target} can't be written: {error.strerror}") from None
    return list(targets.values())


def _stored(api: Api, run_id: str) -> dict[str, int]:
    """Return the sizes of a run's files by name. Raises ClientError."""
    files = api.get("runs", run_id, "files")["files"]
    return {str(entry["file"]): int(entry["bytes"]) for entry in files}


def _chosen(stored: dict[str, int], names: Sequence[str], run_id: str) -> dict[str, int]:
    wrong = [name for name in stored if not FILE_NAME.fullmatch(name)]
    if wrong:
        raise ClientError(f"run {run_id} has files with unusable names: {', '.join(wrong)}")
    missing = [name for name in names if name not in stored]
    if missing:
        available = ", ".join(stored)
        raise UsageError(f"run {run_id} has no {', '.join(missing)}; it has {available}")
    return {name: size for name, size in stored.items() if not names or name in names}


def _fetch(api: Api, run_id: str, name: str, *, identity: bool) -> str:
    body = {"file": name, "signed": not identity}
    return str(api.post("runs", run_id, "files", body=body)["url"])
