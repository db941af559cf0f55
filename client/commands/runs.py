"""`{program()} runs`: start, watch, steer and delete runs, and download what they make."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..api import Api
from ..errors import ExitCode, UsageError
from ..json_data import JsonObject, section
from ..output import (
    age_text,
    cost_text,
    dry_run_lines,
    json_result,
    note,
    print_table,
    result,
    run_lines,
    split_text,
    state_text,
)
from ..program import program
from ..session import (
    IdentityOption,
    JsonOption,
    KeyOption,
    QuietOption,
    RunId,
    UrlOption,
    session_of,
)
from ..specification import (
    SPECIFICATION,
    apply_settings,
    dataset_inputs,
    dataset_of,
    read_specification,
)
from .downloads import download_files
from .following import follow

app = typer.Typer(no_args_is_help=True, help="Start, watch, steer and delete runs.")
PAGE = 20
MAX_PAGE = 100
COLUMNS = ("run", "state", "started", "train", "validation", "cost")

SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="A setting, repeatable: quality.min_rows=10, student=null. A value is JSON, or text.",
        show_default=False,
    ),
]
WaitOption = Annotated[bool, typer.Option("--wait", help="Follow the run to its end.")]
TakeOverOption = Annotated[
    bool,
    typer.Option(
        "--take-over", help="The run belongs to another task hub of the same storage, now gone."
    ),
]
TimeoutOption = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        min=0,
        help="Stop waiting after so long, with exit code 7. The run goes on.",
        show_default=False,
    ),
]


class Action(StrEnum):
    """What is done to a run by a request without a body."""

    CANCEL = "cancel"
    PAUSE = "pause"


@app.command("start")
def start(
    context: typer.Context,
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="SPEC.json|TASK/NAME",
            help="A file with a run specification, or a dataset such as math/mine.",
            show_default=False,
        ),
    ] = None,
    spec: Annotated[
        Path | None,
        typer.Option("--spec", metavar="FILE", help="A specification for the dataset TASK/NAME."),
    ] = None,
    settings: SetOption = None,
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            help="The run's name: the same version of a dataset is started under it once.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Start nothing: print what the run would find.")
    ] = False,
    probe: Annotated[
        int | None,
        typer.Option(
            "--probe",
            metavar="ROWS",
            min=1,
            help="With --dry-run: ask the teacher for so many rows, which costs something.",
            show_default=False,
        ),
    ] = None,
    wait: WaitOption = False,
    timeout: TimeoutOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Start a run, or with --dry-run say what it would find. Prints the run's id on stdout."""
    session = session_of(context)
    if probe and not dry_run:
        raise UsageError("--probe is for a dry run: add --dry-run")
    with session.api(url, key) as api:
        body = _body(api, source, spec, settings or [], name, quiet=quiet)
        if dry_run:
            answer = api.post(
                "runs", body=body, slow=True, dry_run="true", probe=str(probe) if probe else None
            )
            if as_json:
                json_result(answer)
            else:
                result("\n".join(dry_run_lines(answer)))
            raise typer.Exit(ExitCode.ERROR if answer.get("error") else ExitCode.COMPLETED)
        started = api.post("runs", body=body, slow=True)
        run_id = str(started["id"])
        if as_json and not wait:
            json_result(started)
        elif not as_json:
            result(run_id)
        if wait:
            raise typer.Exit(
                follow(session, api, run_id, as_json=as_json, quiet=quiet, timeout=timeout)
            )
        if not quiet:
            note(f"started; `{program()} runs wait {run_id}` follows it")


@app.command("list")
def list_runs(
    context: typer.Context,
    status: Annotated[
        str | None, typer.Option("--status", help="Runs with this status only.", show_default=False)
    ] = None,
    task: Annotated[
        str | None, typer.Option("--task", help="Runs of this task only.", show_default=False)
    ] = None,
    prefix: Annotated[
        str | None,
        typer.Option("--prefix", help="Runs whose id begins like this only.", show_default=False),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            "--dataset",
            metavar="TASK/NAME",
            help="Runs of this dataset only.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="TIME",
            help="Runs started since, such as 2026-11-28T09:00:00Z.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many runs.")] = PAGE,
    everything: Annotated[bool, typer.Option("--all", help="All runs.")] = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """List runs."""
    views: list[JsonObject] = []
    has_more = False
    with session_of(context).api(url, key) as api:
        page = MAX_PAGE if everything else min(limit, MAX_PAGE)
        query = {"status": status, "task": task, "prefix": prefix, "since": since}
        for view in api.pages("runs", "runs", limit=str(page), dataset=dataset, **query):
            if len(views) == limit and not everything:
                has_more = True
                break
            views.append(view)
    if as_json:
        json_result(views)
        return
    if not views:
        note("no runs")
        return
    print_table(COLUMNS, [_row(view) for view in views])
    if has_more:
        note(f"only the first {limit}: --limit or --all lists more")


