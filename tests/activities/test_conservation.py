"""Rows = accepted + rejected + not asked, in each split, however a run ends."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from local.emulators.teacher import ChatRequest
from shared.core.errors import ErrorCode
from shared.core.paths import Split
from shared.dataset.rows import as_jsonl
from shared.generation.journal import Journal
from shared.runs import handlers
from shared.runs.contracts import ABANDON_SHARD, DISTILLATION_RUN, WrittenReport
from shared.runs.http import ApiRequest
from shared.runs.status import RunStatus
from shared.runs.view import run_view
from shared.spec.resolution import read_spec
from tests.activities.conftest import Configure, NewRun, Teach
from tests.support.activity_runs import AppRun, sum_row, sums

SPLITS: tuple[Split, ...] = ("train", "validation")
DAMAGED = b"{\n"
TRAIN = sums(8) + DAMAGED + as_jsonl([sum_row(3)]) + sums(6, first=20) + DAMAGED
VALIDATION = sums(4, first=50) + as_jsonl([sum_row(1)]) + DAMAGED
ROWS = {"train": 17, "validation": 6}
PRICES = {"prompt_price": 500_000, "completion_price": 1_000_000}


def some_answers(request: ChatRequest) -> str:
    """Return the right sum, but no number for every fourth row."""
    number = int(request.messages[-1].text.split()[2])
    return "no idea" if number % 4 == 0 else str(number + 1)


async def scanned(run: AppRun) -> None:
    """The run ends at the gate, or is cancelled in preflight."""


async def half_way(run: AppRun) -> None:
    await run.generate(0)
    await run.generate(2)


async def unreachable_ratio(run: AppRun) -> None:
    assert (await run.generate(0, max_rejected=0))["error"]["code"] == ErrorCode.SUCCESS_RATIO


async def abandoned_shard(run: AppRun) -> None:
    await run.generate(0)
    payload = {"split": "train", "index": 1, "reason": "the lease is broken", "round": 0}
    await run.call(ABANDON_SHARD, **payload)


async def everything(run: AppRun) -> None:
    await run.finish()


async def resumed_and_cancelled(run: AppRun) -> None:
    await run.finish()
    await run.resume(quality={"min_rows": 1})
    await run.generate(1)


@pytest.mark.parametrize(
    "proceed",
    [scanned, half_way, unreachable_ratio, abandoned_shard, everything, resumed_and_cancelled],
)
async def test_every_row_is_accounted_for_however_the_run_ends(
    new_run: NewRun, teach: Teach, proceed: Callable[[AppRun], Awaitable[None]]
) -> None:
    run = new_run(teacher={"concurrency": 1}, budget=PRICES)
    await run.begin(TRAIN, VALIDATION)
    async with teach(some_answers):
        await proceed(run)
    await check_books(run)


async def test_every_row_is_accounted_for_when_the_teacher_goes_down(
    new_run: NewRun, teach: Teach, app: Configure
) -> None:
    run = new_run()
    await run.begin(TRAIN, VALIDATION)
    async with teach(some_answers):
        await run.generate(0)
        app(TEACHER_API_KEY="revoked")
        assert (await run.generate(1))["status"] == "failed"
    await check_books(run)


async def test_every_row_is_accounted_for_when_the_budget_is_used_up(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run(budget={"max_requests": 5})
    await run.begin(TRAIN, VALIDATION)
    async with teach(some_answers):
        outputs = [await run.generate(index) for index in range(run.shards["train"])]
    assert outputs[-1]["status"] == "failed"
    await check_books(run)


async def test_rows_count_that_were_answered_before_a_kill_but_not_published(
    new_run: NewRun, teach: Teach, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run()
    await run.begin(TRAIN, VALIDATION)

    async def killed(self: Journal, **how: object) -> None:
        raise ConnectionError

    async with teach(some_answers):
        with monkeypatch.context() as patched:
            patched.setattr(Journal, "_publish", killed)
            with pytest.raises(ConnectionError):
                await run.generate(0)
    assert (await run.progress())["train"]["accepted"] == 0
    assert (await check_books(run))["train"]["accepted"] == 3


async def test_a_plan_that_lost_rows_is_not_reported_as_if_all_were_well(
    new_run: NewRun,
) -> None:
    run = new_run()
    await run.begin(TRAIN)
    plan = await run.storage.read_json(run.paths.plan("train"))
    plan["rows"] += 2
    await run.storage.write(run.paths.plan("train"), json.dumps(plan).encode())
    reported = await run.report("failed")
    assert reported["error"]["code"] == ErrorCode.CONSERVATION
    assert "train has 19 rows" in reported["error"]["message"]


async def check_books(run: AppRun) -> dict[str, Any]:
    """Compare view, report and card with what journals and rejected rows hold. Return the view."""
    written = WrittenReport.model_validate(await run.report("cancelled"))
    status = RunStatus(task="math", name="x", outcome="cancelled")
    spec = await read_spec(run.storage, run.paths)
    status.count(written.counters, spec.budget)
    view = run_view({"runtimeStatus": "Completed", "customStatus": status.custom_status()}, {})
    report = await run.storage.read_json(run.paths.report)
    assert report["totals"] == {"not_needed": 0, **view.totals}
    assert report["cost"] == view.cost
    card = await run.text(run.paths.card)
    rejected_rows = await run.rows(run.paths.rejected)
    for split in SPLITS:
        rejected = {row["line"] for row in rejected_rows if row["split"] == split}
        accepted = await accepted_lines(run, split)
        assert not accepted & rejected
        not_asked = set(range(1, ROWS[split] + 1)) - accepted - rejected
        shown = view.splits[split]
        names = ("rows", "accepted", "rejected", "not_asked")
        numbers = (ROWS[split], len(accepted), len(rejected), len(not_asked))
        assert tuple(shown[name] for name in names) == numbers
        counts = report["counts"][split]
        assert counts["rows"] == counts["done"] + len(not_asked) == ROWS[split]
        assert counts["not_asked"] == ({"not_reached": len(not_asked)} if not_asked else {})
        assert sum(counts["rejected"].values()) == len(rejected)
        assert f"| {split} | {' | '.join(map(str, numbers))} |" in card
    totals = [view.totals[name] for name in ("rows", "accepted", "rejected", "not_asked")]
    assert f"| all | {' | '.join(map(str, totals))} |" in card
    assert totals[0] == sum(totals[1:]) == sum(ROWS.values())
    return view.splits


@pytest.mark.parametrize("runtime_status", ["Terminated", "Failed"])
async def test_a_run_that_was_cut_off_shows_the_answers_of_its_journals(
    runtime_status: str, new_run: NewRun, teach: Teach
) -> None:
    run = new_run(budget=PRICES)
    await run.begin(TRAIN, VALIDATION)
    status = RunStatus(task="math", name="x", stage="generate")
    for split in SPLITS:
        status.plan(split, ROWS[split], run.shards[split])
    async with teach(some_answers):
        await half_way(run)
    hub: Any = OneRun(run.paths.run_id, runtime_status, status)
    request = ApiRequest("http://x/api/runs", {}, "", b"", run.paths.run_id, lambda _: {})
    view = (await handlers.get_run(hub, request)).body
    accepted = sum([len(await accepted_lines(run, split)) for split in SPLITS])
    totals = view.totals
    assert totals["accepted"] == accepted > 0
    assert totals["rows"] == accepted + totals["rejected"] + totals["not_asked"]
    assert view.cost


class OneRun:
    """A task hub, and the status of its only run."""

    def __init__(self, run_id: str, runtime_status: str, status: RunStatus) -> None:
        self.run_id = run_id
        self.runtime_status = runtime_status
        self.status = status

    async def get_status(self, instance_id: str, *, show_input: bool) -> OneRun:
        return self

    def to_json(self) -> dict[str, Any]:
        return {
            "instanceId": self.run_id,
            "name": DISTILLATION_RUN,
            "runtimeStatus": self.runtime_status,
            "customStatus": self.status.custom_status(),
        }


async def accepted_lines(run: AppRun, split: Split) -> set[int]:
    """Return the lines whose last record in the journals is accepted."""
    outcomes: dict[int, str] = {}
    for name in sorted(await run.names()):
        if name.startswith(f"shards/{split}/"):
            for record in await run.rows(f"{run.paths.run_id}/{name}"):
                outcomes[record["line"]] = record["status"]
    return {line for line, status in outcomes.items() if status == "accepted"}
