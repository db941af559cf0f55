"""The view of a run that has ended: rows = accepted + rejected + not asked, however it ended."""

from __future__ import annotations

from typing import Any

import pytest

from shared.core.counters import Counters
from shared.runs.contracts import (
    ASSEMBLE_SPLIT,
    GENERATE_SHARD,
    POLL_FINETUNING,
    PREFLIGHT,
    READ_PROGRESS,
    SCAN_DATASET,
    WRITE_REPORT,
)
from shared.runs.view import RunView, run_view
from tests.support.orchestrator_simulation import After
from tests.support.scripted import ROWS, Distillation, counters, failed, ok

SHARDS = {"train": 6, "validation": 3}


def view_of(run: Distillation) -> RunView:
    root = run.run()
    return run_view({"runtimeStatus": root.status, "customStatus": root.custom_status}, {})


def assert_all_counted(view: RunView) -> None:
    for split, shards in SHARDS.items():
        shown = view.splits[split]
        total = shown["accepted"] + shown["rejected"] + shown["not_asked"]
        assert total == shown["rows"] == ROWS * shards
        assert shown["not_asked"] >= 0
    totals = view.totals
    decided = totals["accepted"] + totals["rejected"] + totals["not_asked"]
    assert decided == totals["rows"] == ROWS * sum(SHARDS.values())


@pytest.mark.parametrize(
    "activity", [PREFLIGHT, GENERATE_SHARD, READ_PROGRESS, ASSEMBLE_SPLIT, POLL_FINETUNING]
)
@pytest.mark.parametrize("has_report", [True, False])
def test_all_rows_of_a_run_that_fails_are_counted(activity: str, has_report: bool) -> None:
    run = Distillation(SHARDS, instead={activity: lambda _: failed("no such luck")})
    if not has_report:
        run.hub.activities[WRITE_REPORT] = lambda _: failed("the storage account is gone")
    assert_all_counted(view_of(run))


@pytest.mark.parametrize("seconds", [3.5, 6, 9, 14, 25, 200])
def test_all_rows_of_a_run_that_is_cancelled_are_counted(seconds: float) -> None:
    run = Distillation(SHARDS, instead={GENERATE_SHARD: lambda _: After(4, ok(accepted=ROWS))})
    run.cancel_at(seconds)
    assert_all_counted(view_of(run))


def test_a_run_that_completes_has_no_row_that_was_not_asked() -> None:
    view = view_of(Distillation(SHARDS))
    assert_all_counted(view)
    assert all(shown["not_asked"] == 0 for shown in view.splits.values())


def test_a_run_that_failed_before_generation_shows_the_rows_that_the_scan_rejected() -> None:
    counters = Counters(
        rows=60, done=4, rejected={"duplicate": 4}, not_asked={"not_reached": 56}, shards=6
    )
    report: dict[str, Any] = ok(outputs={}, counters={"train": counters.model_dump()})
    run = Distillation(
        {"train": 6}, instead={PREFLIGHT: lambda _: failed("no"), WRITE_REPORT: lambda _: report}
    )
    view = view_of(run)
    assert (view.splits["train"]["rejected"], view.splits["train"]["not_asked"]) == (4, 56)
    assert view.reasons["train"] == {"duplicate": 4}


def test_the_rows_of_a_run_that_fails_in_its_scan_are_not_made_up() -> None:
    view = view_of(Distillation(SHARDS, instead={SCAN_DATASET: lambda _: failed("no")}))
    assert (view.splits, view.totals) == ({}, {})
    assert any("rows were not counted" in warning for warning in view.warnings)


def test_a_resumed_run_without_a_report_shows_the_rows_of_earlier_rounds() -> None:
    earlier = ok(splits={split: counters(ROWS * n, ROWS) for split, n in SHARDS.items()})
    run = Distillation(SHARDS, instead={READ_PROGRESS: lambda _: earlier}, round=1)
    for name in (PREFLIGHT, WRITE_REPORT):
        run.hub.activities[name] = lambda _: failed("gone")
    view = view_of(run)
    assert_all_counted(view)
    assert view.totals["accepted"] == 2 * ROWS
