"""`distil datasets`: upload datasets, which starts their runs, and list them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from ..api import Api
from ..errors import AppError, UsageError
from ..json_data import JsonObject, count, entries
from ..output import json_result, note, print_table, result, size_text
from ..program import program
from ..session import (
    IdentityOption,
    JsonOption,
    KeyOption,
    QuietOption,
    Session,
    UrlOption,
    session_of,
)
from ..specification import SPECIFICATION, SPLIT_FILES, TRAIN, read_specification
from ..transfer_bar import TransferBar
from ..waiting import UPLOAD_START_SECONDS
from .following import follow
from .runs import TimeoutOption, WaitOption

app = typer.Typer(no_args_is_help=True, help="Upload datasets, and list them.")
BESIDE = (SPLIT_FILES["validation"], SPLIT_FILES["test"], SPECIFICATION)
COLUMNS = ("dataset", "state", "files", "size", "newest run")
# Of a file with such a name, the folder's name says more.
USUAL_NAMES = ("train", "training", "data")
FIRST_LINE_BYTES = 1024 * 1024


@app.command("upload")
def upload(
    context: typer.Context,
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH",
            help="A folder with train.jsonl, or a training set. validation.jsonl, test.jsonl and "
            "run.json beside it are uploaded too.",
            show_default=False,
        ),
    ],
    task: Annotated[str, typer.Option("--task", help="nli, math, …", show_default=False)],
    name: Annotated[
        str | None,
        typer.Option("--name", help="The dataset's name. Default: that of the folder or file."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a dataset that exists, which starts a new run.")
    ] = False,
    identity: IdentityOption = False,
    wait: WaitOption = False,
    timeout: TimeoutOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Upload a dataset, which starts a run. Prints the run's id on stdout."""
    session = session_of(context)
    files = dataset_files(path)
    name = name or default_name(files[TRAIN])
    with session.api(url, key) as api:
        uploading = Uploading(session, api, task, name, force=force, identity=identity)
        uploading.put(files, quiet=quiet or as_json)
        dataset = api.get("datasets", task, name)
        run_id = str(dataset["run"])
        if as_json and not wait:
            json_result(dataset)
        elif not as_json:
            result(run_id)
        if wait:
            raise typer.Exit(
                follow(
                    session,
                    api,
                    run_id,
                    as_json=as_json,
                    quiet=quiet,
                    timeout=timeout,
                    start_seconds=UPLOAD_START_SECONDS,
                )
            )
    if not (quiet or as_json):
        note(
            f"uploaded {task}/{name} ({', '.join(files)}); its run starts within minutes:\n"
            f"  {program()} runs wait {run_id}"
        )


