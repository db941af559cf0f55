"""Listing runs: pages in order, nothing shown twice or left out, and a wrong query explained."""

from __future__ import annotations

from uuid import uuid4

import pytest

from shared.core.errors import InvalidInput
from shared.core.paths import RUN_QUEUE, RunPaths
from shared.core.storage import Storage
from shared.runs.listing import list_runs, parse_filter
from shared.runs.status import RunState
from shared.runs.view import RunView

OLD, NEW = "2026-01-01T00:00:00Z", "2026-03-01T00:00:00.123456Z"


@pytest.fixture
def prefix() -> str:
    """What the ids of one test's runs begin with: the container is shared."""
    return f"nli-{uuid4().hex[:8]}"


async def make(storage: Storage, *run_ids: str) -> None:
    for run_id in run_ids:
        await storage.create(RunPaths(run_id).request, b"{}")
        await storage.write(RunPaths(run_id).journal("train", 0), b"")


async def view_of(run_id: str) -> RunView | None:
    """Every third run is unknown to the hub, every second of the others has failed."""
    number = int(run_id.rpartition("-")[2])
    if number % 3 == 2:
        return None
    status = RunState.FAILED if number % 2 else RunState.RUNNING
    created = OLD if number < 6 else NEW
    return RunView(id=run_id, status=status, task="nli", name="", created=created)


async def ids(storage: Storage, **query: str) -> list[int]:
    page = await list_runs(storage, parse_filter(query), view_of)
    return [int(run.id.rpartition("-")[2]) for run in page["runs"]]


async def test_runs_that_the_hub_knows_are_listed_in_order_of_id(
    storage: Storage, prefix: str
) -> None:
    await make(storage, *(f"{prefix}-{number}" for number in (5, 0, 4, 2, 1, 3)))
    assert await ids(storage, prefix=prefix) == [0, 1, 3, 4]


async def test_the_apps_own_blobs_are_not_taken_for_runs(storage: Storage) -> None:
    await storage.write(RUN_QUEUE, b"{}")
    asked: list[str] = []

    async def view(run_id: str) -> None:
        asked.append(run_id)

    await list_runs(storage, parse_filter({}), view)
    await storage.delete(RUN_QUEUE)
    assert [run_id for run_id in asked if not run_id[0].isalpha()] == []


async def test_pages_follow_each_other_without_gap_or_overlap(
    storage: Storage, prefix: str
) -> None:
    await make(storage, *(f"{prefix}-{number}" for number in range(9)))
    seen: list[str] = []
    after = ""
    for _ in range(9):
        page = await list_runs(
            storage, parse_filter({"prefix": prefix, "limit": "2", "after": after}), view_of
        )
        assert len(page["runs"]) <= 2
        seen += [run.id for run in page["runs"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert seen == [f"{prefix}-{number}" for number in (0, 1, 3, 4, 6, 7)]


async def test_conditions_are_applied_together(storage: Storage, prefix: str) -> None:
    await make(storage, *(f"{prefix}-{number}" for number in range(9)))
    assert await ids(storage, prefix=prefix, status="failed") == [1, 3, 7]
    assert await ids(storage, prefix=prefix, since="2026-02-01T00:00:00+01:00") == [6, 7]
    assert await ids(storage, prefix=prefix, since="2026-02-01T00:00:00Z", status="failed") == [7]
    assert await ids(storage, prefix=prefix, task="math") == []


async def test_a_task_alone_is_found_by_what_its_runs_are_called(storage: Storage) -> None:
    other = f"summarization-{uuid4().hex}-1"
    await make(storage, other)
    found = await list_runs(
        storage, parse_filter({"task": "summarization", "limit": "100"}), listed
    )
    assert other in [run.id for run in found["runs"]]
    assert all(run.id.startswith("summarization-") for run in found["runs"])


async def listed(run_id: str) -> RunView:
    task = run_id.partition("-")[0]
    return RunView(id=run_id, status=RunState.RUNNING, task=task, name="", created=NEW)


async def test_a_page_that_is_just_full_is_the_last_one(storage: Storage, prefix: str) -> None:
    await make(storage, f"{prefix}-0", f"{prefix}-1")
    page = await list_runs(storage, parse_filter({"prefix": prefix, "limit": "2"}), view_of)
    assert (len(page["runs"]), page["next"]) == (2, None)


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ({"colour": "red"}, {"colour"}),
        ({"limit": "0"}, {"limit"}),
        (
            {"limit": "many", "since": "yesterday", "status": "happy", "task": "chess"},
            {"limit", "since", "status", "task"},
        ),
        ({"since": "2026-01-01T00:00:00"}, {"since"}),
    ],
)
def test_everything_wrong_with_a_query_is_told_at_once(
    query: dict[str, str], places: set[str]
) -> None:
    with pytest.raises(InvalidInput) as error:
        parse_filter(query)
    assert {problem["where"] for problem in error.value.details} == places
    assert error.value.code == "invalid_query"


def test_an_empty_query_is_the_first_page_of_everything() -> None:
    wanted = parse_filter({})
    assert (wanted.id_prefix, wanted.limit, wanted.after) == ("", 20, "")


def test_an_unknown_parameter_is_named_as_on_the_other_routes() -> None:
    with pytest.raises(InvalidInput) as error:
        parse_filter({"x": "1"})
    assert error.value.details == [{"where": "x", "problem": "isn't a parameter of this route"}]