@app.command("show")
def show(
    context: typer.Context,
    run_id: RunId,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Show a run: stage, rows, cost, fine-tuning, error."""
    with session_of(context).api(url, key) as api:
        view = api.get("runs", run_id)
    if as_json:
        json_result(view)
    else:
        result("\n".join(run_lines(view)))


@app.command("wait")
def wait_for_run(
    context: typer.Context,
    run_id: RunId,
    timeout: TimeoutOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Follow a run to its end. Ctrl-C leaves the run alone.

    Exit codes: 0 completed, 3 failed, 4 cancelled, 5 paused or its budget is used up (a person
    decides), 6 connection lost, 7 --timeout is over.
    """
    session = session_of(context)
    with session.api(url, key) as api:
        code = follow(session, api, run_id, as_json=as_json, quiet=quiet, timeout=timeout)
    raise typer.Exit(code)


@app.command("cancel")
def cancel(
    context: typer.Context,
    run_id: RunId,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Stop a run and its fine-tuning jobs. Its answers are kept, and it can be resumed."""
    _act(context, run_id, Action.CANCEL, "cancelling", as_json=as_json, url=url, key=key)


@app.command("pause")
def pause(
    context: typer.Context,
    run_id: RunId,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Stop asking the teacher until the run is resumed."""
    _act(context, run_id, Action.PAUSE, "pausing", as_json=as_json, url=url, key=key)


@app.command("resume")
def resume(
    context: typer.Context,
    run_id: RunId,
    settings: SetOption = None,
    take_over: TakeOverOption = False,
    wait: WaitOption = False,
    timeout: TimeoutOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Continue a paused run, or one that has ended, with changed settings if you like."""
    session = session_of(context)
    changes = apply_settings({}, settings or [])
    with session.api(url, key) as api:
        view = api.post(
            "runs", run_id, "resume", body=changes or None, slow=True, take_over=_flag(take_over)
        )
        if wait:
            raise typer.Exit(
                follow(session, api, run_id, as_json=as_json, quiet=quiet, timeout=timeout)
            )
    _said(view, f"{run_id}: resumed", as_json=as_json)


@app.command("download")
def download(
    context: typer.Context,
    run_id: RunId,
    folder: Annotated[
        Path | None,
        typer.Option("--to", metavar="DIR", help="Where to. Default: a folder named by the id."),
    ] = None,
    files: Annotated[
        list[str] | None,
        typer.Option(
            "--file", metavar="NAME", help="This file only, repeatable.", show_default=False
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
    identity: IdentityOption = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Download a run's files: datasets, provenance, rejected rows, report, card."""
    session = session_of(context)
    with session.api(url, key) as api:
        paths = download_files(
            session,
            api,
            run_id,
            folder or Path(run_id),
            names=files or [],
            force=force,
            identity=identity,
            quiet=quiet or as_json,
        )
    if as_json:
        json_result({"run": run_id, "files": [str(path) for path in paths]})
    else:
        result("\n".join(map(str, paths)))


@app.command("delete")
def delete(
    context: typer.Context,
    run_id: RunId,
    dataset: Annotated[
        bool, typer.Option("--dataset", help="Delete the dataset that it was started from, too.")
    ] = False,
    keep_service_files: Annotated[
        bool,
        typer.Option(
            "--keep-service-files", help="Keep the files uploaded to the fine-tuning service."
        ),
    ] = False,
    take_over: TakeOverOption = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Delete a run that has ended, with all its files. This can't be undone."""
    session = session_of(context)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("nothing was deleted: add --yes to delete without being asked")
        also = " and its dataset" if dataset else ""
        typer.confirm(f"Delete run {run_id}{also}, with all files?", abort=True, err=True)
    with session.api(url, key) as api:
        answer = api.delete(
            "runs",
            run_id,
            dataset=_flag(dataset),
            service_files="false" if keep_service_files else None,
            take_over=_flag(take_over),
        )
    _said(answer, f"{run_id}: is being deleted", as_json=as_json)


def _body(
    api: Api,
    source: str | None,
    spec: Path | None,
    settings: list[str],
    name: str | None,
    *,
    quiet: bool,
) -> JsonObject:
    """Return the specification that a command line names. Raises ClientError."""
    body: JsonObject = {}
    dataset = source
    if source and (source.endswith(".json") or Path(source).is_file()):
        if spec:
            raise UsageError(f"{source} and --spec {spec} are both specifications: name one")
        spec, dataset = Path(source), None
    if spec:
        body = read_specification(spec)
    if dataset:
        task, dataset_name = dataset_of(dataset)
        stored = [str(entry["file"]) for entry in api.get("datasets", task, dataset_name)["files"]]
        body = {**body, **dataset_inputs(task, dataset_name, stored)}
        if SPECIFICATION in stored and not spec and not quiet:
            note(f"{SPECIFICATION} of the dataset isn't used: name a specification with --spec")
    body = apply_settings(body, settings)
    if name:
        body["name"] = name
    if not body:
        raise UsageError("name a specification (run.json) or a dataset (math/mine) to start")
    return body


def _act(
    context: typer.Context,
    run_id: str,
    action: Action,
    doing: str,
    *,
    as_json: bool,
    url: str | None,
    key: str | None,
) -> None:
    with session_of(context).api(url, key) as api:
        view = api.post("runs", run_id, action)
    _said(view, f"{run_id}: {doing}", as_json=as_json)


def _flag(is_set: bool) -> str | None:
    """Return the value of a query's flag, None to leave it out."""
    return "true" if is_set else None


def _said(answer: JsonObject, text: str, *, as_json: bool) -> None:
    if as_json:
        json_result(answer)
    else:
        result(text)


def _row(view: JsonObject) -> list[str]:
    splits = section(view, "splits")
    return [
        str(view.get("id")),
        state_text(view),
        age_text(view.get("created")),
        split_text(section(splits, "train")),
        split_text(section(splits, "validation")),
        cost_text(view.get("cost")),
    ]
