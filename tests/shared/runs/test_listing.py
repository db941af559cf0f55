"""Listing runs: the newest first, nothing shown twice or left out, and a wrong query explained."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.errors import InvalidInput, NotFound
from shared.core.paths import RUN_INDEX, RunPaths
from shared.core.storage import Storage
from shared.runs import listing
from shared.runs.listing import list_runs, parse_filter
from shared.runs.requests import RunRequest, claim
from shared.runs.run_index import COMPLETE, add_run
from shared.runs.status import RunState
from shared.runs.view import RunView

START = datetime(2026, 1, 1, tzinfo=UTC)


class IndexStorage:
    """A container in memory, as far as the index of runs needs one."""

    def __init__(self) -> None:
        self.blobs: dict[str, dict[str, str]] = {COMPLETE: {}}
        self.requests: dict[str, dict[str, Any]] = {}
        self.listings: list[int | None] = []

    async def names_under(self, prefix: str, page: int | None = None) -> AsyncIterator[str]:
        self.listings.append(page)
        async for name, _ in self.metadata_under(prefix):
            yield name

    async def metadata_under(self, prefix: str) -> AsyncIterator[tuple[str, dict[str, str]]]:
        for name in sorted(self.blobs):
            await asyncio.sleep(0)
            if name.startswith(prefix):
                yield name, self.blobs[name]

    async def write(
        self, name: str, data: bytes, *, metadata: dict[str, str] | None = None
    ) -> None:
        self.blobs[name] = metadata or {}

    async def run_ids(self, prefix: str, after: str) -> AsyncIterator[str]:
        for run_id in self.requests:
            yield run_id

    async def read_json(self, name: str) -> dict[str, Any]:
        try:
            return self.requests[name.partition("/")[0]]
        except KeyError:
            raise NotFound(name) from None


class Runs:
    """Runs in an index. Every look at one is counted."""

    def __init__(self) -> None:
        self.memory = IndexStorage()
        self.storage = cast(Storage, self.memory)
        self.states: dict[str, RunState] = {}
        self.looks = 0

    async def begin(
        self,
        run_id: str,
        at: int = 0,
        *,
        state: RunState | None = RunState.RUNNING,
        train: str = "datasets/nli/x/train.jsonl",
    ) -> None:
        """Begin a run so many milliseconds after START. Without a state Durable doesn't know it."""
        await add_run(self.storage, run_id, train, START + timedelta(milliseconds=at))
        if state:
            self.states[run_id] = state

    async def view_of(self, run_id: str) -> RunView | None:
        self.looks += 1
        await asyncio.sleep(0)
        if run_id not in self.states:
            return None
        return RunView(
            id=run_id, status=self.states[run_id], task=run_id.partition("-")[0], name=""
        )

    async def ids(self, **query: str) -> list[str]:
        page = await self.page(**query)
        return [run.id for run in page["runs"]]

    async def page(self, **query: str) -> listing.RunPage:
        return await list_runs(self.storage, parse_filter(query), self.view_of)


async def test_the_newest_runs_come_first_and_those_that_the_hub_does_not_know_are_left_out() -> (
    None
):
    runs = Runs()
    for number, at in enumerate((5, 3, 9, 9, 1)):
        await runs.begin(f"nli-{number}", at, state=None if at == 5 else RunState.RUNNING)
    assert await runs.ids() == ["nli-2", "nli-3", "nli-1", "nli-4"]


async def test_the_first_page_of_thousands_of_runs_reads_its_own_runs_only() -> None:
    runs = Runs()
    for number in range(1000):
        await runs.begin(f"nli-{number}", number)
    page = await runs.page()
    assert [run.id for run in page["runs"]] == [f"nli-{number}" for number in range(999, 979, -1)]
    assert (runs.looks, runs.memory.listings) == (20, [22])


@given(
    before=st.lists(st.integers(0, 9), max_size=12),
    meanwhile=st.lists(st.lists(st.integers(9, 12), max_size=3), max_size=12),
    unknown=st.sets(st.integers(0, 11)),
    limit=st.integers(1, 5),
    status=st.sampled_from(["", "failed"]),
)
def test_pages_have_each_run_once_although_others_begin_meanwhile(
    before: list[int],
    meanwhile: list[list[int]],
    unknown: set[int],
    limit: int,
    status: str,
) -> None:
    async def pages() -> tuple[list[str], list[str]]:
        runs = Runs()
        for number, at in enumerate(before):
            state = None if number in unknown else list(RunState)[number % len(RunState)]
            await runs.begin(f"nli-old-{number:02}", at, state=state)
        query = {"limit": str(limit), **({"status": status} if status else {})}
        expected = await runs.ids(**{**query, "limit": "100"})
        seen: list[str] = []
        after = ""
        for turn in range(len(before) + 1):
            page = await runs.page(**query, after=after)
            assert len(page["runs"]) <= limit
            seen += [run.id for run in page["runs"]]
            if page["next"] is None:
                break
            after = page["next"]
            for number, at in enumerate(meanwhile[turn] if turn < len(meanwhile) else ()):
                await runs.begin(f"nli-new-{turn}-{number}", at, state=RunState.FAILED)
        else:
            pytest.fail("the pages have no end")
        return expected, seen

    expected, seen = asyncio.run(pages())
    assert len(seen) == len(set(seen))
    assert [run_id for run_id in seen if run_id.startswith("nli-old-")] == expected


