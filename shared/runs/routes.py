"""Every route of the HTTP API as data: what it takes, and what it may answer.

`GET /api/openapi.json` is made from this table (shared/runs/openapi.py). A route of function_app.py
that is missing here fails a test, as does a status code that no test provokes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from shared.core.json_values import JsonObject
from shared.runs.dataset_listing import DatasetFilter, DatasetPage
from shared.runs.deletion import DeletionQuery
from shared.runs.dry_run import DryRun, StartQuery
from shared.runs.http import LinksQuery
from shared.runs.listing import ListedRuns, RunFilter
from shared.runs.resume import Changes, ResumeQuery
from shared.runs.transfers import (
    Dataset,
    DownloadRequest,
    FileUrl,
    RunFiles,
    Upload,
    UploadRequest,
)
from shared.runs.view import ReportedRun, RunView, StartedRun
from shared.spec.models import RunSpec
from shared.spec.parse import Concurrency

Header = Literal["Location", "Retry-After"]


@dataclass(frozen=True)
class Answer:
    """A successful answer: its meaning, the type of its body, and its headers."""

    description: str
    body: Any
    """A pydantic model, a TypedDict or any other type that pydantic has a JSON Schema for."""
    headers: tuple[Header, ...] = ()


@dataclass(frozen=True)
class Body:
    """The JSON body of a request."""

    type: Any
    is_required: bool = True


@dataclass(frozen=True)
class Route:
    """One method of one path."""

    operation: str
    """The function's name in function_app.py."""
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    """Below `/api/`, as in function_app.py. `{id}` is a run id, `{task}/{name}` a dataset."""
    summary: str
    answers: Mapping[int, Answer]
    """By status code."""
    errors: frozenset[int] = frozenset()
    """Status codes of errors, in the one shape. Every route has 400, for unknown parameters."""
    query: Any = None
    """A type with one field for each parameter, or None."""
    body: Body | None = None
    only_reads: bool = False
    """Whether callers that may only read may use it, although its method isn't GET."""

    @property
    def is_for_readers(self) -> bool:
        """Return whether callers that may only read may use it."""
        return self.only_reads or self.method == "GET"

    @property
    def all_errors(self) -> list[int]:
        """Return the status codes of errors that this app answers."""
        forbidden = set[int]() if self.is_for_readers else {403}
        return sorted(self.errors | forbidden | {400})


# of routes that read the app settings and the storage account
SERVICES = frozenset({500, 503})
# of routes with a JSON body
BODY = frozenset({413, 415, 422})
CHANGED = Answer("The run as it was before the request takes effect.", RunView, ("Location",))

ROUTES = (
    Route(
        operation="get_openapi",
        method="GET",
        path="openapi.json",
        summary="Describe this API",
        answers={200: Answer("This document: OpenAPI 3.1.", JsonObject)},
    ),
    Route(
        operation="start_run",
        method="POST",
        path="runs",
        summary="Start a run, or estimate one",
        query=StartQuery,
        body=Body(RunSpec),
        answers={
            200: Answer("With `dry_run=true`: what the run would find and cost.", DryRun),
            202: Answer("The new run and its links.", StartedRun, ("Location", "Retry-After")),
        },
        errors=BODY | SERVICES | {404, 409},
    ),
    Route(
        operation="get_runs",
        method="GET",
        path="runs",
        summary="List runs",
        query=RunFilter,
        answers={200: Answer("A page of runs, in order of id.", ListedRuns)},
        errors=SERVICES,
    ),
    Route(
        operation="get_datasets",
        method="GET",
        path="datasets",
        summary="List datasets, and what keeps files from being used",
        query=DatasetFilter,
        answers={200: Answer("A page of datasets, in order of path.", DatasetPage)},
        errors=SERVICES,
    ),
    Route(
        operation="get_run",
        method="GET",
        path="runs/{id}",
        summary="View a run",
        query=LinksQuery,
        answers={
            200: Answer("The run; once there is one, with its report.", RunView | ReportedRun)
        },
        errors=SERVICES | {403, 404, 410},
    ),
    Route(
        operation="delete_run",
        method="DELETE",
        path="runs/{id}",
        summary="Delete a run that has ended",
        query=DeletionQuery,
        answers={202: Answer("The run is being deleted.", RunView, ("Location", "Retry-After"))},
        errors=SERVICES | {403, 404, 409, 410},
    ),
    Route(
        operation="cancel_run",
        method="POST",
        path="runs/{id}/cancel",
        summary="Cancel a run and its fine-tuning jobs",
        answers={202: CHANGED},
        errors=frozenset({404, 409}),
    ),
    Route(
        operation="resume_run",
        method="POST",
        path="runs/{id}/resume",
        summary="Continue a paused run, or one that has ended",
        query=ResumeQuery,
        body=Body(Changes, is_required=False),
        answers={
            202: Answer(
                "A paused run continues as it was; any other has started another round, with the "
                "links of a new run.",
                RunView | StartedRun,
            )
        },
        errors=BODY | SERVICES | {404, 409, 410},
    ),
    Route(
        operation="pause_run",
        method="POST",
        path="runs/{id}/pause",
        summary="Stop asking the teacher until the run is resumed",
        answers={202: CHANGED},
        errors=frozenset({404, 409}),
    ),
    Route(
        operation="steer_run",
        method="POST",
        path="runs/{id}/concurrency",
        summary="Change how many shards of each split run at a time",
        body=Body(Concurrency),
        answers={202: CHANGED},
        errors=BODY | {404, 409},
    ),
    Route(
        operation="get_run_files",
        method="GET",
        path="runs/{id}/files",
        summary="List the files of a run",
        answers={200: Answer("The files that can be downloaded.", RunFiles)},
        errors=SERVICES | {404},
    ),
    Route(
        operation="download_run_file",
        method="POST",
        path="runs/{id}/files",
        summary="Get a URL that reads one file of a run",
        body=Body(DownloadRequest),
        only_reads=True,
        answers={200: Answer("The URL, which works for 15 minutes and is a secret.", FileUrl)},
        errors=BODY | SERVICES | {404},
    ),
    Route(
        operation="get_dataset",
        method="GET",
        path="datasets/{task}/{name}",
        summary="View a dataset and the run that it starts",
        answers={200: Answer("Its files, and the id of the run.", Dataset)},
        errors=SERVICES | {404},
    ),
    Route(
        operation="upload_dataset",
        method="POST",
        path="datasets/{task}/{name}/uploads",
        summary="Get URLs that write the files of a dataset",
        body=Body(UploadRequest),
        answers={
            200: Answer("The URLs, which work for 15 minutes and are secrets.", Upload),
        },
        errors=BODY | SERVICES | {404, 409},
    ),
)

FOR_READERS = frozenset(route.operation for route in ROUTES if route.is_for_readers)
"""Functions that callers may use that may only read."""
