"""`GET /api/runs`: a page of runs.

Runs are found as folders of container `runs`, so sub-orchestrations and purged task hubs don't
matter.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, NotRequired

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic.config import JsonDict
from typing_extensions import TypedDict  # pydantic requires this one before Python 3.12

from shared.core.errors import Problem
from shared.runs.http import UNKNOWN_PARAMETER, ErrorBody, invalid_query
from shared.runs.status import RunState
from shared.runs.view import RunView
from shared.tasks import TASKS
from shared.teacher.budget import MonthlySpend

if TYPE_CHECKING:
    from shared.core.storage import Storage

MAX_PAGE = 100
ID_CHARACTERS = "^[A-Za-z0-9_-]{0,100}$"


def _one_of(values: Iterable[str]) -> JsonDict:
    """Return the part of a parameter's schema that names its values."""
    return {"anyOf": [{"type": "string", "enum": list(values)}, {"type": "null"}]}


class RunFilter(BaseModel):
    """The query of a listing.

    `after` is the last run id of the page before (`next` in its answer).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: str | None = Field(
        default=None, description="of the runs", json_schema_extra=_one_of(RunState)
    )
    task: str | None = Field(
        default=None, description="of the runs", json_schema_extra=_one_of(TASKS)
    )
    prefix: str = Field(default="", pattern=ID_CHARACTERS, description="with which run ids begin")
    since: AwareDatetime | None = Field(default=None, description="created at or after this moment")
    limit: int = Field(default=20, ge=1, le=MAX_PAGE, description="most runs of a page")
    after: str = Field(default="", pattern=ID_CHARACTERS, description="`next` of the page before")

    @property
    def id_prefix(self) -> str:
        """Return how the ids of all runs in the listing begin."""
        return self.prefix or (f"{self.task}-" if self.task else "")

    def admits(self, view: RunView) -> bool:
        """Return whether the run matches status, task and time."""
        if self.status and view.status != self.status:
            return False
        if self.task and view.task != self.task:
            return False
        if self.since is None:
            return True
        return view.created is not None and datetime.fromisoformat(view.created) >= self.since


class RunPage(TypedDict):
    """A page of runs, in order of run id. `next` is None on the last page."""

    runs: list[RunView]
    next: str | None


class ListedRuns(RunPage):
    """The answer to `GET /api/runs`."""

    monthly_budget: NotRequired[MonthlySpend | ErrorBody]
    """If the app has one: how much of it is used, or why its ledger can't be read."""


def parse_filter(query: Mapping[str, str]) -> RunFilter:
    """Return the filter in a query. Raises InvalidInput with every wrong parameter."""
    details: list[Problem] = []
    run_filter: RunFilter | None = None
    try:
        run_filter = RunFilter.model_validate(dict(query))
    except ValidationError as error:
        for entry in error.errors(include_url=False):
            is_unknown = entry["type"] == "extra_forbidden"
            problem = UNKNOWN_PARAMETER if is_unknown else entry["msg"]
            if entry["type"] == "string_pattern_mismatch":
                problem = "isn't part of a run id: use letters, digits, - and _"
            details.append({"where": str(entry["loc"][0]), "problem": problem})
    if (status := query.get("status")) is not None and status not in list(RunState):
        details.append(
            {"where": "status", "problem": f"must be one of {', '.join(sorted(RunState))}"}
        )
    if (task := query.get("task")) is not None and task not in TASKS:
        details.append({"where": "task", "problem": f"must be one of {', '.join(TASKS)}"})
    if details or run_filter is None:
        raise invalid_query(details)
    return run_filter


async def list_runs(
    storage: Storage,
    run_filter: RunFilter,
    view_of: Callable[[str], Awaitable[RunView | None]],
) -> RunPage:
    """Return one page of the runs that match. `view_of` returns None for an unknown run."""
    runs: list[RunView] = []
    async for run_id in storage.run_ids(run_filter.id_prefix, run_filter.after):
        if len(runs) == run_filter.limit:
            return {"runs": runs, "next": runs[-1].id}
        view = await view_of(run_id)
        if view is not None and run_filter.admits(view):
            runs.append(view)
    return {"runs": runs, "next": None}