async def test_conditions_are_applied_together() -> None:
    runs = Runs()
    for number in range(9):
        state = RunState.FAILED if number % 2 else RunState.RUNNING
        await runs.begin(f"nli-{number}", number, state=state)
    await runs.begin("nlu_qa-1", 20)
    since = "2026-01-01T01:00:00.006+01:00"
    assert await runs.ids(task="nli", status="failed") == ["nli-7", "nli-5", "nli-3", "nli-1"]
    assert await runs.ids(prefix="nli", since=since) == ["nli-8", "nli-7", "nli-6"]
    assert await runs.ids(since=since, status="failed") == ["nli-7"]
    assert await runs.ids(prefix="nli-1", task="math") == []
    assert await runs.ids(task="nlu_qa") == ["nlu_qa-1"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("nli/mine", ["b", "a"]),
        ("datasets/nli/mine/", ["b", "a"]),
        ("/datasets/nli/mine/train.jsonl", ["a"]),
        ("nli/mine/train.jsonl", ["a"]),
        ("nli/min", []),
        ("nli", ["c", "b", "a"]),
        ("datasets", ["d", "c", "b", "a"]),
        ("nli/süß 100%", ["c"]),
        ("datasets/datasets/x.jsonl", ["d"]),
    ],
)
async def test_runs_are_found_by_their_dataset_as_a_person_would_type_it(
    text: str, found: list[str]
) -> None:
    runs = Runs()
    paths = {
        "a": "datasets/nli/mine/train.jsonl",
        "b": "datasets/nli/mine/more/rows.jsonl",
        "c": "datasets/nli/süß 100%/train.jsonl",
        "d": "datasets/datasets/x.jsonl",
    }
    for at, (run_id, train) in enumerate(paths.items()):
        await runs.begin(run_id, at, train=train)
    assert await runs.ids(dataset=text) == found


async def test_a_rare_status_does_not_make_one_request_look_at_every_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listing, "MAX_LOOKS", 40)
    runs = Runs()
    for number in range(100):
        await runs.begin(f"nli-{number:02}", number, state=RunState.FAILED)
    runs.states["nli-00"] = RunState.QUEUED
    pages = [await runs.page(status="queued")]
    assert (pages[0]["runs"], runs.looks) == ([], 40)
    while after := pages[-1]["next"]:
        pages.append(await runs.page(status="queued", after=after))
    assert [[run.id for run in page["runs"]] for page in pages] == [[], [], ["nli-00"]]


async def test_a_page_that_is_just_full_is_the_last_one() -> None:
    runs = Runs()
    await runs.begin("nli-0")
    await runs.begin("nli-1")
    page = await runs.page(limit="2")
    assert (len(page["runs"]), page["next"]) == (2, None)


async def test_runs_older_than_the_index_are_added_to_it_once() -> None:
    runs = Runs()
    await runs.begin("nli-new", 9)
    del runs.memory.blobs[COMPLETE]
    runs.memory.requests = {
        "nli-old": {"train": "datasets/x.jsonl", "created": "2025-12-31T00:00:00Z"},
        "nli-new": {},
        "nli-broken": {"created": "x"},
    }
    runs.states["nli-old"] = RunState.COMPLETED
    assert await runs.ids() == ["nli-new", "nli-old"]
    runs.memory.requests.clear()
    assert await runs.ids(dataset="x.jsonl") == ["nli-old"]


async def test_a_run_that_is_asked_for_twice_has_one_place_in_the_list(storage: Storage) -> None:
    run_id = f"math-x-{uuid4().hex[:12]}"
    first, second = (
        RunRequest(
            run_id=run_id,
            source="upload",
            task="math",
            name="x",
            train="datasets/math/x/train.jsonl",
            etag="e",
            created=START + timedelta(seconds=seconds),
        )
        for seconds in (0, 60)
    )
    assert await claim(storage, first) == first
    assert await claim(storage, second) == first
    entries = [name async for name in storage.names_under(RUN_INDEX) if name.endswith(run_id)]
    assert len(entries) == 1
    written = RunRequest.model_validate(await storage.read_json(RunPaths(run_id).request))
    assert written == first


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
        ({"after": "nli-mine-0123456789ab", "dataset": ""}, {"after", "dataset"}),
        ({"dataset": "https://a.blob.core.windows.net/datasets/x.jsonl"}, {"dataset"}),
        ({"dataset": "datasets/../runs"}, {"dataset"}),
        ({"dataset": "nli//mine"}, {"dataset"}),
    ],
)
def test_everything_wrong_with_a_query_is_told_at_once(
    query: dict[str, str], places: set[str]
) -> None:
    with pytest.raises(InvalidInput) as error:
        parse_filter(query)
    assert {problem["where"] for problem in error.value.details} == places
    assert error.value.code == "invalid_query"


def test_an_unknown_parameter_is_named_as_on_the_other_routes() -> None:
    with pytest.raises(InvalidInput) as error:
        parse_filter({"x": "1"})
    assert error.value.details == [{"where": "x", "problem": "isn't a parameter of this route"}]