@app.command("list")
def list_datasets(
    context: typer.Context,
    task: Annotated[
        str | None, typer.Option("--task", help="Datasets of this task only.", show_default=False)
    ] = None,
    prefix: Annotated[
        str | None,
        typer.Option(
            "--prefix",
            metavar="TASK/NAME",
            help="Datasets whose path begins like this only.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """List datasets, their runs, and what is wrong with files that aren't used."""
    with session_of(context).api(url, key) as api:
        datasets = list(api.pages("datasets", "datasets", limit="100", task=task, prefix=prefix))
    if as_json:
        json_result(datasets)
        return
    if not datasets:
        note("no datasets")
        return
    print_table(COLUMNS, [_row(dataset) for dataset in datasets])
    for dataset in datasets:
        for problem in entries(dataset, "problems"):
            path = f"{dataset.get('path')}/{problem.get('file')}"
            note(f"{path}: {problem.get('problem')} {problem.get('remedy')}")


def _row(dataset: JsonObject) -> list[str]:
    files = entries(dataset, "files")
    runs = entries(dataset, "runs")
    return [
        str(dataset.get("path", "")).removeprefix("datasets/"),
        str(dataset.get("state", "")).replace("_", " "),
        ", ".join(str(file.get("name")) for file in files),
        size_text(sum(count(file, "size") for file in files)),
        f"{runs[0].get('id')} {runs[0].get('status')}" if runs else "-",
    ]


class Uploading:
    """Uploads the files of one dataset."""

    def __init__(
        self, session: Session, api: Api, task: str, name: str, *, force: bool, identity: bool
    ) -> None:
        self._session = session
        self._api = api
        self._task = task
        self._name = name
        self._force = force
        self._identity = identity

    def put(self, files: dict[str, Path], *, quiet: bool) -> None:
        """Upload files by their names in storage; the training set last, as it starts the run.

        Raises ClientError.
        """
        urls = self._urls(list(files))
        with TransferBar(sum(path.stat().st_size for path in files.values()), quiet=quiet) as bar:
            for name in sorted(files, key=lambda name: name == TRAIN):
                bar.name(name)
                self._put(name, files[name], urls[name], bar)

    def _put(self, name: str, path: Path, first_url: str, bar: TransferBar) -> None:
        first = [first_url]
        url = self._session.blob_url(lambda: first.pop() if first else self._renewed(name))
        try:
            with self._session.blobs(first_url, identity=self._identity) as blobs:
                blobs.upload(path, url, overwrite=self._force, advance=bar.advance)
        except OSError as error:
            raise UsageError(f"{path} can't be read: {error.strerror}") from None

    def _urls(self, names: list[str]) -> dict[str, str]:
        """Return the URLs to write to. Raises UsageError if something is there already."""
        try:
            answer = self._ask(names)
        except AppError as error:
            if error.code != "dataset_exists":
                raise
            raise UsageError(f"{error}\n--force replaces it, which starts a new run") from None
        others = [str(name) for name in answer["others"] if name in (*BESIDE, TRAIN)]
        if others and not self._force:
            raise UsageError(
                f"dataset {self._task}/{self._name} has {', '.join(others)} already, which the run "
                "would use: choose another --name, or put such files beside the training set"
            )
        if others:
            note(f"the run also uses what is there already: {', '.join(others)}")
        return {str(entry["file"]): str(entry["url"]) for entry in answer["uploads"]}

    def _renewed(self, name: str) -> str:
        return str(self._ask([name])["uploads"][0]["url"])

    def _ask(self, names: list[str]) -> JsonObject:
        body = {"files": names, "overwrite": self._force, "signed": not self._identity}
        return self._api.post("datasets", self._task, self._name, "uploads", body=body)


def dataset_files(path: Path) -> dict[str, Path]:
    """Return the files of a dataset by their names in storage. Raises UsageError."""
    train = path / TRAIN if path.is_dir() else path
    if not train.is_file():
        problem = f"has no {TRAIN}" if path.is_dir() else "doesn't exist"
        raise UsageError(f"{path} {problem}")
    files = {TRAIN: train}
    for name in BESIDE:
        beside = train.with_name(name)
        if beside != train and beside.is_file():
            files[name] = beside
    for name, file in files.items():
        if name == SPECIFICATION:
            read_specification(file)
        else:
            _check_rows(file)
    return files


def default_name(train: Path) -> str:
    """Return a dataset's name: the file's, or its folder's if the file is just `train.jsonl`."""
    resolved = train.resolve()
    name = resolved.parent.name if resolved.stem in USUAL_NAMES else resolved.stem
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-_") or "dataset"


def _check_rows(path: Path) -> None:
    """Raise UsageError for a file that can't hold rows: the scan would reject every one."""
    try:
        with path.open("rb") as file:
            line = b""
            while not line.strip():
                line = file.readline(FIRST_LINE_BYTES)
                if not line:
                    raise UsageError(f"{path} is empty")
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}") from None
    if len(line) == FIRST_LINE_BYTES:
        return
    try:
        row: object = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise UsageError(
            f"{path}: the first line isn't a JSON object. A dataset has one row a line, such as "
            '{"messages": [{"role": "user", "content": "…"}]}'
        )
